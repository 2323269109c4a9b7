"""`/coupons/<uuid>/shopify`: a campaign's codes in the account's shop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts.merchant_page import MerchantPage
from accounts.roles import Permission
from campaigns_project.pages import flash, fragment
from coupons import shopify_codes
from coupons.models import CouponCampaign

if TYPE_CHECKING:
    import uuid

    from django.http import HttpRequest, HttpResponse


class ShopifyPage(MerchantPage):
    """How many codes are there, on their way, and refused; and the button that sends them."""

    needs = {"GET": Permission.VIEW, "POST": Permission.SEND}

    def get(self, request: HttpRequest, campaign_id: uuid.UUID) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self.show("coupons/shopify.html", **shelf(self.campaign(campaign_id)))

    def post(self, request: HttpRequest, campaign_id: uuid.UUID) -> HttpResponse:
        added = shopify_codes.publish(self.campaign(campaign_id))
        said = f"On their way to your shop: {added:,} codes." if added else "Every code is in your shop already."
        return flash(request, said, request.path)

    def campaign(self, campaign_id: uuid.UUID) -> CouponCampaign:
        found: CouponCampaign = self.find(CouponCampaign.objects.select_related("account"), pk=campaign_id)
        return found


class ShopifyLive(ShopifyPage):
    """The moving part of it."""

    needs = {"GET": Permission.VIEW}

    def get(self, request: HttpRequest, campaign_id: uuid.UUID) -> HttpResponse:
        return fragment(request, "coupons/parts/shopify.html", shelf(self.campaign(campaign_id)))


def part(page: MerchantPage, campaign: CouponCampaign) -> dict[str, Any]:  # noqa: ARG001 (as every part is asked)
    """The short form on the campaign's own page."""
    return {"template": "coupons/parts/shopify_card.html", **shelf(campaign)}


def shelf(campaign: CouponCampaign) -> dict[str, Any]:
    """What the part for Shopify shows."""
    link = shopify_codes.connection_of(campaign.account)
    here = f"/coupons/{campaign.pk}"
    return {"campaign": campaign, "here": here, "shopify": shopify_codes.standing(campaign), "shop": link}
