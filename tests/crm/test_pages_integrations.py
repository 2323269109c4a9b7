"""Integrations as merchants see to them; no page needs JavaScript."""

import pytest
from django.test import Client

from accounts.roles import Role
from crm.models import Event
from dispatch import inbox
from dispatch.models import InboxEntry, WebhookConnection, WebhookSecret
from tests.crm.webhook_world import OPENED, SECRET, connected, path_of, post, says
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
HERE = "/integrations"


def shown(page, path=HERE):
    return page.get(path).content.decode()


def test_all_providers_are_listed_with_what_came(page, api, client):
    connection = connected(account=api.account)
    says(client, connection, OPENED)

    text = shown(page)

    assert [text.count(name) for name in ("SendGrid", "Twilio", "Mailchimp", "HubSpot")] == [1, 1, 1, 1]
    assert (text.count(">Connected"), text.count(">Disconnected")) == (1, 3)


def test_a_secret_is_shown_in_the_answer_that_made_it_and_never_again(page, api, client):
    answer = page.post(f"{HERE}/hubspot", {"act": "secret", "secret": ""})

    made, text = WebhookSecret.objects.get().text, answer.content.decode()
    connection = WebhookConnection.objects.get()
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert made in text
    assert path_of(connection) in text
    assert made not in shown(page, f"{HERE}/hubspot")
    assert path_of(connection) in shown(page, f"{HERE}/hubspot")
    assert says(client, connection, OPENED, secret=made).status_code == 200


@pytest.mark.parametrize("secret", ["short", SECRET])
def test_what_is_wrong_with_a_secret_is_said_beside_it(page, secret):
    connected("twilio")

    answer = page.post(f"{HERE}/sendgrid", {"act": "secret", "secret": secret})

    assert answer.status_code == 400
    assert ("16 to 500" if secret == "short" else "Another connection uses this secret") in answer.content.decode()
    assert WebhookSecret.objects.count() == 1


def test_what_came_is_shown_by_result_and_applied_again_without_a_second_effect(page, api, client):
    connection = connected(account=api.account)
    says(client, connection, [OPENED, {"event": "processed", "email": "b@b.test", "sg_event_id": "e2"}, 5])
    inbox.apply_all()
    InboxEntry.objects.filter(kind="event").update(result="failed", error="Unreadable: why")
    entry = InboxEntry.objects.get(result="failed")

    text, failed = shown(page, f"{HERE}/sendgrid"), shown(page, f"{HERE}/sendgrid?result=failed")
    answer = page.post(f"{HERE}/sendgrid", {"act": "replay", "event": f"whk_{entry.pk}"}, follow=True)

    assert ("email.opened" in text, "email.processed" in text, "Does not say" in text) == (True, True, True)
    assert ("email.opened" in failed, "email.processed" in failed, "Unreadable: why" in failed) == (True, False, True)
    assert "nothing changed" in answer.content.decode()
    assert Event.objects.count() == 1


def test_refused_deliveries_show(page, api, client):
    connection = connected(account=api.account)
    WebhookConnection.objects.update(refused=7, refused_at=connection.created_at)
    post(client, path_of(connection), b"{}", {})

    assert "deliveries were not signed" in shown(page, f"{HERE}/sendgrid")


@pytest.mark.parametrize("event", ["", "whk_1", "whk_\0", "x"])
def test_what_is_not_there_cannot_be_applied_again(page, event):
    assert page.post(f"{HERE}/sendgrid", {"act": "replay", "event": event}).status_code == 404
    assert page.post(f"{HERE}/sendgrid", {"event": event}).status_code == 404
    assert page.get(f"{HERE}/acme").status_code == 404


def test_who_may_only_look_changes_nothing(client):
    who, session = caller(Role.MARKETING), Client()
    session.force_login(who.user)
    says(client, connected(account=who.account), OPENED)
    entry = InboxEntry.objects.get()

    assert session.get(f"{HERE}/sendgrid").status_code == 200
    for said in ({"act": "secret", "secret": ""}, {"act": "replay", "event": f"whk_{entry.pk}"}):
        assert session.post(f"{HERE}/sendgrid", said).status_code == 403
    assert WebhookSecret.objects.count() == 1
