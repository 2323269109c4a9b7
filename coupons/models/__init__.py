"""Coupon campaigns, their codes, and the ledger of uses."""

from coupons.models.campaign import CouponCampaign, CouponCampaignStatus, CouponKind, DiscountType
from coupons.models.coupon import Coupon, CouponShare, CouponStatus, CouponUse

__all__ = [
    "Coupon",
    "CouponCampaign",
    "CouponCampaignStatus",
    "CouponKind",
    "CouponShare",
    "CouponStatus",
    "CouponUse",
    "DiscountType",
]
