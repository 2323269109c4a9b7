"""Dynamic segments: refreshed by what changed they hold whom a full look would find, and readers see old or new."""

import datetime as dt
import random
import threading
import time

import pytest
from django.db import connection, transaction
from django.utils import timezone

from crm import events, tasks
from crm.audiences import criteria, refreshing, segments
from crm.customers import consent, erasing, people
from crm.models import Customer, Segment, SegmentMember
from tests.factories import AccountFactory, CustomerFactory, SegmentFactory, UserFactory

pytestmark = pytest.mark.django_db
GOLD = {"loyalty_tier": "gold"}
LONG = dt.timedelta(days=30)


@pytest.fixture
def gold():
    CustomerFactory(loyalty_tier="gold")
    segment = SegmentFactory(type="dynamic")
    refreshing.refresh(segment)
    return segment


def held(segment):
    segment.refresh_from_db()
    with connection.cursor() as cursor:
        cursor.execute(segments.members_sql("%s"), [segment.pk])
        inside = {row[0] for row in cursor.fetchall()}
    assert segment.size == len(inside)
    return inside


def fitting(segment):
    sql, params = criteria.compiled(segment.criteria, segment.account)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.id FROM crm_customer c WHERE c.account_id = %s AND c.erased_at IS NULL AND {sql}",
            [segment.account_id, *params],
        )
        return {row[0] for row in cursor.fetchall()}


def refreshed(segment, *, full=False):
    version = segment.version
    told = refreshing.refresh(segment)
    assert (segment.version > version) == full
    assert held(segment) == fitting(segment)
    return told


def test_the_first_refresh_is_full_and_finds_only_the_accounts_own(gold):
    assert (gold.version, gold.size) == (1, 0)
    assert gold.refreshed_at is not None


@pytest.mark.parametrize("times", [1, 3])
def test_a_changed_customer_comes_and_goes(gold, times):
    anna = CustomerFactory(account=gold.account, loyalty_tier="gold")
    assert refreshed(gold) == (1, 0)

    for _ in range(times):
        people.change(anna, {"loyalty_tier": "silver"})
        assert refreshed(gold) == (0, 1)
        people.change(anna, {"loyalty_tier": "gold"})
        assert refreshed(gold) == (1, 0)
    assert refreshed(gold) == (0, 0)


def test_orders_consent_and_erasure_are_changes_too():
    account = AccountFactory()
    anna = CustomerFactory(account=account, email="anna@example.test")
    rich = SegmentFactory(account=account, type="dynamic", criteria={"total_spent": {"gte": 46.8}})
    allowing = SegmentFactory(account=account, type="dynamic", criteria={"email_opt_in": True})
    for each in (rich, allowing):
        refreshing.refresh(each)

    events.record(account, type="order.completed", event_id="e", customer_id=anna.pk, value_minor=4680, currency="USD")
    assert refreshed(rich) == (1, 0)
    consent.grant(account, channel="email", address=anna.email, source="form")
    assert refreshed(allowing) == (1, 0)
    erasing.erase(anna, by=None)
    assert (held(rich), held(allowing)) == (set(), set())
    assert refreshed(allowing) == (0, 0)


def test_time_alone_moves_people_in_and_out():
    now, account = timezone.now(), AccountFactory()
    soon, later, _never = CustomerFactory.create_batch(3, account=account)
    Customer.objects.filter(pk=soon.pk).update(last_order_at=now - LONG - dt.timedelta(seconds=30))
    Customer.objects.filter(pk=later.pk).update(last_order_at=now - LONG + dt.timedelta(days=2))
    inactive, lively = (
        SegmentFactory(account=account, type="dynamic", version=1, criteria={"last_order_days_ago": {op: 30}})
        for op in ("gte", "lt")
    )
    SegmentMember.objects.bulk_create(
        SegmentMember(account_id=account.pk, segment_id=lively.pk, version=1, customer_id=each.pk)
        for each in (soon, later)
    )
    # The last look was a day ago, and no row has been written since.
    Segment.objects.update(refreshed_at=now - dt.timedelta(days=1), changes_from=now + LONG)
    Segment.objects.filter(pk=lively.pk).update(size=2)

    assert refreshed(inactive) == (1, 0)
    assert refreshed(lively) == (0, 1)
    assert held(lively) == {later.pk}


def test_new_criteria_are_a_full_look(gold):
    silver = CustomerFactory(account=gold.account, loyalty_tier="silver")

    segments.change(gold, criteria={"loyalty_tier": "silver"})

    assert refreshed(gold, full=True) == (1, 0)
    assert held(gold) == {silver.pk}
    assert set(SegmentMember.objects.values_list("version", flat=True)) == {gold.version}


