"""The addresses of coupons, as the spec lists them."""

from __future__ import annotations

from campaigns_project.api import route, routes
from coupons.api import campaigns

urlpatterns = [
    *routes(
        "api/platform/v1/coupon_campaigns",
        route("", campaigns.CouponCampaigns),
        route("<str:campaign_id>", campaigns.OneCouponCampaign),
        route("<str:campaign_id>/limits", campaigns.CouponLimits),
        route("<str:campaign_id>/transition", campaigns.MoveCouponCampaign),
    ),
]
