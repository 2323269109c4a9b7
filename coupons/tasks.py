"""The clock's and the queue's door of coupons: nudges only."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from coupons import balancing, filing, indexing, opening, redeeming, running_low


@shared_task(expires=10)
def end_coupon_campaigns(**_later: Any) -> None:
    """Deactivate the coupon campaigns whose end has come, and tell of those that run low."""
    opening.end_overdue()
    running_low.tell()


@shared_task(expires=10)
def give_back_coupons(**_later: Any) -> None:
    """Give back the coupons that were held too long."""
    redeeming.give_back_overdue()


@shared_task
def check_coupon_books(**_later: Any) -> None:
    """Tell the log of every counter that says another thing than its ledger."""
    balancing.look()


@shared_task
def forget_exports(**_later: Any) -> None:
    """Remove exports that are a week old."""
    filing.forget_old()


@shared_task(expires=10)
def feed_search(**_later: Any) -> None:
    """Tell the search index what has changed."""
    indexing.feed()


@shared_task(expires=50)
def compare_search(**_later: Any) -> None:
    """Look whether the search index has lost something."""
    indexing.compare()
