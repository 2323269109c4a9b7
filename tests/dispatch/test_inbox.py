import threading

import pytest
from django.db import connection, transaction

from dispatch import inbox
from dispatch.models import InboxEntry
from tests.factories import AccountFactory, ConnectionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return AccountFactory()


@pytest.fixture
def applied():
    """What the handler of ("test", "note") was given; bodies that say "bad" make it fail."""
    seen = []

    def handler(entries):
        bodies = [bytes(entry.body).decode() for entry in entries]
        if "bad" in bodies:
            raise ValueError(f"bad among {len(bodies)}")
        seen.extend(bodies)
        return [body != "same" for body in bodies]

    inbox.handles("test", "note", handler)
    return seen


def arrives(account, body, key=None, kind="note"):
    return inbox.store(
        account_id=account.pk,
        provider="test",
        kind=kind,
        connection_id=ConnectionFactory(account=account).pk if key == "connected" else None,
        dedupe_key=key or body,
        body=body.encode(),
        headers={"User-Agent": "test"},
        context={"attempt": "a"},
    )


def results():
    return list(InboxEntry.objects.order_by("id").values_list("result", flat=True))


def due_again():
    InboxEntry.objects.update(next_try_at=InboxEntry.objects.order_by("received_at")[0].received_at)


def test_the_same_webhook_is_stored_once(account):
    assert [arrives(account, "x") is None, arrives(account, "x") is None] == [False, True]


def test_entries_are_applied_in_the_order_they_came(account, applied):
    for body in ("1", "2", "same"):
        arrives(account, body)

    taken = inbox.apply_all()

    assert (taken, applied, results()) == (3, ["1", "2", "same"], ["applied", "applied", "no_effect"])


def test_an_entry_nobody_handles_has_no_effect(account):
    arrives(account, "x", kind="nobody")

    inbox.apply()

    assert results() == ["no_effect"]


def test_each_kind_is_applied_in_a_transaction_of_its_own(account, applied):
    arrives(account, "x", kind="nobody")
    arrives(account, "1")

    assert [inbox.apply(), inbox.apply(), inbox.apply()] == [1, 1, 0]
    assert (applied, results()) == (["1"], ["no_effect", "applied"])


def test_one_bad_entry_does_not_hold_up_the_others(account, applied):
    for body in ("1", "bad", "2"):
        arrives(account, body)

    inbox.apply()

    assert (applied, results()) == (["1", "2"], ["applied", "waiting", "applied"])
    assert InboxEntry.objects.get(result="waiting").error == "ValueError: bad among 1"


def test_an_entry_that_fails_five_times_is_a_dead_letter(account, applied):
    arrives(account, "bad")

    for _ in range(inbox.MAX_TRIES):
        due_again()
        inbox.apply()

    assert results() == ["failed"]


def test_a_failed_entry_waits_before_it_is_tried_again(account, applied):
    arrives(account, "bad")

    assert [inbox.apply(), inbox.apply()] == [1, 0]


def test_a_replay_applies_an_entry_again(account, applied):
    arrives(account, "x")
    inbox.apply()

    inbox.replay(InboxEntry.objects.get())
    inbox.apply()

    assert applied == ["x", "x"]


def test_an_entry_its_door_applied_is_settled_there(account, applied):
    arrives(account, "x", key="connected")

    inbox.settle(InboxEntry.objects.get(), changed=True)

    assert (inbox.apply(), results()) == (0, ["applied"])


def test_old_entries_are_forgotten_but_never_waiting_ones(account, applied):
    arrives(account, "x")
    inbox.apply()
    arrives(account, "waiting")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE dispatch_inboxentry SET received_at = now() - interval '31 days'")

    assert (inbox.forget_old(), results()) == (1, ["waiting"])


@pytest.mark.django_db(transaction=True)
def test_a_thousand_parallel_copies_are_stored_once():
    account = AccountFactory()
    stored = []

    def post():
        for _ in range(50):
            with transaction.atomic():
                stored.append(arrives(account, "same"))
        connection.close()

    threads = [threading.Thread(target=post) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(stored), len([each for each in stored if each])) == (1000, 1)
