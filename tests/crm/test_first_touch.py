"""First touches and the counts of days: always what a recount of all events says."""

import contextlib
import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm import events, tasks
from crm.customers import erasing, people
from crm.funnels import counting as funnels
from crm.funnels import first_touch
from crm.models import Event, FirstTouch, FunnelDay
from tests.factories import AccountFactory, CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 1, 10, 12, tzinfo=dt.UTC)
EVER = (dt.date(1900, 1, 1), dt.date(2100, 1, 1))


def happen(account, kind, hours=0, **who):
    number = Event.objects.count()
    events.record(account, type=kind, event_id=f"e{number}", occurred_at=NOON + dt.timedelta(hours=hours), **who)


def reached(account, *span):
    """By stage, the people of the rollup; None unless a recount says the same."""
    days = FunnelDay.objects.for_account(account).filter(day__range=span or EVER)
    kept = {}
    for stage, people_of_day in days.values_list("stage", "people"):
        kept[stage] = kept.get(stage, 0) + people_of_day
    kept = {stage: count for stage, count in kept.items() if count}
    return kept if kept == first_touch.recount(account, *(span or EVER)) else None


def hours_of(customer):
    moments = FirstTouch.objects.filter(customer=customer).values_list("stage", "at")
    return {stage: (at - NOON) / dt.timedelta(hours=1) for stage, at in moments}


@pytest.fixture
def anna():
    return CustomerFactory(phone="+15550000001", email="anna@example.test")


@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        ("page.viewed", "interest"), ("cart.updated", "consideration"), ("checkout.started", "intent"),
        ("product.compared", "evaluation"), ("order.completed", "purchase"), ("account.created", "onboarding"),
        ("referral.sent", "advocacy"), ("email.sent", None),
    ],
)  # fmt: skip
def test_a_stage_is_reached_by_its_event_and_awareness_by_any(anna, kind, stage):
    for hours in (5, 3, 4):
        happen(anna.account, kind, hours, phone=anna.phone)

    expected = {"awareness": 3} | ({stage: 3} if stage else {})
    expected |= {"activation": 4, "retention": 5} if stage == "purchase" else {}
    assert hours_of(anna) == expected
    assert reached(anna.account) == dict.fromkeys(expected, 1)


def test_orders_that_arrive_late_move_every_order_after_them(anna):
    for hours in (50, 40, 30, 20, 10):
        happen(anna.account, "order.completed", hours, customer_id=anna.pk)

    assert hours_of(anna) == {"awareness": 10, "purchase": 10, "activation": 20, "retention": 30}
    assert reached(anna.account) == {"awareness": 1, "purchase": 1, "activation": 1, "retention": 1}


def test_a_day_is_the_accounts_own_and_counted_again_when_its_time_zone_changes(anna):
    happen(anna.account, "page.viewed", 0, phone=anna.phone)
    tenth, ninth = dt.date(2026, 1, 10), dt.date(2026, 1, 9)
    before = reached(anna.account, tenth, tenth), reached(anna.account, ninth, ninth)

    anna.account.time_zone = "Pacific/Pago_Pago"
    happen(anna.account, "page.viewed", -2, phone="+15550000002")
    anna.account.save()

    assert before == ({"awareness": 1, "interest": 1}, {})
    assert reached(anna.account, tenth, tenth) == {"awareness": 1, "interest": 1}
    assert reached(anna.account, ninth, ninth) == {"awareness": 1, "interest": 1}


def test_what_a_stranger_did_becomes_the_customers(anna):
    account = anna.account
    happen(account, "order.completed", 1, phone="+15550000002")
    happen(account, "order.completed", 3, email="Bea@example.test")
    happen(account, "page.viewed", 2, phone="+15550000003", email="bea@example.test")
    happen(account, "page.viewed", 1, phone="+15550000003")
    happen(account, "order.completed", 2, customer_id=anna.pk)
    assert reached(account) == {"awareness": 4, "interest": 1, "purchase": 3}

    bea = people.create(account, {"phone": "+15550000002", "email": "bea@example.test"})

    assert hours_of(bea) == {"awareness": 1, "interest": 2, "purchase": 1, "activation": 3}
    # Who only shared a number with her is still somebody.
    assert reached(account) == {"awareness": 3, "interest": 2, "purchase": 2, "activation": 1}


def test_what_was_counted_stays_counted_when_its_person_is_erased(anna):
    happen(anna.account, "order.completed", 1, phone=anna.phone)
    Event.objects.update(customer=None)
    first_touch.rebuild(anna.account)
    before = reached(anna.account)

    erasing.erase(anna, by=UserFactory())

    assert before == reached(anna.account) == {"awareness": 1, "purchase": 1}
    assert hours_of(anna) == {"awareness": 1, "purchase": 1}


def test_what_is_nobodys_is_counted_nowhere_and_accounts_do_not_mix(anna):
    happen(anna.account, "page.viewed")
    happen(AccountFactory(), "page.viewed", phone=anna.phone)

    assert reached(anna.account) == {}


