"""The clock's and the queue's door of people, segments, funnels and promo codes: nudges only."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from crm.audiences import refreshing
from crm.customers import consent, importing
from crm.funnels import first_touch
from crm.marketing import trials
from crm.offers import redeeming
from crm.webhooks_out import outgoing

# A segment is at most this much, and one turn of the clock, behind its customers.
FRESH_S = 60


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
    """Forget webhooks to merchants and test messages after a month, and files that nobody imported after a day."""
    outgoing.forget_old()
    trials.forget_old()
    importing.forget_unstarted()


@shared_task(expires=15)
def refresh_segments(**_later: Any) -> None:
    """Bring the segments up to date that were not looked at for a minute, with everybody's consent."""
    consent.let_in_first_grants()
    refreshing.refresh_due(FRESH_S)
