"""The merchants' addresses of coupons."""

from __future__ import annotations

from django.urls import path

from coupons.pages import campaign, campaigns, codes, exports, redemptions, shopify, steps

ONE = "coupons/<uuid:campaign_id>"
CODE = f"{ONE}/codes/<uuid:coupon_id>"

urlpatterns = [
    path("coupons", campaigns.Campaigns.as_view(), name="page-coupons"),
    path("coupons/new", campaigns.NewCampaign.as_view(), name="page-new-coupons"),
    path(ONE, campaign.OneCampaign.as_view(), name="page-coupon-campaign"),
    path(f"{ONE}/confirm/<slug:action>", campaign.Confirm.as_view(), name="page-confirm-coupon-campaign"),
    path(f"{ONE}/decide", campaign.Decide.as_view(), name="page-decide-coupon-campaign"),
    path(f"{ONE}/export", exports.Download.as_view(), name="page-export-coupons"),
    path(f"{ONE}/exports", exports.Files.as_view(), name="page-coupon-files"),
    path(f"{ONE}/exports/<slug:job_id>", exports.OneFile.as_view(), name="page-coupon-file"),
    path(f"{ONE}/edit/review", steps.Review.as_view(), name="page-review-coupon-campaign"),
    path(f"{ONE}/edit/<slug:step>", steps.EditStep.as_view(), name="page-edit-coupon-campaign"),
    path(f"{ONE}/codes", codes.Codes.as_view(), name="page-codes"),
    path(f"{ONE}/codes/live", codes.CodesLive.as_view(), name="page-codes-live"),
    path(f"{ONE}/codes/new", codes.NewCodes.as_view(), name="page-new-codes"),
    path(f"{ONE}/redemptions", redemptions.Redemptions.as_view(), name="page-redemptions"),
    path(f"{ONE}/redemptions/<uuid:use_id>/rollback", redemptions.RollBack.as_view(), name="page-roll-back"),
    path(CODE, codes.OneCode.as_view(), name="page-code"),
    path(f"{CODE}/void", codes.VoidCode.as_view(), name="page-void-code"),
    path(f"{CODE}/<slug:kind>", codes.CodePicture.as_view(), name="page-code-picture"),
    path(f"{ONE}/shopify", shopify.ShopifyPage.as_view(), name="page-coupon-shopify"),
    path(f"{ONE}/shopify/live", shopify.ShopifyLive.as_view(), name="page-coupon-shopify-live"),
]
