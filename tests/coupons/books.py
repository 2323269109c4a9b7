"""A campaign whose coupons may be used, and its books."""

from coupons import balancing, redeeming
from coupons.models import CouponCampaign
from coupons.redeeming import Cart
from tests.coupons.factories import CouponCampaignFactory, CouponFactory


def coupon_of(kind="group", coupon=None, **campaign):
    """A code of a campaign that is open: 10 % off."""
    campaign = CouponCampaignFactory(kind=kind, **{"status": "active"} | campaign)
    return CouponFactory(campaign=campaign, **(coupon or {}))


def redeem(coupon, order="o-1", person="anna", value=100_00, **cart):
    return redeeming.redeem(coupon.account, coupon.code, Cart(person, value, order, **cart))


def reserve(coupon, order="o-1", person="anna", seconds=60):
    return redeeming.reserve(coupon.account, coupon.code, Cart(person, 100_00, order), seconds=seconds)


def balanced(coupon):
    """How often the campaign is used, when all counters and the ledger say the same."""
    assert balancing.differences() == []
    return CouponCampaign.objects.get(pk=coupon.campaign_id).used
