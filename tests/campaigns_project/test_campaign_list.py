"""The one list holds everything that is sent, whatever its kind."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.campaigns.pages_world import running
from tests.coupons.factories import CouponCampaignFactory
from tests.crm.marketing_world import draft, launched
from tests.factories import MarketingCampaignFactory, PromoFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def both(api):
    """A broadcast under way, a marketing campaign under way, a draft of one with a promo code, and coupons in use."""
    running(api.account, campaign__name="spring")
    active = launched(api.account, "delivered", name="Flash Sale")
    promo = PromoFactory(account=api.account, code="HALF")
    terms = {"kind": "group", "prefix": "LUNCH-", "max_count": 60, "used": 47}
    CouponCampaignFactory(account=api.account, name="Lunch hour", status="active", **terms)
    return active, draft(api.account, name="Half price", promo=promo, segment=active.segment)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"spring", "Flash Sale", "Half price", "Lunch hour"}),
        ("?status=sending", {"spring", "Flash Sale", "Lunch hour"}),
        ("?status=draft", {"Half price"}),
        ("?q=half", {"Half price"}),
        ("?q=HALF", {"Half price"}),
        ("?q={}", {"Flash Sale"}),
        ("?q=spri", {"spring"}),
        ("?q=lunch-", {"Lunch hour"}),
        ("?q=wa_1", set()),
    ],
)
def test_everything_is_found_by_name_id_promo_and_state(both, page, query, names):
    answer = page.get(f"/campaigns{query.format(both[0].public_id)}")

    assert {row["name"] for row in answer.context["rows"]} == names
    assert {tab["key"]: tab["count"] for tab in page.get("/campaigns").context["tabs"]} == {
        "": 4, "draft": 1, "scheduled": 0, "sending": 3, "completed": 0, "cancelled": 0,
    }  # fmt: skip


def test_a_line_says_how_far_and_with_what_result(both, page):
    shown = page.get("/campaigns").content.decode()

    sent = ("1 of 1 done", "1 delivered", "0.0% opened", "SMS, E-mail", both[0].public_id)
    for words in (*sent, "47 of 60 redeemed", "Coupons · group"):
        assert words in shown, words


def test_home_shows_what_is_going_out_of_both_kinds(both, page):
    assert [line["name"] for line in page.get("/").context["running"]] == ["Flash Sale", "spring"]


def test_the_list_costs_the_same_for_any_number(both, api, page):
    spent = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            page.get("/campaigns")
        spent.append(len(queries))
        MarketingCampaignFactory.create_batch(3, account=api.account)
        running(api.account)
        CouponCampaignFactory.create_batch(2, account=api.account)

    assert spent[0] == spent[1] <= 15
