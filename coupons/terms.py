"""What a coupon campaign may promise: its kind, its eight settings and its window, as plain rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from campaigns_project.refusals import Conflict
from coupons.models import CouponCampaignStatus, CouponKind, DiscountType
from coupons.models.campaign import LIGHTNING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coupons.models import CouponCampaign

# The seed's keys, in its order; there are no others.
SETTINGS = (
    "discount_type",
    "discount_value",
    "display_code_on_listing",
    "low_coupons_threshold",
    "single_use_min_cart_value",
    "single_use_product_id",
    "single_use_quantity",
    "single_use_variant_id",
)
# What single-use coupons may be bound to: one of these.
BINDING = ("single_use_min_cart_value", "single_use_product_id", "single_use_variant_id")
PREFIX = re.compile(r"[A-Za-z0-9_-]{0,20}")
ALL_OF_IT = 100
BIGGEST_COUNT = 2**31 - 1


# That one campaign can ask to be made.
MOST_CODES = 10_000_000


class CampaignArchived(Conflict):
    code = "campaign_archived"
    message = "An archived campaign is history: it is not changed."


def still_open(campaign: CouponCampaign) -> None:
    """Raise CampaignArchived for a campaign that is history."""
    if campaign.status not in CouponCampaignStatus.OPEN:
        raise CampaignArchived(details={"status": campaign.status})


def given(campaign: CouponCampaign) -> dict[str, Any]:
    """What a campaign's coupons copy of it, as columns of Coupon."""
    settings = campaign.settings
    cart = settings.get("single_use_min_cart_value")
    return {
        "starts_at": campaign.starts_at,
        "ends_at": campaign.ends_at,
        "discount_type": settings.get("discount_type"),
        "discount_value": settings.get("discount_value"),
        "min_cart_value": None if cart is None else int(cart),
        "product_id": settings.get("single_use_product_id"),
        "variant_id": settings.get("single_use_variant_id"),
    }


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings with those that are given in place of the old; None takes a key away, and no object at all all."""
    if changes is None:
        return {}
    kept = {**settings, **changes}
    return {name: kept[name] for name in SETTINGS if kept.get(name) is not None}


def faults(campaign: CouponCampaign) -> Iterator[tuple[str, str]]:
    """What is wrong with a campaign in any state, as (dotted field, sentence)."""
    if not PREFIX.fullmatch(campaign.prefix):
        yield "prefix", "A prefix has at most 20 letters A to Z, digits, - or _."
    yield from _discount_faults(campaign.settings)
    yield from _single_use_faults(campaign.kind, campaign.settings)
    yield from _window_faults(campaign)


def gaps(campaign: CouponCampaign) -> dict[str, list[str]]:
    """What a campaign still lacks before it can be active."""
    wanted = {
        "starts_at": (campaign.starts_at, "Say when it starts."),
        "ends_at": (campaign.ends_at, "Say when it ends."),
        "settings.discount_value": (campaign.settings.get("discount_value"), "Say what its coupons give."),
    }
    if campaign.kind == CouponKind.LIGHTNING:
        wanted["max_count"] = (campaign.max_count, "A lightning sale has a limit of uses.")
    return {field: [sentence] for field, (value, sentence) in wanted.items() if value is None}


def _discount_faults(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    value = settings.get("discount_value")
    if value is None:
        return
    if "discount_type" not in settings:
        yield "settings.discount_type", "Say whether the discount is a percentage or flat."
    if value <= 0:
        yield "settings.discount_value", "This must be more than 0."
    elif value > ALL_OF_IT and settings.get("discount_type") == DiscountType.PERCENTAGE:
        yield "settings.discount_value", "A percentage is at most 100."


def _single_use_faults(kind: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if kind != CouponKind.SINGLE_USE:
        for name in settings:
            if name.startswith("single_use_"):
                yield f"settings.{name}", "Only a campaign of kind single-use has this."
    elif len(bound := [name for name in BINDING if name in settings]) > 1:
        yield f"settings.{bound[-1]}", "Give one of: smallest cart, product, variant."


def _window_faults(campaign: CouponCampaign) -> Iterator[tuple[str, str]]:
    starts, ends = campaign.starts_at, campaign.ends_at
    if starts is None or ends is None:
        return
    if ends <= starts:
        yield "ends_at", "This must be later than starts_at."
    elif campaign.kind == CouponKind.LIGHTNING and ends - starts > LIGHTNING:
        yield "ends_at", "A lightning sale is over within 24 hours."
