"""The clock's and the queue's door of WhatsApp: nudges only."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from campaigns import approval


@shared_task(expires=10)
def poll_templates(**_later: Any) -> None:
    """Ask WhatsApp about templates in review."""
    approval.poll()
