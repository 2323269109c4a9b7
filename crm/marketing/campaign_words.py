"""What people read instead of codes about marketing campaigns (spec: ux 1.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm.models import Delivery

LEFT_OUT = {
    "no_address": "No address on any of the channels",
    "no_consent": "Has not agreed to marketing",
    "suppressed": "Opted out, or cannot be reached",
    "holdout": "Held out, to compare",
    "address_changed": "Their address changed after the launch",
    "ended": "The campaign ended first",
    "erased": "The person was erased",
    "no_code": "No coupon code was left for them",
}
HAPPENED = {
    "queued": "Waiting for their turn",
    "sending": "Being handed over",
    "sent": "Handed over",
    "delivered": "Reached them",
    "read": "Opened",
    "failed": "Refused for good",
    "undelivered": "Could not be delivered",
}
UNKNOWN = "Handed over, and nobody knows yet whether it arrived there"
CHANNELS = {"email": "E-mail", "sms": "SMS", "push": "Push"}


def left_out(reason: str) -> str:
    """Why somebody gets no message."""
    return LEFT_OUT.get(reason, reason.replace("_", " ").capitalize())


def what_happened(delivery: Delivery) -> str:
    """One line about one person's message; a row of `with_outcome()` tells of open questions too."""
    if delivery.skip_reason:
        return left_out(delivery.skip_reason)
    if getattr(delivery, "is_unknown", False):
        return UNKNOWN
    said = HAPPENED[delivery.status]
    return f"{said} ({delivery.error_code})" if delivery.error_code else said
