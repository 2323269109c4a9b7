"""How far a marketing campaign is, in numbers and sentences: for its page, its polled piece and the lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count

from accounts.merchant_progress import Tally, counts_by, moves_of, people, timeline
from campaigns_project.templatetags.look import money
from crm.marketing import metrics
from crm.models import Delivery, DeliveryAttempt, DeliveryStatus, MarketingCampaign, MarketingStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TELLS = {
    "schedule": ("Scheduled", "blue"),
    "unschedule": ("Back to draft", "grey"),
    "launch": ("Launched", "indigo"),
    "pause": ("Paused", "amber"),
    "resume": ("Resumed", "indigo"),
    "complete": ("Completed", "green"),
}


@dataclass(frozen=True)
class Progress(Tally):
    """People of one campaign by status, and what came of it (`sums` as in `crm.marketing.metrics`)."""

    campaign: MarketingCampaign
    counts: Mapping[str, int]
    sums: Mapping[str, int]

    @property
    def settled(self) -> int:
        """People with an outcome, good or bad."""
        return self.meant - self.remaining

    @property
    def remaining(self) -> int:
        return self.of(*DeliveryStatus.OPEN)

    @property
    def over(self) -> bool:
        return self.campaign.status not in MarketingStatus.OPEN

    @property
    def pace(self) -> str:
        """One sentence."""
        waiting = people(self.remaining)
        if self.campaign.status == MarketingStatus.COMPLETED:
            return "Over"
        if self.campaign.status == MarketingStatus.PAUSED:
            return f"Paused · {waiting} waiting"
        if self.campaign.status == MarketingStatus.ACTIVE:
            return f"{waiting} waiting" if self.remaining else "Everybody had their turn"
        return "Not launched yet"

    @property
    def tiles(self) -> list[dict[str, Any]]:
        """The seed's ten figures, as five tiles."""
        sums, delivered = self.sums, self.sums["delivered"]

        def share(name: str, more: str = "") -> dict[str, Any]:
            rate = f"{metrics.rate(sums[name], delivered)}% of delivered" if delivered else ""
            return {
                "label": name.capitalize(),
                "value": f"{sums[name]:,}",
                "note": " · ".join(filter(None, [rate, more])),
            }

        revenue = money(sums["revenue_minor"], self.campaign.account.currency)
        gone = f"{sums['unsubscribed']:,} unsubscribed" if sums["unsubscribed"] else ""
        return [
            {"label": "Sent", "value": f"{sums['sent']:,}", "of": f"{self.meant:,}"},
            {"label": "Delivered", "value": f"{delivered:,}", "note": gone},
            share("opened"),
            share("clicked"),
            share("converted", f"{revenue} in orders" if sums["converted"] else ""),
        ]


def progress_of(campaign: MarketingCampaign) -> Progress:
    """Two queries."""
    return Progress(campaign, metrics.by_status(campaign), metrics.sums([campaign])[campaign.pk])


def all_of(campaigns: Iterable[MarketingCampaign]) -> list[Progress]:
    """The progress of each row of a list, in two queries."""
    listed = list(campaigns)
    sums = metrics.sums(listed) if listed else {}
    counts = counts_by(Delivery.objects.filter(campaign__in=listed), "campaign_id") if listed else {}
    return [Progress(one, counts.get(one.pk, {}), sums[one.pk]) for one in listed]


def unknown_of(campaign: MarketingCampaign) -> int:
    """People of whom nobody knows whether they were sent theirs."""
    attempts = DeliveryAttempt._default_manager.filter(account=campaign.account_id, state="unknown")
    return attempts.filter(row__campaign=campaign).count()


def by_channel(campaign: MarketingCampaign) -> list[tuple[str, int]]:
    """People by the channel that they are reached on."""
    rows = Delivery.objects.of(campaign).exclude(status=DeliveryStatus.SKIPPED).order_by()
    found = dict(rows.values_list("channel").annotate(Count("pk")))
    return [(channel, found.get(channel, 0)) for channel in campaign.channels]


def timeline_of(campaign: MarketingCampaign) -> list[dict[str, Any]]:
    """What happened to the campaign, newest first, with who did it."""
    return timeline(campaign, moves_of(campaign), _TELLS)
