"""The pages of redemptions in a real browser, in every look, and the way of a redemption back."""

import pytest
from playwright.sync_api import expect

from tests.browser.checks import assert_well_made
from tests.coupons.books import balanced, coupon_of, redeem, reserve

pytestmark = pytest.mark.browser
both_ways = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
PAGES = {
    "/coupons/{campaign}": "Lunch hour",
    "/coupons/{campaign}/redemptions": "Redemptions",
    "/coupons/{campaign}/redemptions/{use}/rollback": "Roll this redemption back?",
}


@pytest.fixture
def coupon(api):
    return coupon_of(account=api.account, name="Lunch hour", coupon={"code": "LUNCH-7K2M4Q"}, max_count=200)


def test_each_page_is_well_made(merchant_page, coupon):
    use = redeem(coupon, "order-2041", value=46_80)
    reserve(coupon, "order-2042", "bert")
    for path, heading in PAGES.items():
        page = merchant_page(path.format(campaign=coupon.campaign_id, use=use.pk))
        expect(page.locator("h1").first).to_contain_text(heading)
        assert_well_made(page)
        page.close()


@both_ways
def test_a_redemption_is_found_and_rolled_back(merchant_page, coupon, scripts):
    redeem(coupon, "order-2041")
    page = merchant_page(f"/coupons/{coupon.campaign_id}", java_script_enabled=scripts)
    page.get_by_role("link", name="All redemptions").click()
    page.get_by_label("Order", exact=True).fill("order-2041")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Roll back").click()
    page.get_by_label("reason").fill("returned")
    page.get_by_role("button", name="Roll back").click()

    expect(page.get_by_text("Rolled back. It counts no longer.")).to_be_visible()
    assert balanced(coupon) == 0
