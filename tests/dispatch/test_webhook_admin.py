"""Webhook connections as operators look after them."""

import pytest
from django.utils import timezone

from dispatch.models import WebhookConnection, WebhookSecret
from tests.crm.webhook_world import OPENED, SECRET, connected, says
from tests.operators_world import address, operator, said

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    return operator(client)


def test_what_came_is_shown_and_never_a_secret(staff, client):
    connection = connected()
    says(client, connection, OPENED)

    text = staff.get(address(connection, "change")).content.decode()

    assert ("1 shared" in text, SECRET in text) == (True, False)
    assert "sendgrid" in staff.get(address(connection)).content.decode()


def test_old_secrets_are_ended_at_once(staff, client):
    connection = connected(secret=f"{SECRET} 1")
    connected(account=connection.account, secret=f"{SECRET} 2")

    answer = staff.post(address(connection, "act", "end_old"), {"reason": "leaked"}, follow=True)

    answers = [says(client, connection, OPENED, secret=f"{SECRET} {n}").status_code for n in (1, 2)]
    assert said(answer) == ["1 ended."]
    assert (answers, WebhookSecret.objects.count()) == ([401, 200], 1)


def test_the_start_page_tells_of_wrong_signatures(staff):
    connected()
    WebhookConnection.objects.update(refused=3, refused_at=timezone.now())

    assert "Wrong signatures" in staff.get("/admin/").content.decode()
    assert list(staff.get(f"{address(WebhookConnection)}?refused=hour").context["cl"].queryset)
