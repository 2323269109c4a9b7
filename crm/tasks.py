"""The clock's and the queue's door of people, funnels and promo codes: nudges only."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from crm import first_touch, outgoing, redeeming


@shared_task(expires=10)
def give_back_promos(**_later: Any) -> None:
    """Give back the promo codes that were held too long."""
    redeeming.give_back_overdue()


@shared_task(expires=10)
def fold_funnels(**_later: Any) -> None:
    """Keep the counts of funnels short."""
    first_touch.fold()


@shared_task
def forget_old_webhooks_out(**_later: Any) -> None:
    """Forget webhooks to merchants after a month."""
    outgoing.forget_old()
