"""What every WhatsApp page shares: the look-ups of broadcasts and templates, and row numbers in addresses."""

from __future__ import annotations

import re

from django.urls import register_converter

from accounts.merchant_page import MerchantPage
from campaigns.models import Broadcast, Campaign

_ROW = re.compile("[1-9][0-9]{0,17}")


class RowId:
    """A row's number in an address: `[1-9]…`, no larger than PostgreSQL's bigint can hold."""

    regex = _ROW.pattern

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


register_converter(RowId, "row")


class WhatsAppPage(MerchantPage):
    """A page about templates and broadcasts."""

    def broadcast(self, pk: int) -> Broadcast:
        found: Broadcast = self.find(
            Broadcast.objects.select_related("campaign__account", "account"), pk=pk, test_send=False
        )
        return found

    def template(self, pk: int) -> Campaign:
        found: Campaign = self.find(Campaign.objects.select_related("account"), pk=pk)
        return found


def row_number(typed: str) -> int | None:
    """A row's number as a form or a query brings it; None for anything else."""
    return int(typed) if _ROW.fullmatch(typed) else None


def address_of(broadcast: Broadcast, rest: str = "") -> str:
    """`/campaigns/wa_7` and what follows."""
    return f"/campaigns/wa_{broadcast.pk}{rest}"
