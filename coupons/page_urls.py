"""The merchants' addresses of coupons."""

from __future__ import annotations

from django.urls import path

from coupons.pages import campaign, campaigns, steps

ONE = "coupons/<uuid:campaign_id>"

urlpatterns = [
    path("coupons", campaigns.Campaigns.as_view(), name="page-coupons"),
    path("coupons/new", campaigns.NewCampaign.as_view(), name="page-new-coupons"),
    path(ONE, campaign.OneCampaign.as_view(), name="page-coupon-campaign"),
    path(f"{ONE}/confirm/<slug:action>", campaign.Confirm.as_view(), name="page-confirm-coupon-campaign"),
    path(f"{ONE}/decide", campaign.Decide.as_view(), name="page-decide-coupon-campaign"),
    path(f"{ONE}/edit/review", steps.Review.as_view(), name="page-review-coupon-campaign"),
    path(f"{ONE}/edit/<slug:step>", steps.EditStep.as_view(), name="page-edit-coupon-campaign"),
]
