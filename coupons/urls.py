"""The addresses of coupons, as the spec lists them."""

from __future__ import annotations

from campaigns_project.api import route, routes
from coupons.api import campaigns, coupons, exports, search, shopify, uses

urlpatterns = [
    *routes(
        "api/platform/v1/coupon_campaigns",
        route("", campaigns.CouponCampaigns),
        route("exports/<str:token>", exports.Exported),
        route("search", search.SearchCampaigns),
        route("<str:campaign_id>", campaigns.OneCouponCampaign),
        route("<str:campaign_id>/export_coupons", exports.ExportCoupons),
        route("<str:campaign_id>/exports", exports.WriteExport),
        route("<str:campaign_id>/exports/<str:job_id>", exports.OneExport),
        route("<str:campaign_id>/limits", campaigns.CouponLimits),
        route("<str:campaign_id>/redemptions", uses.Redemptions),
        route("<str:campaign_id>/search", search.SearchCampaign),
        route("<str:campaign_id>/shopify", shopify.ShopifyCodes),
        route("<str:campaign_id>/transition", campaigns.MoveCouponCampaign),
        route("<str:campaign_id>/coupons", coupons.Coupons),
        route("<str:campaign_id>/coupons/import", coupons.CouponImport),
        route("<str:campaign_id>/coupons/<str:coupon_id>", coupons.OneCoupon),
        route("<str:campaign_id>/coupons/<str:coupon_id>/transition", coupons.MoveCoupon),
        route("<str:campaign_id>/coupons/<str:coupon_id>/picture", coupons.CouponPicture),
    ),
    *routes(
        "api/platform/v1/coupons",
        route("reservations/<str:reservation_id>/commit", uses.CommitCoupon),
        route("reservations/<str:reservation_id>/release", uses.ReleaseCoupon),
        route("redemptions/<str:redemption_id>/rollback", uses.RollbackCoupon),
        # Whatever a code is made of, a slash too.
        route("<path:code>/validate", uses.ValidateCoupon),
        route("<path:code>/redeem", uses.RedeemCoupon),
        route("<path:code>/reserve", uses.ReserveCoupon),
    ),
]
