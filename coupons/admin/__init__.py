"""What operators see of coupons. Django imports this module; each of these registers its pages."""

from coupons.admin import campaigns, coupons, uses

__all__ = ["campaigns", "coupons", "uses"]
