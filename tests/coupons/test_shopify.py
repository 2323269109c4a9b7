"""A campaign's codes at Shopify: all of them, each once, whatever becomes of a call."""

import uuid

import pytest
from django.conf import settings

from coupons import shopify_codes, shopify_sending, shopify_terms
from coupons.models import Coupon, ShopifyBatch
from dispatch import lane
from lifecycle.models import Lease
from tests.coupons.factories import CouponCampaignFactory
from tests.coupons.shopify_world import Shelf
from tests.dispatch.conftest import send_until
from tests.providers.test_shopify import SHOP, TERMS, run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(sandbox, settings):
    """The sandbox as a shop, and a lane that sends to it with short patience."""
    settings.SHOPIFY_URL = f"{sandbox.url}/shopify/{{shop}}"
    settings.SHOPIFY_TIMEOUT_SECONDS, settings.SHOPIFY_QUIET_SECONDS = 1, 2.0
    sandbox.settings(provider="shopify", approve_after_ms=0)
    lane.register("shopify", shopify_sending.shopify_lane)
    yield sandbox
    lane.register("shopify", shopify_sending.shopify_lane)


def send(shelf, published):
    send_until(lambda: shelf.standing()["published"] == published, provider="shopify", seconds=40)


def there(shop):
    return sorted(each["to"] for each in shop.log("shopify"))


def codes(shelf):
    return sorted(Coupon.objects.filter(campaign=shelf.campaign).values_list("code", flat=True))


def test_all_codes_are_in_the_shop_once(shop):
    shelf = Shelf(502)

    assert shelf.publish() == 502
    send(shelf, 502)

    assert there(shop) == codes(shelf)
    assert shelf.batches() == [(True, 1, "done"), (False, 250, "done"), (False, 250, "done"), (False, 1, "done")]
    assert (shelf.standing()["status"], shelf.attempts()) == ("published", ["accepted"] * 4)
    assert shop.summary("shopify")["discounts"] == 1


def test_asking_again_sends_only_what_came_since(shop):
    shelf = Shelf(3)
    shelf.publish()
    assert shelf.publish() == 0
    send(shelf, 3)
    shelf.add(2)

    assert shelf.publish() == 2
    send(shelf, 5)

    assert (there(shop), shop.summary("shopify")["repeated"]) == (codes(shelf), 0)


@pytest.mark.parametrize("fault", ["lose_response", "status_500_accepted", "garbage"])
def test_a_lost_answer_is_found_out_by_the_codes_and_none_is_sent_again(shop, fault):
    shelf = Shelf(300)
    shop.settings(provider="shopify", **{fault: 0.5}, seed=3)
    shelf.publish()

    send(shelf, 300)

    assert (there(shop), shop.summary("shopify")["repeated"]) == (codes(shelf), 0)
    assert shelf.attempts() == ["accepted"] * 3


def test_what_never_arrived_is_sent_again_once_the_shop_was_asked_twice(shop):
    shelf = Shelf(1)
    shop.settings(provider="shopify", status_500=1.0)
    shelf.publish()
    send_until(
        lambda: shelf.attempts() == ["unknown"],
        provider="shopify",
    )
    shop.settings(provider="shopify", status_500=0.0)

    send(shelf, 1)

    assert (there(shop), shelf.attempts()) == (codes(shelf), ["accepted", "released"])


def test_a_code_the_shop_does_not_take_is_kept_with_its_reason(shop):
    shelf = Shelf(2)
    last = {"pk": uuid.UUID(int=2**128 - 1), "code": "REFUSE-1"}
    refused = Coupon.objects.create(account=shelf.campaign.account, campaign=shelf.campaign, **last)
    shelf.publish()

    send(shelf, 2)

    standing = shelf.standing()
    assert (standing["failed"], standing["refused"]) == (1, [{"code": refused.code, "message": "Code is invalid."}])


def test_a_first_code_that_is_taken_fails_and_the_next_one_makes_the_discount(shop):
    shelf = Shelf(3)
    taken = Coupon.objects.filter(campaign=shelf.campaign).order_by("id").first().code
    theirs = run(settings.SHOPIFY_URL, lambda client, _: client.create(SHOP, TERMS | {"code": taken}))
    shelf.publish()
    send_until(lambda: shelf.standing()["failed"] == 1, provider="shopify")
    assert shelf.standing()["status"] == "failed"

    assert shelf.publish() == 0
    send(shelf, 2)

    assert there(shop) == codes(shelf)
    assert [each["to"] for each in shop.log("shopify", key=theirs.provider_id)] == [taken]


def test_where_only_one_code_waits_it_makes_the_discount(shop):
    shelf = Shelf(2)
    shelf.publish()
    ShopifyBatch.objects.filter(first=True).update(status="failed")

    shelf.publish()

    assert shelf.batches() == [(True, 1, "failed"), (True, 1, "queued")]


def test_a_token_that_is_refused_holds_everything_until_there_is_a_new_one(shop):
    shelf = Shelf(1)
    shelf.connection.secret = {"access_token": "wrong"}
    shelf.connection.save()
    shelf.publish()
    send_until(lambda: not shelf_is_open(shelf), provider="shopify")

    with pytest.raises(shopify_codes.NoShop):
        shelf.publish()
    shelf.connection.secret, shelf.connection.refused_at = {"access_token": "shpat_new"}, None
    shelf.connection.save()
    send(shelf, 1)

    assert there(shop) == codes(shelf)


