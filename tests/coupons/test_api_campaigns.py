"""Coupon campaigns as integrators make, read, change, limit and delete them."""

import uuid

import pytest

from accounts.roles import Role
from coupons.models import Coupon, CouponCampaign
from tests.coupons.factories import CouponCampaignFactory, CouponFactory, CouponUseFactory
from tests.factories import SegmentFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
BASE = "/api/platform/v1/coupon_campaigns"
# The seed's example, as far as a caller says it.
SEED = {
    "ends_at": "2023-04-29T07:48:00.000Z",
    "kind": "group",
    "name": "Campaign",
    "prefix": "camp-",
    "settings": {"display_code_on_listing": True, "low_coupons_threshold": 10},
    "extradata": None,
    "starts_at": "2023-04-17T07:48:00.000Z",
}
KEYS = [
    *("created_at", "ends_at", "id", "kind", "name", "prefix", "settings", "extradata", "starts_at", "status"),
    *("updated_at", "account_id"),
]
EVERY_SETTING = {
    "discount_type": "flat",
    "discount_value": 500,
    "display_code_on_listing": False,
    "low_coupons_threshold": 0,
    "single_use_min_cart_value": "0900",
    "single_use_quantity": 3,
}
SINGLE = {"name": "C", "kind": "single-use"}
NO_LIMITS = dict.fromkeys(("max_count", "per_customer_limit", "budget", "currency", "customer_segment_id"))


def refusal(answer):
    return answer.status_code, answer.json()["code"], sorted(answer.json()["details"])


def address(campaign, rest=""):
    return f"{BASE}/{campaign.pk}{rest}"


def test_the_seeds_campaign_is_made_and_reads_back_to_the_letter(api):
    answer = api.post(BASE, json=SEED)

    made = answer.json()
    assert answer.status_code == 201, made
    assert list(made) == KEYS
    assert {key: made[key] for key in SEED} == SEED
    assert (made["status"], made["account_id"]) == ("draft", str(api.account.uuid))
    assert all(len(made[key]) == 24 and made[key].endswith("Z") for key in ("created_at", "updated_at"))
    assert api.get(f"{BASE}/{uuid.UUID(made['id'])}").json() == made


def test_a_name_and_a_kind_are_enough(api):
    made = api.post(BASE, json={"name": "Bare", "kind": "lightning"}).json()

    empty = {"prefix": "", "settings": {}, "extradata": None, "starts_at": None, "ends_at": None}
    assert {key: made[key] for key in empty} == empty


def test_every_setting_reads_back_as_it_was_given(api):
    made = api.post(BASE, json=SINGLE | {"settings": EVERY_SETTING, "extradata": {"a": [1, {}]}}).json()

    assert made["settings"] == EVERY_SETTING
    assert made["extradata"] == {"a": [1, {}]}


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"name": " "}, "name"),
        ({"kind": "flash"}, "kind"),
        ({"prefix": "a/b"}, "prefix"),
        ({"prefix": "x" * 21}, "prefix"),
        ({"status": "active"}, "status"),
        ({"extradata": []}, "extradata"),
        ({"starts_at": "2026-01-02T00:00:00Z", "ends_at": "2026-01-02T00:00:00Z"}, "ends_at"),
        ({"kind": "lightning", "starts_at": "2026-01-02T00:00:00Z", "ends_at": "2026-01-03T00:00:01Z"}, "ends_at"),
        ({"settings": {"color": "red"}}, "settings.color"),
        ({"settings": {"discount_value": 5}}, "settings.discount_type"),
        ({"settings": {"discount_type": "percentage", "discount_value": 101}}, "settings.discount_value"),
        ({"settings": {"discount_type": "flat", "discount_value": 0}}, "settings.discount_value"),
        ({"settings": {"discount_type": 1}}, "settings.discount_type"),
        ({"settings": {"display_code_on_listing": 1}}, "settings.display_code_on_listing"),
        ({"settings": {"low_coupons_threshold": -1}}, "settings.low_coupons_threshold"),
        ({"settings": {"single_use_min_cart_value": "9.5"}}, "settings.single_use_min_cart_value"),
        ({"settings": {"single_use_min_cart_value": 900}}, "settings.single_use_min_cart_value"),
        ({"settings": {"single_use_quantity": 0}}, "settings.single_use_quantity"),
        ({"kind": "group", "settings": {"single_use_quantity": 5}}, "settings.single_use_quantity"),
        (
            {"settings": {"single_use_min_cart_value": "9", "single_use_variant_id": "v"}},
            "settings.single_use_variant_id",
        ),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(api, said, wrong):
    answer = api.post(BASE, json=SINGLE | said)

    assert refusal(answer) == (400, "VALIDATION_ERROR", [wrong])
    assert not CouponCampaign.objects.exists()


