"""Webhooks leave from a sender process for a real server: signed, at least once, and nobody in another's way."""

import datetime as dt
import signal
import subprocess

import pytest
from django.db import connection
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from crm import events
from crm.models import WebhookDelivery
from crm.webhooks_out import outgoing, posting
from dispatch import sweeping
from launch.run import PYTHON, ROOT
from tests.dispatch.conftest import own_environment, send_until, wait_for
from tests.factories import AccountFactory, CustomerFactory, WebhookDeliveryFactory, WebhookEndpointFactory

pytestmark = pytest.mark.django_db(transaction=True)
pytest_plugins = ["tests.receiver"]
QUICK = {"FIRST_WAIT": 0.05, "WAIT_GROWS": 1.0, "LOOK_SECONDS": 0.02}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name, value in QUICK.items():
        monkeypatch.setattr(posting, name, value)


@pytest.fixture
def endpoint(receiver):
    return WebhookEndpointFactory(url=f"{receiver.url}/in")


def post_until(done, **options):
    send_until(done, provider=posting.PROVIDER, **options)


def statuses():
    return [each.status for each in WebhookDelivery.objects.order_by("pk")]


def settled():
    return not WebhookDelivery.objects.filter(next_try_at__isnull=False).exists()


def test_an_event_is_posted_signed_and_written_down(endpoint, receiver):
    customer = CustomerFactory(account=endpoint.account)
    at = dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)
    order = {"type": "order.completed", "event_id": "e-1", "customer_id": customer.pk, "occurred_at": at}
    events.record(endpoint.account, **order, value_minor=4680, currency="USD", properties={"order_id": "ö-1"})

    post_until(settled)

    (got,) = receiver.got
    delivery = WebhookDelivery.objects.select_related("event").get()
    told = Webhook(endpoint.secret).verify(got.body, got.headers)
    assert told == {
        "type": "order.completed",
        "timestamp": "2026-11-21T09:30:00Z",
        "data": {
            "id": delivery.event.public_id,
            "event_id": "e-1",
            "customer_id": customer.public_id,
            "value": {"amount": 4680, "currency": "USD"},
            "properties": {"order_id": "ö-1"},
        },
    }
    assert (got.id, got.headers["content-type"]) == (delivery.public_id, "application/json")
    assert (delivery.status, delivery.tries, delivery.response_code, delivery.response_body) == (
        "delivered", 1, 200, "thanks",
    )  # fmt: skip
    assert delivery.duration_ms >= 0


def test_what_is_refused_comes_again_under_its_old_id_until_it_is_taken(endpoint, receiver):
    receiver.answers["/in"] = [500, 302, 204]
    delivery = WebhookDeliveryFactory(endpoint=endpoint)

    post_until(settled)

    delivery.refresh_from_db()
    endpoint.refresh_from_db()
    assert [each.id for each in receiver.got] == [delivery.public_id] * 3
    assert (delivery.status, delivery.tries, endpoint.failing_since) == ("delivered", 3, None)


def test_a_message_is_given_up_after_three_days(endpoint, receiver):
    receiver.answers["/in"], receiver.body = 500, b"no\x00" + "ä".encode() * 2000
    old = timezone.now() - dt.timedelta(days=3, minutes=1)
    delivery = WebhookDeliveryFactory(endpoint=endpoint, begun_at=old)

    post_until(settled)

    delivery.refresh_from_db()
    endpoint.refresh_from_db()
    assert (delivery.status, delivery.tries, delivery.response_code) == ("failed", 1, 500)
    assert delivery.response_body.startswith("no\ufffdää")
    assert len(delivery.response_body) <= 1024
    assert endpoint.standing == "struggling"


def test_no_connection_is_told_in_words(endpoint):
    endpoint.url = "https://127.0.0.1/in"
    endpoint.save()
    WebhookDeliveryFactory(endpoint=endpoint)

    post_until(lambda: WebhookDelivery.objects.exclude(error="").exists())

    delivery = WebhookDelivery.objects.get()
    assert (delivery.error, delivery.response_code, delivery.status) == (
        "The host is not a public one.",
        None,
        "pending",
    )


@pytest.mark.parametrize("answer, days, reason", [(410, 0, "gone"), (500, 6, "failing")])
def test_an_endpoint_that_is_gone_or_fails_for_days_is_turned_off(answer, days, reason, endpoint, receiver):
    receiver.answers["/in"] = answer
    if days:
        endpoint.failing_since = timezone.now() - dt.timedelta(days=days)
        endpoint.save()
    WebhookDeliveryFactory(endpoint=endpoint)

    def is_off():
        endpoint.refresh_from_db()
        return not endpoint.enabled

    post_until(is_off)

    assert endpoint.disabled_reason == endpoint.standing == reason
    assert statuses() == ["failed" if answer == 410 else "pending"]
    events.record(endpoint.account, type="order.completed", event_id="e-2")
    assert len(statuses()) == 1


