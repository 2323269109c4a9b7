"""The hostile rows of promo codes, asked of coupons too: the same carts, in minor units."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from coupons import balancing
from tests.architecture.world import THEIRS, mark
from tests.coupons.factories import CouponCampaignFactory, CouponFactory

MOMENT = timedelta(milliseconds=1)


def ask(who, given, times):
    """The answers to the carts of one row."""
    at = timezone.now()
    window = {"valid_until+1ms": {"ends_at": at - MOMENT}, "valid_from-1ms": {"starts_at": at + 1000 * MOMENT}}
    campaign = CouponCampaignFactory(
        account=who.account,
        kind="group",
        max_count=given.get("limit"),
        per_customer_limit=given.get("per_customer"),
        status="active",
        **window.get(given.get("at"), {}),
    )
    coupon = CouponFactory(campaign=campaign, min_cart_value=25_00)
    code = mark(THEIRS) if "code" in given else "WRONG" if given.get("n", 0) > times else coupon.code
    body = {"customer_id": "c1", "cart_value": round(float(given.get("cart_total", 46.80)) * 100)}
    address = f"/api/platform/v1/coupons/{code}/redeem"
    answers = [who.post(address, json=body | {"order_id": f"o{n}"}) for n in range(times)]
    campaign.refresh_from_db()
    assert campaign.used == sum(answer.status_code == 201 for answer in answers)
    assert not [each for each in balancing.differences() if each.name.startswith(str(campaign.pk))]
    return answers