def test_where_most_of_them_changed_everybody_is_looked_at(gold, monkeypatch):
    CustomerFactory.create_batch(2, account=gold.account, loyalty_tier="gold")
    monkeypatch.setattr(refreshing, "MOST_CHANGED", 2)
    assert refreshed(gold) == (2, 0)

    monkeypatch.setattr(refreshing, "MOST_CHANGED", 1)
    assert refreshed(gold, full=True) == (2, 2)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_members_are_whom_a_full_look_finds(seed):
    chance, account = random.Random(seed), AccountFactory()
    everybody = CustomerFactory.create_batch(40, account=account)
    asked = {"any": [{"last_order_days_ago": {"between": [2, 4]}}, {"order_count": {"gte": 5}, "not": GOLD}]}
    segment = SegmentFactory(account=account, type="dynamic", criteria=asked)
    refreshing.refresh(segment)

    for _ in range(6):
        for each in chance.sample(everybody, chance.randrange(12)):
            Customer.objects.filter(pk=each.pk).update(
                order_count=chance.randrange(10),
                loyalty_tier=chance.choice(["gold", ""]),
                last_order_at=chance.choice([None, timezone.now() - dt.timedelta(days=chance.random() * 6)]),
            )
        refreshed(segment)


def test_the_clock_refreshes_what_is_late(gold):
    fresh = SegmentFactory(account=gold.account, type="dynamic")
    refreshing.refresh(fresh)
    anna = CustomerFactory(account=gold.account, loyalty_tier="gold")
    Segment.objects.filter(pk=gold.pk).update(refreshed_at=timezone.now() - dt.timedelta(minutes=2))

    tasks.refresh_segments()

    assert (held(gold), held(fresh)) == ({anna.pk}, set())
    assert refreshing.refresh_due(3600) == 0


def test_a_count_that_takes_too_long_is_estimated(gold):
    found = refreshing.counted(gold.account, GOLD, within_ms=0)
    assert found.exact

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE crm_customer RENAME TO crm_customer_slow")
        cursor.execute(
            "CREATE VIEW crm_customer AS SELECT * FROM crm_customer_slow WHERE pg_sleep(0.5) IS NOT NULL LIMIT 7"
        )
        CustomerFactory.create_batch(0)
        slow = refreshing.counted(gold.account, GOLD, within_ms=50)
        transaction.set_rollback(True)

    assert (slow.exact, slow.sample) == (False, [])


def test_nobody_else_sees_what_a_count_set(gold):
    refreshing.counted(gold.account, GOLD, by=UserFactory())

    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('application_name')")
        assert "segment" not in cursor.fetchone()[1]


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_was_open_at_the_last_look_is_not_missed():
    gold = SegmentFactory(type="dynamic")
    began, may_commit = threading.Event(), threading.Event()

    def write():
        with transaction.atomic():
            CustomerFactory(account=gold.account, loyalty_tier="gold")
            began.set()
            may_commit.wait(10)
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    began.wait(10)
    refreshing.refresh(gold)
    refreshing.refresh(gold)
    assert held(gold) == set()
    may_commit.set()
    writer.join()

    assert refreshed(gold) == (1, 0)


@pytest.mark.django_db(transaction=True)
def test_readers_see_the_old_members_until_the_new_ones_are_all_there():
    gold = SegmentFactory(type="dynamic")
    CustomerFactory.create_batch(3, account=gold.account, loyalty_tier="gold")
    refreshing.refresh(gold)
    before = held(gold)
    seen = []

    with transaction.atomic():
        segments.change(gold, criteria={"loyalty_tier": "silver"})
        refreshing.refresh(gold)
        reader = threading.Thread(target=lambda: (seen.append(held(Segment.objects.get())), connection.close()))
        reader.start()
        reader.join()

    assert seen == [before]
    assert held(gold) == set()


@pytest.mark.django_db(transaction=True)
def test_another_count_by_the_same_person_ends_the_first():
    account, somebody, other = AccountFactory(), UserFactory(), UserFactory()
    told = []

    def count():
        try:
            told.append(refreshing.counted(account, GOLD, by=somebody, within_ms=20_000))
        except refreshing.CountCancelled as refusal:
            told.append(refusal.code)
        connection.close()

    first = threading.Thread(target=count)
    begun = time.monotonic()
    with transaction.atomic(), connection.cursor() as cursor:
        # Somebody who holds all customers makes any count a slow one.
        cursor.execute("LOCK TABLE crm_customer IN ACCESS EXCLUSIVE MODE")
        first.start()
        while not refreshing.cancel(somebody):
            assert refreshing.cancel(other) == 0
            assert time.monotonic() - begun < 10
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            time.sleep(0.01)
        first.join()

    assert told == ["count_cancelled"]
