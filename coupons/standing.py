"""Where a coupon campaign stands beside its status: what is left of it, what runs low, what ends soon."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Case, F, IntegerField, Q, When
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, Least
from django.db.models.lookups import LessThanOrEqual

from coupons.models import CouponCampaignStatus, CouponKind

if TYPE_CHECKING:
    from coupons.models import CouponCampaign

SOON = timedelta(hours=24)
# As `is_low`, for PostgreSQL.
_MOST = Case(
    When(kind=CouponKind.SINGLE_USE, then=Least("coupon_count", Coalesce("max_count", "coupon_count"))),
    default=F("max_count"),
)
_THRESHOLD = Cast(KT("settings__low_coupons_threshold"), IntegerField())
LOW = Q(LessThanOrEqual(_MOST - F("used"), _THRESHOLD), status=CouponCampaignStatus.ACTIVE)


def most(campaign: CouponCampaign) -> int | None:
    """How often its coupons can be used in all; None without a limit."""
    if campaign.kind != CouponKind.SINGLE_USE:
        return campaign.max_count
    return campaign.coupon_count if campaign.max_count is None else min(campaign.max_count, campaign.coupon_count)


def left(campaign: CouponCampaign) -> int | None:
    """How many uses are left; None without a limit."""
    limit = most(campaign)
    return None if limit is None else max(limit - campaign.used, 0)


def is_low(campaign: CouponCampaign) -> bool:
    """Whether an active campaign has no more uses left than its `low_coupons_threshold`."""
    remaining, threshold = left(campaign), campaign.settings.get("low_coupons_threshold")
    running = campaign.status == CouponCampaignStatus.ACTIVE
    return running and threshold is not None and remaining is not None and remaining <= threshold


def notes(campaign: CouponCampaign, now: datetime) -> list[tuple[str, str, str]]:
    """What stands beside the status, as (tone, glyph, label)."""
    found = []
    if campaign.ends_at is not None and campaign.status != CouponCampaignStatus.ARCHIVED:
        to_go = campaign.ends_at - now
        if to_go <= timedelta(0):
            found.append(("grey", "dash", "Expired"))
        elif to_go <= SOON and campaign.status == CouponCampaignStatus.ACTIVE:
            found.append(("orange", "bars", f"Ends in {_in_words(to_go)}"))
    if left(campaign) == 0 and most(campaign):
        found.append(("amber", "bars", "Used up"))
    elif is_low(campaign):
        found.append(("orange", "bars", "Running low"))
    return found


def _in_words(to_go: timedelta) -> str:
    minutes = int(to_go.total_seconds()) // 60
    return f"{minutes // 60} h" if minutes >= 60 else f"{minutes} min"  # noqa: PLR2004 (an hour)
