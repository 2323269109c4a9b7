"""A marketing campaign whose people get coupon codes of their own."""

import pytest

from campaigns_project.refusals import Invalid
from coupons.models import Coupon
from crm.marketing import campaigning, drafting, launching, planning
from crm.marketing.links import _values
from crm.models import Customer, Delivery
from tests.coupons.factories import CouponCampaignFactory, CouponFactory
from tests.crm import marketing_world

pytestmark = pytest.mark.django_db
WORDS = {"subject": "Yours", "body": "Hi {{first_name}}, take {{coupon_code}}."}


class Shop:
    """Three people who agreed to e-mail, a campaign whose words name a code, and so many codes."""

    def __init__(self, account, codes, words=WORDS, **pool):
        self.account = marketing_world.connected(account)
        self.pool = CouponCampaignFactory(account=account, **({"status": "active", "prefix": "M-"} | pool))
        self.codes = {CouponFactory(campaign=self.pool).code for _ in range(codes)}
        self.campaign = marketing_world.draft(account, channels=["email"], content=words, code_pool=str(self.pool.pk))

    def launch(self):
        launching.launch(self.campaign, by=None)
        return self

    def given(self):
        rows = Delivery.objects.of(self.campaign).exclude(skip_reason="no_consent").order_by("pk")
        return list(rows.values_list("code", "skip_reason"))

    def held(self):
        return set(Coupon.objects.filter(holder__isnull=False).values_list("holder", "code"))


def test_each_person_is_given_a_code_of_their_own_at_the_launch(api):
    shop = Shop(api.account, codes=5).launch()

    given = shop.given()
    assert len({code for code, _ in given}) == 3
    assert {reason for _, reason in given} == {""}
    assert shop.held() == set(Delivery.objects.exclude(code=None).values_list("customer__public_id", "code"))
    row = Delivery.objects.exclude(code=None).first()
    assert _values(row)["coupon_code"] == row.code


def test_who_gets_no_code_is_counted_before_and_left_out(api):
    shop = Shop(api.account, codes=2)

    found = planning.preflight(shop.campaign)
    shop.launch()

    assert (found["audience"], found["channels"], found["skips"]["no_code"]) == (2, {"email": 2}, 1)
    assert sorted(reason for _, reason in shop.given()) == ["", "", "no_code"]
    assert shop.campaign.preflight["skips"] == found["skips"]


def test_words_that_say_something_instead_leave_nobody_out(api):
    words = WORDS | {"body": "Take {{coupon_code|WELCOME}}."}
    shop = Shop(api.account, codes=1, words=words)

    assert planning.preflight(shop.campaign)["audience"] == 3
    assert sorted(bool(code) for code, _ in shop.launch().given()) == [False, False, True]


def test_codes_of_people_who_were_left_out_after_all_are_free_again(api):
    shop = Shop(api.account, codes=3).launch()

    launching.complete(shop.campaign, by=None)

    assert shop.held() == set()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda shop: shop.pool.deactivate(), "is inactive"),
        (lambda shop: setattr(shop.campaign, "code_pool", ""), "name a coupon code"),
        (lambda shop: (shop.pool.coupons.all().delete(), shop.pool.delete()), "was deleted"),
    ],
)
def test_what_would_give_nobody_a_code_stands_in_the_way(api, change, says):
    shop = Shop(api.account, codes=1)
    change(shop)

    assert says in launching.obstacles(shop.campaign)["coupon_campaign_id"][0]


def test_a_preview_shows_a_sample(api):
    shop = Shop(api.account, codes=1)

    assert "take M-K7M2QX4WPD." in drafting.shown(shop.campaign, "email", Customer(first_name="Ann")).text


def test_words_without_a_code_need_no_pool(api):
    shop = Shop(api.account, codes=1, words={"subject": "Hi", "body": "Nothing to take."}, status="draft").launch()

    assert {code for code, _ in shop.given()} == {None}


def test_the_pool_is_chosen_beside_the_offer(api, page):
    shop = Shop(api.account, codes=1, name="Autumn letters")
    shop.campaign.code_pool = ""
    shop.campaign.save()
    step = f"/campaigns/{shop.campaign.public_id}/edit/offer"

    shown = page.get(step).content.decode()
    answer = page.post(step, {"code_pool": str(shop.pool.pk), "attribution_days": "7"})

    shop.campaign.refresh_from_db()
    assert "Autumn letters" in shown
    assert (answer.status_code, shop.campaign.code_pool) == (303, str(shop.pool.pk))
    assert page.post(step, {"code_pool": "x", "attribution_days": "7"}).status_code == 400


def test_the_pool_is_said_through_the_api(api):
    shop = Shop(api.account, codes=1)
    path = f"/api/v1/marketing/campaigns/{shop.campaign.public_id}"

    off = api.patch(path, json={"coupon_campaign_id": None}).json()
    on = api.patch(path, json={"coupon_campaign_id": str(shop.pool.pk)}).json()
    refused = api.patch(path, json={"coupon_campaign_id": str(CouponCampaignFactory().pk)})

    assert (off["coupon_campaign_id"], on["coupon_campaign_id"]) == (None, str(shop.pool.pk))
    assert (refused.status_code, list(refused.json()["details"])) == (400, ["coupon_campaign_id"])
    with pytest.raises(Invalid):
        campaigning.change(shop.campaign, may_make_promos=True, code_pool="x")
