"""What every WhatsApp page shares: the look-ups of broadcasts and templates."""

from __future__ import annotations

from accounts.merchant_page import ROW, MerchantPage
from campaigns.models import Broadcast, Campaign


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
    return int(typed) if ROW.fullmatch(typed) else None


def address_of(broadcast: Broadcast, rest: str = "") -> str:
    """`/campaigns/wa_7` and what follows."""
    return f"/campaigns/wa_{broadcast.pk}{rest}"
