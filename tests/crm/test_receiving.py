"""Receipt by several threads and processes at one moment, each over connections of its own."""

from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from django.db import connection, transaction

from dispatch import keyring, receiving
from dispatch.models import InboxEntry, WebhookConnection, WebhookTally
from dispatch.receiving import Arrival
from tests.crm.webhook_world import connected

pytestmark = pytest.mark.django_db(transaction=True)
STRIPE = f"SELECT pg_backend_pid() % {WebhookTally.STRIPES}"


def arrival(webhook, key, kind="event"):
    return Arrival(webhook.account_id, webhook.provider, key, kind, f'{{"id": "{key}"}}'.encode())


def stripe():
    with connection.cursor() as cursor:
        return cursor.execute(STRIPE).fetchone()[0]


def closing(act):
    """`act` in another thread, whose connection is closed after it."""

    def acted():
        try:
            return act()
        finally:
            connection.close()

    return acted


def test_two_that_store_for_one_connection_do_not_wait_for_each_other():
    webhook = connected()

    def beside(taken):
        while stripe() == taken:
            connection.close()
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        return receiving.store([arrival(webhook, "b"), arrival(webhook, "c", receiving.UNCOUNTED)])

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            receiving.store([arrival(webhook, "a")])
            taken = stripe()
            assert len(pool.submit(closing(lambda: beside(taken))).result(20)) == 2
            assert WebhookConnection.objects.get().events_received == 2
        assert (webhook.tallies.count(), InboxEntry.objects.count()) == (2, 3)
        assert webhook.last_event_at is not None


def test_each_body_is_kept_as_it_came_each_key_once_and_only_new_ones_are_counted():
    webhook = connected()
    bodies = {"ü": '{"who": "ü"}', "quoted": '{"a": "\\"\\\\,{}"}', "long": '{"a": "' + "x" * 9000 + '"}'}
    arrivals = [arrival(webhook, "b")._replace(key=key, body=body.encode()) for key, body in bodies.items()]

    for _ in range(2):
        receiving.take_in([*arrivals, arrivals[0]._replace(body=b"later")])

    assert {key: bytes(body).decode() for key, body in InboxEntry.objects.values_list("dedupe_key", "body")} == bodies
    assert (webhook.events_received, receiving.store(arrivals)) == (3, [])


def test_a_session_that_was_ended_is_replaced_and_nothing_is_lost():
    webhook = connected()
    receiving.take_in([arrival(webhook, "a")])
    with connection.cursor() as cursor:
        own = receiving._session().connection.info.backend_pid
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [own])

    receiving.take_in([arrival(webhook, "b")])

    assert sorted(InboxEntry.objects.values_list("dedupe_key", flat=True)) == ["a", "b"]


def test_who_waits_for_anothers_look_at_the_keys_takes_what_that_one_found(monkeypatch):
    webhook = connected()
    keyring.forget()
    monkeypatch.setattr(keyring, "PATIENCE", 10)
    with ThreadPoolExecutor(1) as pool:
        with keyring._opening:
            waits = pool.submit(closing(lambda: keyring.keys_at("sendgrid", webhook.token)))
            assert not wait([waits], 0.2).done
            keyring._kept["sendgrid", webhook.token] = (float("inf"), found := ())
        assert waits.result(10) is found
    keyring.forget()


def test_who_has_waited_for_long_looks_alone(monkeypatch):
    webhook = connected()
    keyring.forget()
    monkeypatch.setattr(keyring, "PATIENCE", 0.01)
    with ThreadPoolExecutor(1) as pool, keyring._opening:
        found = pool.submit(closing(lambda: keyring.keys_at("sendgrid", webhook.token))).result(10)

    assert [keys.webhook for keys in found] == [webhook.pk]
