"""The clock's and the queue's door of coupons: nudges only."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from coupons import opening, running_low


@shared_task(expires=10)
def end_coupon_campaigns(**_later: Any) -> None:
    """Deactivate the coupon campaigns whose end has come, and tell of those that run low."""
    opening.end_overdue()
    running_low.tell()
