"""What a coupon campaign gives, in Shopify's words (`DiscountCodeBasicInput`)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from campaigns_project import currencies
from campaigns_project.refusals import Conflict
from coupons.models import CouponCampaignStatus, CouponKind, DiscountType

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from coupons.models import CouponCampaign

LONGEST_TITLE = 255
_GID = "gid://shopify/{kind}/"


class NotPublishable(Conflict):
    code = "not_publishable"
    message = "This campaign cannot be put into the shop as it is."


def of(campaign: CouponCampaign, *, code: str) -> dict[str, Any]:
    """The discount with its first code. Raises NotPublishable (`details` by field)."""
    faults = _faults(campaign)
    if faults:
        raise NotPublishable(details={field: [sentence] for field, sentence in faults.items()})
    given = campaign.settings
    terms: dict[str, Any] = {
        "code": code,
        "title": title_of(campaign),
        "startsAt": _moment(campaign.starts_at),
        "endsAt": _moment(campaign.ends_at),
        "context": {"all": "ALL"},
        "customerGets": {"value": _value(campaign), "items": _items(given)},
        "appliesOncePerCustomer": campaign.per_customer_limit == 1,
    }
    if campaign.kind == CouponKind.SINGLE_USE:
        # Of each code, at Shopify.
        terms["usageLimit"] = 1
    elif campaign.max_count is not None:
        terms["usageLimit"] = campaign.max_count
    if smallest := given.get("single_use_min_cart_value"):
        subtotal = {"greaterThanOrEqualToSubtotal": _amount(int(smallest), campaign)}
        terms["minimumRequirement"] = {"subtotal": subtotal}
    return terms


def title_of(campaign: CouponCampaign) -> str:
    """How the discount is called in the shop; by its end we know that it is ours."""
    mark = f" ({campaign.pk})"
    return campaign.name[: LONGEST_TITLE - len(mark)] + mark


def _faults(campaign: CouponCampaign) -> dict[str, str]:
    given = campaign.settings
    found = {
        "status": (campaign.status != CouponCampaignStatus.ACTIVE, "Activate it first."),
        "budget": (campaign.budget is not None, "A shop keeps no budget: take it away, or redeem the codes here."),
        "customer_segment_id": (campaign.segment_id is not None, "A shop does not know your segments."),
        "single_use_product_id": (_gid(given, "product") == "", "Shopify's products have numbers as their ids."),
        "single_use_variant_id": (_gid(given, "variant") == "", "Shopify's variants have numbers as their ids."),
    }
    return {field: sentence for field, (wrong, sentence) in found.items() if wrong}


def _value(campaign: CouponCampaign) -> dict[str, Any]:
    value = campaign.settings["discount_value"]
    if campaign.settings["discount_type"] == DiscountType.PERCENTAGE:
        return {"percentage": value / 100}
    return {"discountAmount": {"amount": _amount(value, campaign), "appliesOnEachItem": False}}


def _items(given: Mapping[str, Any]) -> dict[str, Any]:
    if product := _gid(given, "product"):
        return {"products": {"productsToAdd": [product]}}
    if variant := _gid(given, "variant"):
        return {"products": {"productVariantsToAdd": [variant]}}
    return {"all": True}


def _gid(given: Mapping[str, Any], what: str) -> str | None:
    """Shopify's id of what the codes are bound to; "" when the shop cannot know it, None when they are not bound."""
    named = given.get(f"single_use_{what}_id")
    if named is None:
        return None
    start = _GID.format(kind="Product" if what == "product" else "ProductVariant")
    number = str(named).removeprefix(start)
    return f"{start}{number}" if re.fullmatch("[0-9]{1,20}", number) else ""


def _amount(minor: int, campaign: CouponCampaign) -> str:
    """Decimal major units, as Shopify writes amounts."""
    places = currencies.places(campaign.currency or campaign.account.currency)
    return f"{Decimal(minor).scaleb(-places):f}"


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")
