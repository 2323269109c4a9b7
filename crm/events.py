"""The one stream of what happened: timelines, funnels and attribution read it, and every domain writes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils import timezone

from crm.models import Event

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Account


def record(
    account: Account,
    *,
    type: str,  # noqa: A002 (the event's own word on the wire)
    event_id: str,
    customer_id: int | None = None,
    email: str = "",
    phone: str = "",
    occurred_at: datetime | None = None,
    properties: dict[str, Any] | None = None,
) -> None:
    """Write one event down, once: a second one with the same `event_id` changes nothing."""
    event = Event(
        account=account,
        type=type,
        event_id=event_id,
        customer_id=customer_id,
        email=email,
        phone=phone,
        occurred_at=occurred_at or timezone.now(),
        properties=properties or {},
    )
    Event.objects.bulk_create([event], ignore_conflicts=True)