def test_a_prefix_is_one_campaigns_in_any_case_and_each_accounts_own(api, neighbour):
    api.post(BASE, json=SEED)
    other = CouponCampaignFactory(account=api.account)

    assert refusal(api.post(BASE, json=SEED | {"prefix": "CAMP-"}))[:2] == (409, "prefix_taken")
    assert refusal(api.patch(address(other), json={"prefix": "camp-"}))[:2] == (409, "prefix_taken")
    assert neighbour.post(BASE, json=SEED).status_code == 201


def test_settings_change_key_by_key_and_null_takes_one_away(api):
    campaign = CouponCampaignFactory(account=api.account)

    kept = api.patch(address(campaign), json={"settings": {"low_coupons_threshold": 5, "discount_value": 20}}).json()
    gone = api.patch(address(campaign), json={"settings": {"low_coupons_threshold": None}}).json()

    assert kept["settings"] == {"discount_type": "percentage", "discount_value": 20, "low_coupons_threshold": 5}
    assert gone["settings"] == {"discount_type": "percentage", "discount_value": 20}
    assert api.patch(address(campaign), json={"settings": None}).json()["settings"] == {}


def test_the_window_and_the_discount_are_copied_to_the_coupons_of_that_campaign(api):
    campaign, other = CouponFactory(campaign__account=api.account).campaign, CouponFactory().campaign
    said = {"starts_at": "2026-01-02T00:00:00.500Z", "ends_at": "2027-01-03T00:00:00.000Z"}
    settings = {"discount_type": "flat", "discount_value": 250, "single_use_min_cart_value": "0900"}

    answer = api.patch(address(campaign), json=said | {"settings": settings})

    coupon = Coupon.objects.get(campaign=campaign)
    assert {key: answer.json()[key] for key in said} == said
    assert coupon.starts_at.isoformat() == "2026-01-02T00:00:00.500000+00:00"
    assert (coupon.ends_at.year, coupon.discount_type, coupon.discount_value, coupon.min_cart_value) == (
        *(2027, "flat", 250),
        900,
    )
    assert Coupon.objects.get(campaign=other).discount_value == 10


def test_a_prefix_stays_once_there_are_codes(api):
    campaign = CouponCampaignFactory(account=api.account, prefix="a", coupon_count=1)

    assert refusal(api.patch(address(campaign), json={"prefix": "b"})) == (400, "VALIDATION_ERROR", ["prefix"])
    assert api.patch(address(campaign), json={"prefix": "a"}).status_code == 200


@pytest.mark.parametrize("said", [{"ends_at": None}, {"settings": {"discount_value": None}}, {"settings": None}])
def test_an_active_campaign_keeps_what_it_needs(api, said):
    campaign = CouponCampaignFactory(account=api.account, status="active")

    assert api.patch(address(campaign), json=said).status_code == 400
    assert api.patch(address(campaign), json={"name": "Other"}).status_code == 200


def test_an_archived_campaign_is_history(api):
    campaign = CouponCampaignFactory(account=api.account, status="archived")

    assert refusal(api.patch(address(campaign), json={"name": "Other"}))[:2] == (409, "campaign_archived")
    assert refusal(api.put(address(campaign, "/limits"), json={}))[:2] == (409, "campaign_archived")


def test_nobody_overwrites_what_they_have_not_seen(api):
    campaign = CouponCampaignFactory(account=api.account)
    seen = {"headers": {"If-Match": api.get(address(campaign)).headers["ETag"]}}
    CouponCampaign.objects.filter(pk=campaign.pk).update(used=3)

    assert api.patch(address(campaign), json={"name": "First"}, **seen).status_code == 200
    assert api.patch(address(campaign), json={"name": "Second"}, **seen).status_code == 412
    assert api.delete(address(campaign), **seen).status_code == 412


