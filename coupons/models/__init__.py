"""Coupon campaigns, their codes, and the ledger of uses."""

from coupons.models.campaign import CouponCampaign, CouponCampaignStatus, CouponKind, DiscountType
from coupons.models.coupon import Coupon, CouponShare, CouponStatus, CouponUse
from coupons.models.finding import SearchChange
from coupons.models.shopify import ShopifyAttempt, ShopifyBatch, ShopifyDiscount

__all__ = [
    "Coupon",
    "CouponCampaign",
    "CouponCampaignStatus",
    "CouponKind",
    "CouponShare",
    "CouponStatus",
    "CouponUse",
    "DiscountType",
    "SearchChange",
    "ShopifyAttempt",
    "ShopifyBatch",
    "ShopifyDiscount",
]
