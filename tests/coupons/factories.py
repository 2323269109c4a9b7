"""Coupon campaigns and their codes, ready to be used."""

import datetime as dt

import factory
from django.utils import timezone

from coupons.models import Coupon, CouponCampaign, CouponUse
from tests.factories import TOLD, AccountFactory, _Factory

TOLD[CouponCampaign, "extend_expiry_and_activate"] = lambda: {"ends_at": timezone.now() + dt.timedelta(days=60)}


class CouponCampaignFactory(_Factory):
    """A draft of single-use coupons: 10 % off, from yesterday on for a month."""

    class Meta:
        model = CouponCampaign

    account = factory.SubFactory(AccountFactory)
    name = factory.Sequence(lambda n: f"Sale {n}")
    kind = "single-use"
    settings = factory.LazyFunction(lambda: {"discount_type": "percentage", "discount_value": 10})
    starts_at = factory.LazyFunction(lambda: timezone.now() - dt.timedelta(days=1))
    ends_at = factory.LazyFunction(lambda: timezone.now() + dt.timedelta(days=30))


class CouponFactory(_Factory):
    """A code of a campaign, with what the campaign gives; the campaign's counters are not moved."""

    class Meta:
        model = Coupon

    campaign = factory.SubFactory(CouponCampaignFactory)
    account = factory.SelfAttribute("campaign.account")
    code = factory.Sequence(lambda n: f"SAVE{n}")
    starts_at = factory.SelfAttribute("campaign.starts_at")
    ends_at = factory.SelfAttribute("campaign.ends_at")
    max_count = factory.LazyAttribute(lambda coupon: 1 if coupon.campaign.kind == "single-use" else None)
    discount_type = factory.LazyAttribute(lambda coupon: coupon.campaign.settings.get("discount_type"))
    discount_value = factory.LazyAttribute(lambda coupon: coupon.campaign.settings.get("discount_value"))


class CouponUseFactory(_Factory):
    """A line of the ledger; no counter is moved."""

    class Meta:
        model = CouponUse

    coupon = factory.SubFactory(CouponFactory)
    campaign = factory.SelfAttribute("coupon.campaign")
    account = factory.SelfAttribute("coupon.account")
    order_id = factory.Sequence(lambda n: f"order-{n}")
    person = "somebody"
    cart_value = 10_000
    discount = 1_000
    currency = "USD"
    redeemed_at = factory.LazyFunction(timezone.now)