def test_deleting_takes_the_coupons_too(api):
    campaign = CouponUseFactory(coupon__campaign__account=api.account, redeemed_at=None).campaign

    assert api.delete(address(campaign)).status_code == 204
    assert not CouponCampaign.objects.filter(pk=campaign.pk).exists()
    assert not Coupon.objects.filter(campaign=campaign.pk).exists()


def test_a_campaign_whose_coupons_were_redeemed_is_not_deleted(api):
    campaign = CouponUseFactory(coupon__campaign__account=api.account).campaign

    assert refusal(api.delete(address(campaign)))[:2] == (409, "campaign_has_redemptions")
    assert Coupon.objects.filter(campaign=campaign).exists()


def test_an_author_writes_drafts_only(api):
    author = caller(Role.MARKETING, account=api.account)
    draft, running = (CouponCampaignFactory(account=api.account, status=status) for status in ("draft", "active"))

    assert author.patch(address(draft), json={"name": "Other"}).status_code == 200
    assert refusal(author.patch(address(running), json={"name": "Other"}))[:2] == (403, "FORBIDDEN")
    assert author.put(address(running, "/limits"), json={}).status_code == 403
    assert author.delete(address(running)).status_code == 403


def test_limits_are_set_whole_and_read_back(api):
    campaign, segment = CouponCampaignFactory(account=api.account), SegmentFactory(account=api.account)
    some = {"max_count": 5, "per_customer_limit": 1, "budget": 900, "currency": "EUR"}
    some["customer_segment_id"] = segment.public_id

    assert api.get(address(campaign, "/limits")).json() == NO_LIMITS
    assert api.put(address(campaign, "/limits"), json=some).json() == some
    assert api.put(address(campaign, "/limits"), json={"max_count": 6}).json() == NO_LIMITS | {"max_count": 6}


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"max_count": 0}, "max_count"),
        ({"max_count": 2}, "max_count"),
        ({"budget": 99}, "budget"),
        ({"currency": "EUR"}, "currency"),
        ({"currency": "eur"}, "currency"),
        ({"customer_segment_id": "seg_none"}, "customer_segment_id"),
        ({"uses": 1}, "uses"),
    ],
)
def test_a_wrong_limit_is_refused_by_its_name(api, said, wrong):
    campaign = CouponCampaignFactory(account=api.account, used=3, spent=100, currency="USD")

    answer = api.put(address(campaign, "/limits"), json={"currency": "USD"} | said)

    assert refusal(answer) == (400, "VALIDATION_ERROR", [wrong])


def test_an_active_lightning_sale_stays_limited(api):
    campaign = CouponCampaignFactory(account=api.account, kind="lightning", max_count=5, ends_at=None)
    CouponCampaign.objects.filter(pk=campaign.pk).update(starts_at="2026-01-01T00:00Z", ends_at="2026-01-01T12:00Z")
    campaign.activate()

    assert refusal(api.put(address(campaign, "/limits"), json={}))[2] == ["max_count"]


def test_the_list_is_narrowed_by_status_kind_and_name(api):
    CouponCampaignFactory(account=api.account, name="Summer sale", kind="group")
    CouponCampaignFactory(account=api.account, name="Winter", status="active")

    found = {
        query: [row["name"] for row in api.get(f"{BASE}?{query}").json()["data"]]
        for query in ("", "status=active", "kind=group", "search=SALE", "search=%25")
    }

    assert found == {
        "": ["Winter", "Summer sale"],
        "status=active": ["Winter"],
        "kind=group": ["Summer sale"],
        "search=SALE": ["Summer sale"],
        "search=%25": [],
    }


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_what_is_no_campaign_of_ours_is_not_found(api, method):
    theirs = str(CouponCampaignFactory().pk)

    for each in (theirs, str(uuid.uuid4()), "7", "x", theirs.replace("-", ""), f"{{{theirs}}}"):
        assert refusal(api.send(method, f"{BASE}/{each}", json={} if method == "PATCH" else None)) == (
            *(404, "campaign_not_found"),
            [],
        )