def test_folding_keeps_the_counts_and_leaves_one_row_a_day(anna):
    for number in range(3):
        happen(anna.account, "page.viewed", number, phone=f"+1555000010{number}")
    before = reached(anna.account)

    for _ in range(2):
        tasks.fold_funnels(later="is ignored")

    assert reached(anna.account) == before == {"awareness": 3, "interest": 3}
    assert FunnelDay.objects.for_account(anna.account).count() == 2


PEOPLE = st.sampled_from(["customer", "+15550000001", "+15550000002", "a@example.test", "b@example.test", "both", ""])
HAPPENINGS = st.tuples(
    st.just("happen"), st.sampled_from([*first_touch.STAGES, *["order.completed"] * 6, "email.sent"]),
    st.integers(-60, 60), PEOPLE,
)  # fmt: skip
KNOWN = st.tuples(st.just("know"), st.sampled_from(["phone", "email"]), st.integers(0, 2), st.booleans())
OTHERS = st.sampled_from([("erase",), ("fold",), ("zone", "Asia/Kolkata"), ("zone", "America/New_York"), ("again",)])


def who_of(name, customer):
    if name == "customer":
        return {"customer_id": customer.pk}
    if name == "both":
        return {"phone": "+15550000002", "email": "A@example.test"}
    return {"email" if "@" in name else "phone": name}


def act(account, customer, step):
    verb, *given_ = step
    if verb == "happen":
        happen(account, given_[0], given_[1], **who_of(given_[2], customer))
    elif verb == "know":
        field, number, fresh = given_
        value = {"phone": f"+1555000000{number}", "email": f"{'abc'[number]}@EXAMPLE.test"}[field]
        with_it = {field: value}
        customer.refresh_from_db()
        with contextlib.suppress(people.CustomerExists):
            people.create(account, with_it) if fresh or customer.erased_at else people.change(customer, with_it)
    elif verb == "erase":
        customer.refresh_from_db()
        erasing.erase(customer, by=None)
    elif verb == "fold":
        first_touch.fold()
    elif verb == "again":
        first_touch.rebuild(account)
    else:
        account.time_zone = given_[0]
        account.save()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(HAPPENINGS, HAPPENINGS, HAPPENINGS, KNOWN, OTHERS), max_size=25))
def test_whatever_happens_the_counts_are_what_a_recount_says(steps):
    sid = transaction.savepoint()
    customer = CustomerFactory(phone="", external_id="c")
    account = customer.account
    for step in steps:
        act(account, customer, step)
        assert reached(account) is not None, step
    kept = set(FirstTouch.objects.for_account(account).values_list("person", "customer", "stage", "at"))
    first_touch.rebuild(account)
    assert kept == set(FirstTouch.objects.for_account(account).values_list("person", "customer", "stage", "at"))
    transaction.savepoint_rollback(sid)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_leave_what_a_recount_says():
    account = AccountFactory()
    numbers = [f"+1555000020{n}" for n in range(4)]

    def tell(turn):
        try:
            kinds = ("order.completed", "page.viewed", "order.completed")
            happened = [
                events.Happened(
                    f"{turn}-{n}", kinds[n % 3], phone=numbers[(n + turn) % 4],
                    occurred_at=NOON + dt.timedelta(hours=-turn - n),
                )
                for n in range(8)
            ]  # fmt: skip
            events.store(account, happened)
            if turn in (5, 10):
                people.create(account, {"phone": numbers[turn % 4]})
            if turn % 4 == 0:
                first_touch.fold()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(tell, range(16)))

    assert reached(account)["awareness"] >= 4
    kept = set(FirstTouch.objects.values_list("person", "stage", "at"))
    first_touch.rebuild(account)
    assert kept == set(FirstTouch.objects.values_list("person", "stage", "at"))


def test_percentages_follow_the_seeds_arithmetic():
    stages = funnels.told(list(zip("abcde", (10000, 6500, 3200, 1200, 980), strict=True)))

    assert [each["percentage"] for each in stages] == [100, 65, 32, 12, 9.8]
    assert [each.get("drop_off") for each in stages] == [None, 35, 33, 20, 2.2]
    assert [each.get("step_conversion") for each in stages] == [None, 65, 49.2, 37.5, 81.7]
    assert {type(each["percentage"]) for each in stages[:4]} == {int}


@pytest.mark.parametrize(
    ("counts", "shares", "lost", "noted"),
    [
        ((0, 0, 0), [0, 0, 0], [0, 0], []), ((0, 5, 5), [0, 0, 0], [0, 0], [1, 2]),
        ((10, 15, 12), [100, 150, 120], [0, 30], [1, 2]), ((3, 1, 2), [100, 33.3, 66.7], [66.7, 0], [2]),
        ((2000, 1999, 1), [100, 100, 0.1], [0, 99.9], []),
    ],
)  # fmt: skip
def test_a_stage_larger_than_an_earlier_one_loses_nobody_and_says_so(counts, shares, lost, noted):
    stages = funnels.told(list(zip("abc", counts, strict=True)))

    assert [each["percentage"] for each in stages] == shares
    assert [each["drop_off"] for each in stages[1:]] == lost
    assert [number for number, each in enumerate(stages) if "note" in each] == noted
