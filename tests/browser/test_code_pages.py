"""The pages of codes in a real browser, in every look, and the way from no code to one that is void."""

import pytest
from playwright.sync_api import expect

from campaigns_project import jobs
from coupons import importing, making
from tests.browser.checks import assert_well_made
from tests.coupons.factories import CouponCampaignFactory

pytestmark = pytest.mark.browser
both_ways = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
PAGES = {
    "/coupons/{campaign}": "Autumn letters",
    "/coupons/{campaign}/codes": "Codes",
    "/coupons/{campaign}/codes/new": "Add codes",
    "/coupons/{campaign}/codes/{code}": "AUTUMN-",
    "/coupons/{campaign}/codes/{code}/void": "Void this code?",
}


def made(monkeypatch, account):
    """Thirty codes, a file with a row refused, and more codes on their way."""
    campaign = CouponCampaignFactory(account=account, name="Autumn letters", prefix="AUTUMN-", status="active")
    making.generate(campaign, 30, by=None)
    importing.import_codes(campaign, ["Mine", "mine"], by=None)
    while jobs.run_due():
        pass
    monkeypatch.setattr(making, "SLICE", 10)
    making.generate(campaign, 400, by=None)
    jobs.run_due()
    return {"campaign": campaign.pk, "code": campaign.coupons.order_by("pk").first().pk}


def test_each_page_is_well_made(merchant_page, api, monkeypatch):
    world = made(monkeypatch, api.account)
    for path, heading in PAGES.items():
        page = merchant_page(path.format(**world))
        expect(page.locator("h1").first).to_contain_text(heading)
        assert_well_made(page)
        page.close()


@both_ways
def test_codes_are_made_found_and_voided(merchant_page, api, scripts):
    campaign = CouponCampaignFactory(account=api.account, prefix="AU-")
    page = merchant_page(f"/coupons/{campaign.pk}", java_script_enabled=scripts)
    page.get_by_role("link", name="Add codes").click()
    page.get_by_label("How many").fill("3")
    page.get_by_role("button", name="Make them").click()
    expect(page.get_by_text("0 of 3 codes")).to_be_visible()
    while jobs.run_due():
        pass
    page.goto(page.url)
    code = campaign.coupons.order_by("pk").first().code
    page.get_by_label("Search codes").fill(code[:8].lower())
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=code).click()
    expect(page.get_by_role("img", name="as a QR code")).to_be_visible()
    page.get_by_role("link", name="Void").click()
    page.get_by_role("button", name="Void").click()

    expect(page.get_by_role("status").first).to_contain_text("never counts again")
    assert campaign.coupons.get(code=code).status == "void"
