"""A campaign's codes in the account's shop at Shopify."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework import serializers
from rest_framework.response import Response

from accounts.roles import Permission
from coupons import shopify_codes
from coupons.api.campaigns import CouponCampaignDoor

if TYPE_CHECKING:
    from rest_framework.request import Request


class RefusedCodeShape(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()


class ShopifyShape(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["none", "publishing", "published", "failed"])
    shop = serializers.CharField(allow_null=True)
    discount_id = serializers.CharField(allow_null=True, help_text="Shopify's id of the discount.")
    published = serializers.IntegerField(help_text="Codes that are in the shop.")
    waiting = serializers.IntegerField(help_text="Codes on their way there.")
    failed = serializers.IntegerField(help_text="Codes that the shop does not take.")
    refused = RefusedCodeShape(many=True, help_text="Some of these, with its reasons.")

    example: ClassVar[dict[str, Any]] = {
        "status": "published",
        "shop": "harbor-coffee",
        "discount_id": "gid://shopify/DiscountCodeNode/7",
        "published": 4999,
        "waiting": 0,
        "failed": 1,
        "refused": [{"code": "AUTUMN7", "message": "Code must be unique. Please try a different code."}],
    }


class ShopifyCodes(CouponCampaignDoor):
    needs: ClassVar = {"POST": Permission.SEND}
    answers: ClassVar = {"GET": ShopifyShape, "POST": (202, ShopifyShape)}

    def get(self, request: Request, campaign_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show how many codes of a campaign are in the account's shop at Shopify."""
        return Response(shopify_codes.standing(self.campaign(campaign_id)))

    def post(self, request: Request, campaign_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Put an active campaign's codes into the account's shop at Shopify, as one discount.

        They go in the background, 250 a call; asking again goes on with codes that came since. 422 `no_connection`
        without a shop; 409 `not_publishable`, with `details`, for what Shopify cannot keep: a budget, a segment, a
        campaign that is not active, a product without a number.
        """
        campaign = self.campaign(campaign_id)
        shopify_codes.publish(campaign)
        return Response(shopify_codes.standing(campaign), status=HTTPStatus.ACCEPTED)
