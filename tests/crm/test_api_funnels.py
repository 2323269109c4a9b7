"""Funnels over HTTP: the seed's example from real events, the period, and what is refused."""

import datetime as dt
from itertools import pairwise

import pytest

from crm import events
from crm.funnels import counting as funnels
from crm.models import SegmentMember
from tests.architecture.routes import MARKETING
from tests.factories import CustomerFactory, DeliveryFactory, MarketingCampaignFactory, SegmentFactory

pytestmark = pytest.mark.django_db
MIDNIGHT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
# Copied from the example of the seed, marketing-crm-api › Get Funnel Metrics.
SEED = {
    "funnel_type": "onboarding",
    "period": {"start": "2026-01-01", "end": "2026-01-24"},
    "stages": [
        {"stage": "awareness", "count": 10000, "percentage": 100},
        {"stage": "interest", "count": 6500, "percentage": 65, "drop_off": 35},
        {"stage": "consideration", "count": 3200, "percentage": 32, "drop_off": 33},
        {"stage": "purchase", "count": 1200, "percentage": 12, "drop_off": 20},
        {"stage": "activation", "count": 980, "percentage": 9.8, "drop_off": 2.2},
    ],
    "overall_conversion": 9.8,
}
TYPES = ("email.sent", "page.viewed", "cart.updated", "order.completed", "order.completed")


@pytest.mark.parametrize("base", MARKETING)
def test_the_seeds_example_comes_out_of_its_events_to_the_letter(api, base):
    happened = [
        events.Happened(
            f"{stage['stage']}-{number}", kind, phone=f"+1555{number:07}",
            occurred_at=MIDNIGHT + dt.timedelta(seconds=number * 200 + turn),
        )
        for turn, (kind, stage) in enumerate(zip(TYPES, SEED["stages"], strict=True))
        for number in range(stage["count"])
    ]  # fmt: skip
    events.store(api.account, happened)

    answer = api.get(f"/{base}/funnels?funnel_type=onboarding&start_date=2026-01-01&end_date=2026-01-24")

    told = answer.json()
    ours = [stage.pop("step_conversion", None) for stage in told["stages"]]
    assert told == SEED
    assert ours == [None, 65, 49.2, 37.5, 81.7]
    # Whole numbers are written without a point, as there.
    assert b'"percentage":100}' in answer.content
    assert list(told) == list(SEED)
    assert [list(each) for each in told["stages"]] == [list(each) for each in SEED["stages"]]


def visit(api, day, number=1, kind="page.viewed"):
    when = dt.datetime.fromisoformat(f"{day}T12:00:00+00:00")
    events.record(api.account, type=kind, event_id=f"{kind}{day}{number}", occurred_at=when, phone=f"+1555{number:07}")


def counts(api, query):
    answer = api.get(f"/{MARKETING[0]}/funnels?{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()["period"], {stage["stage"]: stage["count"] for stage in answer.json()["stages"]}


def test_a_person_counts_on_the_day_of_the_first_touch_only(api):
    for day in ("2026-03-01", "2026-03-02", "2026-03-03"):
        visit(api, day)

    seen = [counts(api, f"funnel_type=purchase&start_date={day}&end_date={day}")[1]["interest"]
            for day in ("2026-02-28", "2026-03-01", "2026-03-02")]  # fmt: skip
    assert seen == [0, 1, 0]


def test_without_dates_it_is_the_last_thirty_days_of_the_account(api):
    api.account.time_zone = "Pacific/Kiritimati"
    api.account.save()
    today = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=14)).date()

    period, _ = counts(api, "funnel_type=retention")
    only_end, _ = counts(api, "funnel_type=retention&end_date=2026-01-30")
    only_start, _ = counts(api, "funnel_type=retention&start_date=2026-01-30")

    assert period == {"start": str(today - dt.timedelta(days=29)), "end": str(today)}
    assert only_end == {"start": "2026-01-01", "end": "2026-01-30"}
    assert only_start == {"start": "2026-01-30", "end": str(today)}


