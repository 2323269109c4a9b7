"""A campaign's codes at Shopify through the API and on pages; no page needs JavaScript."""

import pytest

from accounts.models import Connection
from coupons.models import ShopifyBatch
from tests.coupons.factories import CouponCampaignFactory, CouponFactory
from tests.coupons.shopify_world import connect
from tests.factories import ConnectionFactory

pytestmark = pytest.mark.django_db
SETTINGS = "/settings/shopify"
FORM = {"shop": "Harbor.myshopify.com", "access_token": "shpat_fake0123"}


@pytest.fixture
def coupon(api):
    return CouponFactory(campaign=CouponCampaignFactory(account=api.account, status="active"))


def test_codes_are_put_in_line_and_their_standing_shown(api, coupon):
    connect(api.account)
    path = f"/api/platform/v1/coupon_campaigns/{coupon.campaign_id}/shopify"
    assert api.get(path).json()["status"] == "none"

    answer = api.post(path, json={})

    told = answer.json()
    assert (answer.status_code, told["status"], told["waiting"], told["shop"]) == (202, "publishing", 1, "harbor")
    assert api.get(path).json() == told
    ShopifyBatch.objects.update(status="failed", message="taken")
    told = api.get(path).json()
    assert (told["status"], told["refused"]) == ("failed", [{"code": coupon.code, "message": "taken"}])


def test_without_a_shop_nothing_is_put_in_line(api, coupon):
    answer = api.post(f"/api/platform/v1/coupon_campaigns/{coupon.campaign_id}/shopify", json={})

    assert (answer.status_code, answer.json()["code"], ShopifyBatch.objects.count()) == (422, "no_connection", 0)


def test_the_page_leads_from_the_connection_to_the_codes(api, page, coupon):
    here = f"/coupons/{coupon.campaign_id}/shopify"
    assert "Connect Shopify" in page.get(here).content.decode()
    link = connect(api.account)
    assert "Put the codes into harbor" in page.get(here).content.decode()

    said = [page.post(here, follow=True).content.decode() for _ in range(2)]

    assert "On their way to your shop: 1 codes." in said[0]
    assert "Every code is in your shop already." in said[1]
    assert "On its way" in page.get(f"{here}/live").content.decode()
    ShopifyBatch.objects.update(status="done", refused={coupon.code: "Code is invalid."})
    link.refused_at = "2026-11-20T10:00Z"
    link.save()
    shown = page.get(here).content.decode()
    assert all(text in shown for text in ("Code is invalid.", "Enter a new one", "Not taken"))
    assert page.get(f"/coupons/{CouponCampaignFactory().pk}/shopify").status_code == 404


def test_a_shop_is_connected_replaced_and_let_go(api, page):
    for token in ("shpat_fake0123", "shpat_fake4567"):
        assert page.post(SETTINGS, FORM | {"access_token": token}).status_code == 303

    link = Connection.objects.get()
    assert (link.external_id, link.secret) == ("harbor", {"access_token": "shpat_fake4567"})
    shown = page.get(SETTINGS).content.decode()
    assert "harbor is connected" in shown
    assert "shpat_fake" not in shown
    Connection.objects.update(refused_at="2026-11-20T10:00Z")
    assert "refused this token" in page.get(SETTINGS).content.decode()
    page.post(SETTINGS, {"act": "disconnect"})
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "said", "status"),
    [
        ({"shop": "a b"}, "not the name of a shop", 400),
        ({"access_token": "secret"}, "A token starts with shpat_.", 400),
        ({"shop": "taken"}, "Another account is connected", 409),
    ],
)
def test_what_is_wrong_with_a_connection_is_said_beside_its_field(page, wrong, said, status):
    ConnectionFactory(provider="shopify", external_id="taken", sender="")

    answer = page.post(SETTINGS, FORM | wrong)

    assert (answer.status_code, Connection.objects.count()) == (status, 1)
    assert said in answer.content.decode()
