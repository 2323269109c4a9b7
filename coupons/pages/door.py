"""What every page of coupons shares: the look-up of a campaign, its address, and the words merchants read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils import timezone

from accounts.merchant_page import MerchantPage
from accounts.roles import Permission
from campaigns_project.refusals import Forbidden
from campaigns_project.templatetags.look import money
from coupons import standing, terms
from coupons.models import CouponCampaign, CouponCampaignStatus, DiscountType

if TYPE_CHECKING:
    import uuid

    from django.db.models import QuerySet

    from campaigns_project.refusals import Refusal


class CouponPage(MerchantPage):
    """A page about one coupon campaign."""

    def ours(self) -> QuerySet[CouponCampaign]:
        return CouponCampaign.objects.select_related("account", "segment")

    def campaign(self, campaign_id: uuid.UUID, *, locked: bool = False) -> CouponCampaign:
        rows = self.ours().select_for_update(of=("self",)) if locked else self.ours()
        found: CouponCampaign = self.find(rows, pk=campaign_id)
        return found

    def to_edit(self, campaign_id: uuid.UUID, *, locked: bool = False) -> CouponCampaign:
        """The campaign, for who may change it. Raises Forbidden: after the draft that takes more than an author."""
        campaign = self.campaign(campaign_id, locked=locked)
        if campaign.status != CouponCampaignStatus.DRAFT and not self.may(Permission.SEND):
            raise Forbidden
        return campaign


def address_of(campaign: CouponCampaign, rest: str = "") -> str:
    """`/coupons/c9e0f639-…` and what follows."""
    return f"/coupons/{campaign.pk}{rest}"


def currency_of(campaign: CouponCampaign) -> str:
    return campaign.currency or str(campaign.account.currency)


def gives(campaign: CouponCampaign) -> str:
    """`10% off`, `$5.00 off`, or nothing yet."""
    value = campaign.settings.get("discount_value")
    if value is None:
        return ""
    flat = campaign.settings.get("discount_type") == DiscountType.FLAT
    return f"{money(value, currency_of(campaign))} off" if flat else f"{value}% off"


def described(campaign: CouponCampaign) -> dict[str, Any]:
    """A campaign as lists and its own page show it."""
    limit = standing.most(campaign)
    return {
        "campaign": campaign,
        "href": address_of(campaign),
        "gives": gives(campaign),
        "currency": currency_of(campaign),
        "min_cart": terms.given(campaign)["min_cart_value"],
        "most": limit,
        "left": standing.left(campaign),
        "notes": standing.notes(campaign, timezone.now()),
    }


def said(refusal: Refusal) -> str:
    """A refusal in one line: its message, and the sentences of its details."""
    sentences = [each for found in refusal.details.values() if isinstance(found, list) for each in found]
    return " ".join(map(str, sentences)) if sentences else refusal.message
