"""What every page of a marketing campaign shares: its look-up, its address, and the words merchants read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.urls import register_converter

from accounts.merchant_page import MerchantPage
from crm.models import Delivery, LeftOut, MarketingCampaign

if TYPE_CHECKING:
    from campaigns_project.refusals import Refusal

_REF = re.compile("camp_[0-9a-z]{1,35}")
LEFT_OUT = {
    LeftOut.NO_ADDRESS: "No address on these channels",
    LeftOut.NO_CONSENT: "Never agreed to marketing",
    LeftOut.SUPPRESSED: "Opted out, or cannot be reached",
    LeftOut.HOLDOUT: "Held back to compare",
    LeftOut.ADDRESS_CHANGED: "The address changed meanwhile",
    LeftOut.ENDED: "The campaign ended before their turn",
    LeftOut.ERASED: "Erased",
    LeftOut.NO_CODE: "No coupon code was left",
}
STANDS = {
    "queued": "Waiting for their turn: not at night, and no two marketing messages in 24 hours",
    "sending": "Being handed over",
    "sent": "Handed over; no word of its arrival yet",
    "delivered": "Arrived",
    "read": "Opened, or a link followed",
    "failed": "Refused for good",
    "undelivered": "Could not be brought to them",
}


class CampaignRef:
    """`camp_…` in an address."""

    regex = _REF.pattern

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(CampaignRef, "camp")


class MarketingPage(MerchantPage):
    """A page about one marketing campaign."""

    def campaign(self, campaign_id: str, *, locked: bool = False) -> MarketingCampaign:
        rows = MarketingCampaign.objects.select_related("account", "segment", "promo")
        rows = rows.select_for_update(of=("self",)) if locked else rows
        found: MarketingCampaign = self.find(rows, public_id=campaign_id)
        return found


def address_of(campaign: MarketingCampaign, rest: str = "") -> str:
    """`/campaigns/camp_7k2m…` and what follows."""
    return f"/campaigns/{campaign.public_id}{rest}"


def left_out(reason: str) -> str:
    """Why somebody gets nothing."""
    return LEFT_OUT.get(LeftOut(reason), reason) if reason in LeftOut.values else reason


def what_happened(delivery: Delivery) -> str:
    """One line about one person's message."""
    if delivery.status == "skipped":
        return left_out(delivery.skip_reason)
    said = STANDS[delivery.status]
    return f"{said} ({delivery.error_code})" if delivery.error_code else said


def said(refusal: Refusal) -> str:
    """A refusal in one line: its message, and the sentences of its details."""
    sentences = [each for found in refusal.details.values() if isinstance(found, list) for each in found]
    too_many = [
        f"{channel}: {found['size']:,} people, at most {found['max']:,}."
        for channel, found in refusal.details.items()
        if isinstance(found, dict) and "max" in found
    ]
    return " ".join(map(str, [refusal.message, *sentences, *too_many]))