def shelf_is_open(shelf):
    shelf.connection.refresh_from_db()
    return shelf.connection.refused_at is None


def test_a_batch_without_a_lease_gets_one_again(shop):
    shelf = Shelf(1)
    shelf.publish()
    Lease.objects.all().delete()

    shopify_sending.tend()
    shopify_sending.tend()

    assert Lease.objects.get().ids == [ShopifyBatch.objects.get().pk]


def test_codes_that_never_came_of_a_lost_creation_are_told_after_a_while(shop, settings):
    shelf = Shelf(2)
    shelf.publish()
    send(shelf, 2)
    batch = ShopifyBatch.objects.get(first=False)
    ShopifyBatch.objects.filter(pk=batch.pk).update(
        status="importing", creation_id="found:x", asked_at=None, codes=[*batch.codes, "NEVER"]
    )

    settings.SHOPIFY_QUIET_SECONDS = 60
    shopify_sending.tend()
    batch.refresh_from_db()
    assert batch.status == "importing"
    settings.SHOPIFY_QUIET_SECONDS = 0
    ShopifyBatch.objects.update(asked_at=None)
    shopify_sending.tend()

    batch.refresh_from_db()
    assert (batch.status, batch.refused) == ("done", {"NEVER": "The shop did not take it."})


def test_a_shop_that_does_not_answer_is_asked_later(shop):
    shelf = Shelf(2)
    shelf.publish()
    send(shelf, 2)
    ShopifyBatch.objects.filter(first=False).update(status="importing", asked_at=None)
    shop.settings(provider="shopify", status_500=1.0)

    shopify_sending.tend()

    batch = ShopifyBatch.objects.get(first=False)
    assert (batch.status, batch.asked_at is not None) == ("importing", True)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"budget": 5}, "budget"),
        (
            {"settings": {"discount_type": "flat", "discount_value": 5, "single_use_product_id": "tea"}},
            "single_use_product_id",
        ),
        (
            {"settings": {"discount_type": "flat", "discount_value": 5, "single_use_variant_id": "1x"}},
            "single_use_variant_id",
        ),
    ],
)
def test_what_a_shop_cannot_keep_is_refused_with_its_reason(fields, named):
    shelf = Shelf(1, **fields)

    with pytest.raises(shopify_terms.NotPublishable) as refusal:
        shelf.publish()

    assert list(refusal.value.details) == [named]
    assert not ShopifyBatch.objects.exists()


def test_a_campaigns_codes_stay_in_one_shop():
    shelf = Shelf(1)
    shelf.publish()
    shelf.connection.external_id = "elsewhere"
    shelf.connection.save()

    with pytest.raises(shopify_terms.NotPublishable) as refusal:
        shelf.publish()

    assert refusal.value.details == {"shop": ["Its codes are in another shop, harbor."]}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, {"usageLimit": 1, "customerGets": {"value": {"percentage": 0.1}, "items": {"all": True}}}),
        ({"kind": "group", "max_count": 7}, {"usageLimit": 7}),
        ({"per_customer_limit": 1}, {"appliesOncePerCustomer": True}),
        (
            {"settings": {"discount_type": "flat", "discount_value": 525, "single_use_min_cart_value": "2000"}},
            {
                "minimumRequirement": {"subtotal": {"greaterThanOrEqualToSubtotal": "20.00"}},
                "customerGets": {
                    "value": {"discountAmount": {"amount": "5.25", "appliesOnEachItem": False}},
                    "items": {"all": True},
                },
            },
        ),
        (
            {"settings": {"discount_type": "percentage", "discount_value": 5, "single_use_product_id": "77"}},
            {"customerGets": {"value": {"percentage": 0.05},
                              "items": {"products": {"productsToAdd": ["gid://shopify/Product/77"]}}}},
        ),
        (
            {"settings": {"discount_type": "percentage", "discount_value": 5,
                          "single_use_variant_id": "gid://shopify/ProductVariant/8"}},
            {"customerGets": {"value": {"percentage": 0.05},
                              "items": {"products": {"productVariantsToAdd": ["gid://shopify/ProductVariant/8"]}}}},
        ),
    ],
)  # fmt: skip
def test_a_campaign_in_shopifys_words(fields, told):
    campaign = CouponCampaignFactory(status="active", **fields)

    terms = shopify_terms.of(campaign, code="A1")

    assert {name: terms[name] for name in told} == told
    assert (terms["code"], terms["title"]) == ("A1", f"{campaign.name} ({campaign.pk})")
    assert terms["endsAt"] == f"{campaign.ends_at:%Y-%m-%dT%H:%M:%SZ}"


def test_a_campaign_that_ended_meanwhile_makes_no_discount():
    campaign = CouponCampaignFactory()

    with pytest.raises(shopify_terms.NotPublishable) as refusal:
        shopify_sending._terms(campaign.pk, "A1")

    assert refusal.value.details == {"status": ["Activate it first."]}
