"""The demo's coupon campaigns: codes for one person each, one code that everybody shares, and a lightning sale."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from coupons import campaigning, codes, making, opening, redeeming
from coupons.models import CouponCampaign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accounts.models import Account, User

WELCOME, MENU, LUNCH, SUMMER = "Welcome back", "Autumn menu", "Lunch hour", "Summer sale"
SHARED, QUICK = "AUTUMN5", "LUNCH30"
CODES = 500
HOUR = timedelta(hours=1)
# Who paid with a code so far.
ORDERS = {SHARED: 34, QUICK: 47}


def fill(shop: Account, *, by: User) -> None:
    """Make what is missing; a second time nothing is."""
    if CouponCampaign.objects.for_account(shop).exists():
        return
    percent, flat = {"discount_type": "percentage"}, {"discount_type": "flat"}
    with transaction.atomic():
        over = _campaign(shop, SUMMER, "group", percent | {"discount_value": 10}, days=-60, hours=240, by=by)
        over.activate(by=by)
        over.deactivate(by=by, reason="The end of summer")
        # The worker makes its codes.
        more = {"discount_value": 15, "single_use_quantity": CODES, "low_coupons_threshold": 50}
        welcome = _campaign(shop, WELCOME, "single-use", percent | more, hours=720, prefix="BACK-", by=by)
        menu = _campaign(shop, MENU, "group", flat | {"discount_value": 500}, hours=480, by=by, max_count=150)
        lunch = _campaign(shop, LUNCH, "lightning", percent | {"discount_value": 30}, hours=9, by=by, max_count=60)
        for campaign, code in ((menu, SHARED), (lunch, QUICK)):
            _write(campaign, [code])
        for campaign in (welcome, menu, lunch):
            opening.move(campaign, opening.ACTIVATE, by=by)
    for code, orders in ORDERS.items():
        _redeem(shop, code, orders)


def _campaign(
    shop: Account, name: str, kind: str, settings: dict[str, Any], *, hours: int, by: User, days: int = 0, **more: Any
) -> CouponCampaign:
    starts_at = timezone.now() + timedelta(days=days) - 2 * HOUR
    limits = {limit: more.pop(limit) for limit in ("max_count",) if limit in more}
    said = {"name": name, "kind": kind, "settings": settings, "starts_at": starts_at, **more}
    campaign = campaigning.create(shop, by=by, ends_at=starts_at + hours * HOUR, **said)
    return campaigning.limit(campaign, **limits)


def _write(campaign: CouponCampaign, chosen: Sequence[str]) -> None:
    codes.write(chosen, making.columns_of(campaign))
    CouponCampaign.objects.filter(pk=campaign.pk).update(coupon_count=F("coupon_count") + len(chosen))


def _redeem(shop: Account, code: str, orders: int) -> None:
    for number in range(orders):
        cart = redeeming.Cart(person=f"demo-{number}", value=1_200 + 35 * number, order_id=f"demo-{code}-{number}")
        redeeming.redeem(shop, code, cart)