@pytest.mark.parametrize("funnel", funnels.STAGES)
def test_each_funnel_shows_its_stages_in_the_tables_order(api, funnel):
    assert list(counts(api, f"funnel_type={funnel}")[1]) == [stage.value for stage in funnels.STAGES[funnel]]


def test_a_stage_that_grew_says_why_and_no_number_is_odd(api):
    for number in range(3):
        visit(api, "2026-03-01", number, "order.completed")
        visit(api, "2026-02-01", number)
    visit(api, "2026-03-01", 9)

    told = api.get(f"/{MARKETING[0]}/funnels?funnel_type=purchase&start_date=2026-03-01&end_date=2026-03-31").json()

    stages = {stage["stage"]: stage for stage in told["stages"]}
    assert (stages["purchase"]["percentage"], stages["purchase"]["drop_off"]) == (300, 0)
    assert stages["purchase"]["note"] == funnels.MORE
    assert all("note" in later for before, later in pairwise(told["stages"]) if later["count"] > before["count"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "funnel_type"), ("funnel_type=sales", "funnel_type"),
        ("funnel_type=purchase&start_date=2026-02-01&end_date=2026-01-01", "end_date"),
        ("funnel_type=purchase&start_date=2026-02-30", "start_date"), ("funnel_type=purchase&tz=UTC", "tz"),
        ("funnel_type=purchase&start_date=2999-01-01", "end_date"), ("funnel_type=purchase&breakdown=age", "breakdown"),
    ],
)  # fmt: skip
def test_what_is_no_question_is_refused(api, query, field):
    answer = api.get(f"/{MARKETING[0]}/funnels?{query}")

    assert (answer.status_code, list(answer.json()["details"])) == (400, [field])


def test_a_neighbours_people_are_nobody(api, neighbour):
    visit(neighbour, "2026-03-01")

    assert counts(api, "funnel_type=purchase&start_date=2026-03-01")[1]["interest"] == 0


def fill(segment, members):
    rows = [SegmentMember(account_id=segment.account_id, segment_id=segment.pk, version=segment.version,
                          customer_id=each.pk) for each in members]  # fmt: skip
    SegmentMember.objects.bulk_create(rows)


def test_a_breakdown_counts_people_in_every_group_they_are_in(api, neighbour):
    anna, bert, carl = people = [CustomerFactory(account=api.account, loyalty_tier="gold") for _ in range(3)]
    for number, each in enumerate(people):
        events.record(api.account, type="page.viewed", event_id=f"v{number}", customer_id=each.pk)
    events.record(api.account, type="page.viewed", event_id="stranger", email="somebody@example.test")
    events.record(api.account, type="order.completed", event_id="o", customer_id=anna.pk)
    regulars, golden = (SegmentFactory(account=api.account, name=name) for name in ("Regulars", "Golden"))
    fill(regulars, [anna])
    fill(golden, people)
    fill(SegmentFactory(account=api.account, name="Nobody"), [])
    fill(SegmentFactory(account=neighbour.account), [CustomerFactory(account=neighbour.account)])
    sale = MarketingCampaignFactory(account=api.account, name="Sale")
    for customer, status in ((anna, "sent"), (bert, "read"), (carl, "failed")):
        DeliveryFactory(account=api.account, campaign=sale, customer=customer, status=status)

    def groups(by):
        return api.get(f"/{MARKETING[0]}/funnels?funnel_type=purchase&breakdown={by}").json()["breakdown"]

    def shown(by):
        return [
            (group["name"], group[f"{by}_id"], *(group["stages"][number]["count"] for number in (0, 1, 5)))
            for group in groups(by)
        ]

    assert shown("segment") == [("Golden", golden.public_id, 3, 3, 1), ("Regulars", regulars.public_id, 1, 1, 1)]
    assert shown("campaign") == [("Sale", sale.public_id, 2, 2, 1)]
    assert [group["overall_conversion"] for group in groups("segment")] == [33.3, 100]
    assert "breakdown" not in api.get(f"/{MARKETING[0]}/funnels?funnel_type=purchase").json()
