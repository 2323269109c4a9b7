"""What operators see of coupons. Django imports this module; each of these registers its pages."""

from coupons.admin import campaigns, coupons, search, shopify, uses

__all__ = ["campaigns", "coupons", "search", "shopify", "uses"]
