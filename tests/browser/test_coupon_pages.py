"""The pages of coupons in a real browser, in every look, and the way from nothing to an active campaign."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from coupons.models import CouponCampaign
from tests.browser.checks import assert_well_made
from tests.coupons.factories import CouponCampaignFactory
from tests.factories import MembershipFactory

pytestmark = pytest.mark.browser
both_ways = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
PAGES = {
    "/coupons": "Coupons",
    "/coupons/new": "New coupon campaign",
    "/coupons/{low}": "Nearly gone",
    "/coupons/{low}/confirm/extend": "Extend and activate?",
    "/coupons/{low}/confirm/delete": "Delete?",
    "/coupons/{draft}/edit/audience": "Who may use it?",
    "/coupons/{draft}/edit/discount": "What does it give?",
    "/coupons/{draft}/edit/codes": "What do the codes look like?",
    "/coupons/{draft}/edit/review": "Review and activate",
}


@pytest.fixture
def world(api):
    low = {"discount_type": "flat", "discount_value": 500, "low_coupons_threshold": 50}
    soon = timezone.now() + timedelta(hours=5)
    made = {"account": api.account, "coupon_count": 500, "used": 462, "prefix": "BACK-", "ends_at": soon}
    running = CouponCampaignFactory(name="Nearly gone", status="active", settings=low, **made)
    draft = CouponCampaignFactory(account=api.account, name="Later", settings={}, starts_at=None)
    return {"low": running.pk, "draft": draft.pk}


def test_each_page_is_well_made(merchant_page, world):
    for path, heading in PAGES.items():
        page = merchant_page(path.format(**world))
        expect(page.locator("h1").first).to_contain_text(heading)
        assert_well_made(page)
        page.close()


@both_ways
def test_the_four_steps_lead_to_an_active_campaign(merchant_page, api, scripts):
    page = merchant_page("/coupons", java_script_enabled=scripts)
    page.get_by_role("link", name="New coupon campaign").first.click()
    page.get_by_label("Name").fill("Lunch hour")
    page.get_by_label("Group").check()
    page.get_by_role("button", name="Begin").click()
    page.get_by_label("How much").fill("30")
    page.get_by_label("Uses in all").fill("200")
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_label("Prefix").fill("LUNCH")
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_role("link", name="Discount").click()
    expect(page.get_by_label("Uses in all")).to_have_value("200")
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_label("Starts").fill("2026-01-01T10:00")
    page.get_by_label("Ends").fill("2099-01-01T10:00")
    page.get_by_role("button", name="Activate").click()

    expect(page.get_by_role("status").first).to_contain_text("It is active.")
    assert CouponCampaign.objects.get().status == "active"
    page.get_by_role("link", name="Deactivate").click()
    page.get_by_label("Reason").fill("Sold out")
    page.get_by_role("button", name="Deactivate").click()
    expect(page.get_by_text("“Sold out”")).to_be_visible()


def test_a_second_person_agrees(merchant_page, page_of, api):
    campaign = CouponCampaignFactory(account=api.account, budget=200_000)
    page = merchant_page(f"/coupons/{campaign.pk}/edit/review")
    page.get_by_role("button", name="Ask to activate").click()
    expect(page.get_by_text("Waiting for a second person.")).to_be_visible()
    other = page_of(MembershipFactory(account=api.account).user)(f"/coupons/{campaign.pk}")
    assert_well_made(other)
    other.get_by_role("button", name="Agree and activate").click()

    expect(other.get_by_role("status").first).to_contain_text("Agreed. It is active.")
