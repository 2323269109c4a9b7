"""Webhook endpoints as merchants set them up and operators look after them; no page needs JavaScript."""

import datetime as dt
import re

import pytest
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from campaigns_project.models import AuditEntry
from crm.models import WebhookDelivery, WebhookEndpoint
from tests.factories import WebhookDeliveryFactory, WebhookEndpointFactory
from tests.fixtures_http import caller
from tests.operators_world import address, operator, said

pytestmark = pytest.mark.django_db
HERE = "/settings/webhooks"
FORM = {"url": "https://shop.example.com/webhooks", "event_types": "order.*\n\n email.opened ", "description": "Shop"}


@pytest.fixture
def endpoint(api):
    return WebhookEndpointFactory(account=api.account)


def at(endpoint, rest=""):
    return f"{HERE}/{endpoint.public_id}{rest}"


def flashed(page, answer):
    return page.get(answer.headers["Location"]).content.decode()


def test_an_address_is_added_and_its_secret_is_shown_in_that_answer_only(page):
    answer = page.post(f"{HERE}/new", FORM)

    made = WebhookEndpoint.objects.get()
    assert (answer.status_code, made.event_types) == (200, ["order.*", "email.opened"])
    assert answer.headers["Cache-Control"] == "no-store"
    assert made.secret in answer.content.decode()
    assert made.secret not in page.get(at(made)).content.decode()
    assert made.url in page.get(HERE).content.decode()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"url": "http://127.0.0.1/"}, "An address starts with https://"),
        ({"url": ""}, "This field is required."),
        ({"event_types": "Order!"}, "A type is like order.completed"),
        ({"event_types": "\n"}, "This field is required."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_changes_nothing(page, endpoint, wrong, reason):
    for path, form in ((f"{HERE}/new", FORM), (at(endpoint), FORM | {"act": "save"})):
        answer = page.post(path, form | wrong)

        assert answer.status_code == 400
        assert reason in answer.content.decode().replace("&#x27;", "'")
    assert list(WebhookEndpoint.objects.values_list("url", flat=True)) == [endpoint.url]


def test_twenty_are_enough(api, page):
    WebhookEndpointFactory.create_batch(20, account=api.account)

    assert "at most 20 webhook endpoints" in page.post(f"{HERE}/new", FORM).content.decode()


def test_an_address_is_changed_turned_off_and_on(page, endpoint):
    assert "Saved." in flashed(page, page.post(at(endpoint), FORM | {"act": "save"}))
    assert "until you turn it on" in flashed(page, page.post(at(endpoint), {"act": "off"}))
    endpoint.refresh_from_db()
    assert (endpoint.url, endpoint.standing) == (FORM["url"], "off")
    assert "told again" in flashed(page, page.post(at(endpoint), {"act": "on"}))


def test_a_test_and_a_message_are_sent_again(page, endpoint):
    answered = {
        "next_try_at": None,
        "response_code": 500,
        "response_body": "<b>no</b>",
        "duration_ms": 1200,
        "tries": 3,
    }
    failed = WebhookDeliveryFactory(endpoint=endpoint, **answered)
    shown = page.get(at(endpoint, "?status=failed")).content.decode()
    assert re.search(r"Failed</span>.*500 <span.*1,200 ms.*&lt;b&gt;no", shown, re.DOTALL)

    assert "A test is on its way" in flashed(page, page.post(at(endpoint), {"act": "test"}))
    assert "is sent again" in flashed(page, page.post(at(endpoint), {"act": "replay", "delivery": failed.public_id}))

    assert WebhookDelivery.objects.filter(next_try_at__isnull=False).count() == 2
    assert "Nothing here" in page.get(at(endpoint, "?status=failed")).content.decode()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"enabled": False, "disabled_reason": "gone"}, "Your server said that it is gone."),
        ({"enabled": False, "disabled_reason": "failing"}, "We turned this address off."),
        ({"failing_since": timezone.now() - dt.timedelta(hours=1)}, "Every call fails."),
        ({"enabled": False}, "Turn on"),
    ],
)
def test_how_it_stands_is_said_in_a_banner(api, page, state, words):
    endpoint = WebhookEndpointFactory(account=api.account, **state)
    WebhookDeliveryFactory(endpoint=endpoint, tries=2, error="No connection within five seconds.")

    assert words in page.get(at(endpoint)).content.decode()


def test_another_secret_and_the_end_are_asked_first(page, endpoint):
    old = endpoint.secret
    for action, question in (("secret", "Make another secret?"), ("delete", "Delete this address?")):
        assert question in page.get(at(endpoint, f"/confirm/{action}")).content.decode()

    shown = page.post(at(endpoint, "/confirm/secret")).content.decode()
    endpoint.refresh_from_db()
    assert (endpoint.secret != old, endpoint.secret in shown, "second signature" in shown) == (True, True, True)
    assert "told nothing" in flashed(page, page.post(at(endpoint, "/confirm/delete")))
    assert not WebhookEndpoint.objects.exists()


def test_an_act_that_is_none_is_not_there(page, endpoint):
    nobodys = {"act": "replay", "delivery": "msg_nobody\x00"}

    answers = [page.post(at(endpoint), form) for form in ({}, {"act": "x"}, nobodys)]

    assert [answer.status_code for answer in [*answers, page.get(at(endpoint, "/confirm/x"))]] == [404] * 4


def test_a_test_of_one_that_is_off_is_refused(page, endpoint):
    WebhookEndpoint.objects.update(enabled=False)

    assert page.post(at(endpoint), {"act": "test"}).status_code == 409


def test_only_who_may_see_secrets_comes_here(api, endpoint):
    client = Client()
    client.force_login(caller(Role.MANAGER, account=api.account).user)

    assert [client.get(path).status_code for path in (HERE, f"{HERE}/new", at(endpoint))] == [403] * 3


def test_a_neighbours_endpoint_is_not_there(page):
    assert page.get(at(WebhookEndpointFactory())).status_code == 404


def test_an_operator_turns_an_address_off_and_sends_again_with_a_reason(client):
    staff, delivery = operator(client), WebhookDeliveryFactory(next_try_at=None)

    again = staff.post(address(delivery, "act", "send_again"), {"reason": "asked for"}, follow=True)
    off = staff.post(address(delivery.endpoint, "act", "turn_off"), {"reason": "floods them"}, follow=True)
    refused = staff.post(address(delivery, "act", "send_again"), {"reason": "again"})

    delivery.refresh_from_db()
    delivery.endpoint.refresh_from_db()
    assert (said(again), said(off)) == (["Send again: done."], ["Turn off: done."])
    assert (delivery.status, delivery.endpoint.standing) == ("pending", "off")
    assert "turn it on first" in refused.content.decode()
    assert {"webhookdelivery.send_again", "webhookendpoint.turn_off"} <= set(
        AuditEntry.objects.values_list("action", flat=True)
    )


def test_an_operator_reads_what_was_answered_and_no_secret(client):
    delivery = WebhookDeliveryFactory(response_body="<i>no</i>", response_code=500)

    pages = [operator(client).get(address(row, "change")) for row in (delivery, delivery.endpoint)]

    assert "&lt;i&gt;no" in pages[0].content.decode()
    assert delivery.endpoint.secret not in pages[1].content.decode()
