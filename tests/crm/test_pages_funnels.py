"""Funnels as merchants see them; no page needs JavaScript."""

import datetime as dt

import pytest

from crm import events
from crm.audiences import segments
from tests.factories import CustomerFactory, DeliveryFactory, SegmentFactory

pytestmark = pytest.mark.django_db
JANUARY = "start_date=2026-01-01&end_date=2026-01-24"


@pytest.fixture
def visited(api):
    kinds = ["page.viewed"] * 8 + ["cart.updated"] * 2 + ["order.completed"]
    when = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    events.store(
        api.account,
        [events.Happened(f"e{n}", kind, phone=f"+1555000000{n % 8}", occurred_at=when) for n, kind in enumerate(kinds)],
    )


def test_a_funnel_is_a_picture_a_table_and_what_stands_out(page, visited):
    answer = page.get(f"/funnels?funnel_type=purchase&{JANUARY}")
    text = answer.content.decode()

    assert (answer.status_code, answer.context["overall"]) == (200, 12.5)
    assert [tile["value"] for tile in answer.context["tiles"]] == [
        "12.5%", "Interest → Consideration", "100%",
    ]  # fmt: skip
    assert [stage["height"] for stage in answer.context["stages"]] == [100, 100, 25, 0, 0, 12.5]
    assert '<polygon points="44,0.0 100,75.0 100,100 44,100"/>' in text
    # An order without a checkout: more people there than at the stage before.
    assert "−75 points, 25% go on" in text
    assert "each stage is counted at its own first touch" in text


def test_the_same_numbers_come_as_a_file(page, visited):
    address = f"/funnels/export?{page.get(f'/funnels?funnel_type=onboarding&{JANUARY}').context['query']}"

    answer = page.get(address)

    assert answer.headers["Content-Disposition"] == 'attachment; filename="onboarding-2026-01-01-2026-01-24.csv"'
    assert answer.content.decode().splitlines() == [
        "stage,count,percentage,drop_off,step_conversion", "awareness,8,100,,", "interest,8,100,0,100",
        "consideration,2,25,75,25", "purchase,1,12.5,12.5,50", "activation,0,0,12.5,0",
    ]  # fmt: skip


def test_without_a_question_it_is_onboarding_in_the_last_thirty_days(page, visited):
    answer = page.get("/funnels")

    assert "Nobody came in these days" in answer.content.decode()
    assert answer.context["form"].period.last - answer.context["form"].period.first == dt.timedelta(days=29)


def test_an_open_end_is_thirty_days_away(page, visited):
    assert page.get("/funnels?end_date=2026-01-30").context["form"].period.first == dt.date(2026, 1, 1)


@pytest.mark.parametrize("path", ["/funnels", "/funnels/export"])
@pytest.mark.parametrize(
    "query",
    [
        "funnel_type=sales",
        "start_date=never",
        "start_date=2026-02-01&end_date=2026-01-01",
        "end_date=%00",
        "breakdown=city",
    ],
)
def test_what_is_no_question_says_so_beside_the_field(page, path, query):
    answer = page.get(f"{path}?{query}")

    assert (answer.status_code, len(answer.context["form"].errors)) == (400, 1)


@pytest.mark.parametrize(("by", "place"), [("campaign", "/campaigns"), ("segment", "/audiences")])
def test_it_is_broken_down_by_campaign_and_by_audience(page, api, visited, by, place):
    customer = CustomerFactory(account=api.account, phone="+15550000000")
    segment = SegmentFactory(account=api.account, name="=Regulars")
    segments.add_known(segment, [customer.pk])
    row = DeliveryFactory(customer=customer, campaign__name="=Regulars", status="delivered")
    group = row.campaign if by == "campaign" else segment
    events.claim(customer)

    address = f"funnel_type=purchase&{JANUARY}&breakdown={by}"
    answer = page.get(f"/funnels?{address}")
    (shown,) = answer.context["groups"]
    file = page.get(f"/funnels/export?{address}").content.decode().splitlines()

    assert (shown["id"], shown["stages"][0]["count"]) == (group.public_id, 1)
    assert f'href="{place}/{group.public_id}"' in answer.content.decode()
    assert (len(file), file[0].split(",")[:3]) == (13, ["group_id", "group", "stage"])
    assert (file[1], file[7]) == (",,awareness,8,100,,", f"{group.public_id},'=Regulars,awareness,1,100,,")


def test_a_breakdown_of_nobody_says_so(page, visited):
    assert "Nobody of any in these days" in page.get(f"/funnels?{JANUARY}&breakdown=segment").content.decode()
