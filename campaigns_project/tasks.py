"""The clock's door of what every domain shares: long work in slices, and answers kept for replay."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from campaigns_project import jobs
from campaigns_project.api import idempotency

ROUNDS = 50


@shared_task(expires=10)
def run_jobs(**_later: Any) -> None:
    """Go on with every due job until none is left, or the next run's turn has come."""
    for _ in range(ROUNDS):
        if not jobs.run_due():
            return


@shared_task
def purge_idempotency_keys(**_later: Any) -> None:
    """Forget the kept answers of yesterday."""
    idempotency.purge()