def test_a_slow_endpoint_does_not_keep_the_others_waiting(endpoint, receiver, monkeypatch):
    monkeypatch.setattr(posting, "SLOTS", 6)
    monkeypatch.setattr(posting, "EACH", 4)
    slow = WebhookEndpointFactory(url=f"{receiver.url}/slow")
    receiver.delays["/slow"] = 2
    WebhookDeliveryFactory.create_batch(50, endpoint=slow)
    quick = WebhookEndpointFactory(url=f"{receiver.url}/quick")
    WebhookDeliveryFactory.create_batch(30, endpoint=quick)

    post_until(lambda: len(receiver.at("/quick")) == 30, seconds=10)

    assert len(receiver.at("/slow")) <= 8
    assert len({each.id for each in receiver.at("/quick")}) == 30


def test_every_endpoint_has_its_turn_when_there_are_more_than_slots(receiver, monkeypatch):
    monkeypatch.setattr(posting, "SLOTS", 2)
    for n in range(6):
        WebhookDeliveryFactory.create_batch(3, endpoint=WebhookEndpointFactory(url=f"{receiver.url}/{n}"))

    post_until(settled)

    assert {each.path for each in receiver.got[:8]} >= {f"/{n}" for n in range(3)}
    assert len(receiver.got) == 18


def test_nothing_is_called_for_who_is_off_or_suspended(endpoint, receiver):
    suspended = WebhookEndpointFactory(url=f"{receiver.url}/in", account=AccountFactory(status="suspended"))
    off = WebhookEndpointFactory(url=f"{receiver.url}/in", enabled=False)
    for each in (suspended, off, endpoint):
        WebhookDeliveryFactory(endpoint=each)

    post_until(lambda: len(receiver.got) == 1 and "delivered" in statuses())

    assert statuses() == ["pending", "pending", "delivered"]


def test_both_secrets_sign_while_one_is_replaced_and_then_only_the_new(endpoint, receiver):
    old = endpoint.secret
    new = outgoing.rotate(endpoint, by=None)
    WebhookDeliveryFactory(endpoint=endpoint)
    post_until(settled)
    endpoint.old_secret_until = timezone.now()
    endpoint.save()
    WebhookDeliveryFactory(endpoint=endpoint)
    post_until(settled)

    signed = [each.headers["webhook-signature"].split() for each in receiver.got]
    assert [len(each) for each in signed] == [2, 1]
    assert Webhook(old).verify(receiver.got[0].body, receiver.got[0].headers)
    assert all(Webhook(new).verify(each.body, each.headers) for each in receiver.got)


def test_a_message_that_cannot_be_made_does_not_hold_up_the_others(endpoint, receiver):
    broken = WebhookEndpointFactory(url=f"{receiver.url}/in", sealed=b"sealed with another key")
    WebhookDeliveryFactory(endpoint=broken)
    WebhookDeliveryFactory(endpoint=endpoint)

    post_until(lambda: WebhookDelivery.objects.filter(tries__gt=0).exclude(response_code=None, error="").count() == 2)

    assert sorted(statuses()) == ["delivered", "pending"]
    assert "looking into it" in WebhookDelivery.objects.get(endpoint=broken).error


def test_a_late_answer_counts_only_when_it_was_good(endpoint):
    delivery = WebhookDeliveryFactory(endpoint=endpoint, tries=2)

    def said(code, tries):
        answer = posting.Answered(delivery.pk, tries, code, "", "", 5, 60.0)
        with connection.cursor() as cursor:
            cursor.execute(posting.RECORD, posting._recorded([answer]))
        delivery.refresh_from_db()
        return delivery.response_code, delivery.status

    assert [said(500, 1), said(200, 1), said(500, 2)] == [(None, "pending"), (200, "delivered"), (200, "delivered")]


@pytest.mark.parametrize("tries, seconds", [(1, 5), (2, 15), (9, 32805), (10, 43200), (10_000, 43200)])
def test_waits_grow_and_are_never_quite_the_same(tries, seconds, monkeypatch):
    monkeypatch.undo()
    waits = {posting.wait_after(tries) for _ in range(50)}

    assert all(0.79 * seconds <= wait <= 1.21 * seconds for wait in waits)
    assert len(waits) > 40


@pytest.mark.crash
def test_a_killed_sender_loses_nothing(endpoint, receiver, tmp_path):
    receiver.delays["/in"] = 0.1
    environment = {
        **own_environment(tmp_path, receiver),
        "WEBHOOK_TIMEOUT_SECONDS": "1",
        "WEBHOOK_TRUSTED_ORIGINS": receiver.url,
    }
    made = {each.public_id for each in WebhookDeliveryFactory.create_batch(60, endpoint=endpoint)}
    command = [*PYTHON, "manage.py", "send", posting.PROVIDER]
    for killed in (True, True, False):
        before = len(receiver.got)
        sender = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda seen=before: len(receiver.got) > seen + 12 or settled(), 30)
            if not killed:
                wait_for(settled, 30)
        finally:
            sender.send_signal(signal.SIGKILL)
            sender.wait()
        connection.close()

    assert {each.id for each in receiver.got} == made
    assert set(statuses()) == {"delivered"}
    assert sweeping.sweep()
