"""The one list of everything that is sent, of whatever kind: broadcasts on WhatsApp, marketing campaigns."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, Q, Value
from django.db.models.functions import Coalesce

from campaigns import broadcasting
from campaigns.models import BroadcastStatus
from campaigns.pages import progress as whatsapp
from campaigns.pages.door import address_of as broadcast_address
from campaigns_project.pages import Cut, paged
from crm.marketing import metrics
from crm.models import MarketingCampaign, MarketingChannel, MarketingStatus
from crm.pages import marketing_progress as marketing
from crm.pages.marketing import address_of as marketing_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet
    from django.http import HttpRequest

    from accounts.models import Account

TABS: dict[str, tuple[str, tuple[str, ...]]] = {
    "": ("All", tuple({*BroadcastStatus.values, *MarketingStatus.values})),
    "draft": ("Draft", ("draft",)),
    "scheduled": ("Scheduled", ("scheduled",)),
    "sending": ("Sending", ("sending", "active", "paused")),
    "completed": ("Completed", ("completed",)),
    "cancelled": ("Cancelled", ("cancelled",)),
}
RUNNING = ("sending", "active", "paused")
_REF = re.compile(r"wa_([1-9][0-9]{0,17})")
Line = dict[str, Any]


class Everything:
    """What an account sends, searched by name, id (`wa_7`, `camp_…`) or promo code."""

    def __init__(self, account: Account, asked: str = "") -> None:
        self.account = account
        self.broadcasts: QuerySet[Any] = broadcasting.of_account(account)
        self.marketing: QuerySet[Any] = MarketingCampaign.objects.for_account(account)
        if asked:
            ref = _REF.fullmatch(asked)
            named = Q(pk=int(ref[1])) if ref else Q(campaign__name__icontains=asked)
            self.broadcasts = self.broadcasts.filter(named)
            called = Q(name__icontains=asked) | Q(public_id=asked) | Q(promo__code=asked.upper())
            self.marketing = self.marketing.filter(called)

    def tabs(self, chosen: str) -> list[dict[str, Any]]:
        """Label, key, count, and whether it is the one that is shown."""
        counts: Counter[str] = Counter()
        for rows in (self.broadcasts, self.marketing):
            counts.update(dict(rows.order_by().values_list("status").annotate(Count("pk"))))
        return [
            {"key": key, "label": label, "count": sum(counts[each] for each in states), "here": key == chosen}
            for key, (label, states) in TABS.items()
        ]

    def page(self, chosen: str, request: HttpRequest) -> Cut:
        """One page of both kinds, the newest first; its rows are lines."""
        states = TABS[chosen][1]
        both = _keys(self.broadcasts.filter(status__in=states), "wa").union(
            _keys(self.marketing.filter(status__in=states), "camp"), all=True
        )
        page = paged(both.order_by("-begun", "-pk"), request)
        found = self.lines([(kind, pk) for kind, pk, _ in page.rows])
        return Cut(found, page.label, page.previous, page.next, page.total)

    def running(self, most: int) -> list[Line]:
        """What is going out, or is paused."""
        both = _keys(self.broadcasts.filter(status__in=RUNNING), "wa").union(
            _keys(self.marketing.filter(status__in=RUNNING), "camp"), all=True
        )
        return self.lines([(kind, pk) for kind, pk, _ in both.order_by("-begun", "-pk")[:most]])

    def lines(self, keys: Sequence[tuple[str, int]]) -> list[Line]:
        """A line for each key, in their order."""
        found: dict[tuple[str, int], Line] = {}
        if ids := [pk for kind, pk in keys if kind == "wa"]:
            rows = self.broadcasts.filter(pk__in=ids)
            found |= {("wa", one.broadcast.pk): _of_whatsapp(one) for one in whatsapp.all_of(rows)}
        if ids := [pk for kind, pk in keys if kind == "camp"]:
            rows = self.marketing.filter(pk__in=ids).select_related("account")
            found |= {("camp", one.campaign.pk): _of_marketing(one) for one in marketing.all_of(rows)}
        return [found[key] for key in keys]


def _keys(rows: QuerySet[Any], kind: str) -> Any:
    started = "started_at" if kind == "wa" else "launched_at"
    told = rows.order_by().annotate(kind=Value(kind), begun=Coalesce(F(started), F("created_at")))
    return told.values_list("kind", "pk", "begun")


def _of_whatsapp(progress: whatsapp.Progress) -> Line:
    broadcast = progress.broadcast
    started = broadcast.status not in BroadcastStatus.STARTABLE
    return {
        "name": broadcast.campaign.name,
        "icon": "chat",
        "about": f"WhatsApp {broadcast.campaign.campaign_type} · wa_{broadcast.pk}",
        "machine": "broadcast",
        "href": broadcast_address(broadcast),
        "result": f"{progress.delivered:,} delivered" if progress.delivered else "",
        "share": whatsapp.percent(progress.delivered, progress.reached),
        "cost": progress.cost if started else progress.estimate,
        "when": broadcast.ended_at or broadcast.started_at or broadcast.scheduled_at or broadcast.created_at,
        **_common(progress, broadcast, broadcast.campaign.name, started=started),
    }


def _of_marketing(progress: marketing.Progress) -> Line:
    campaign, delivered = progress.campaign, progress.sums["delivered"]
    ways = [str(MarketingChannel(each).label) for each in campaign.channels]
    return {
        "name": campaign.name,
        "icon": "mail",
        "about": f"{', '.join(ways) or 'No channel yet'} · {campaign.public_id}",
        "machine": "campaign",
        "href": marketing_address(campaign),
        "result": f"{delivered:,} delivered" if delivered else "",
        "share": f"{metrics.rate(progress.sums['opened'], delivered)}% opened" if delivered else "",
        "cost": None,
        "when": campaign.ended_at or campaign.launched_at or campaign.starts_at or campaign.created_at,
        **_common(progress, campaign, campaign.name, started=campaign.launched_at is not None),
    }


def _common(progress: Any, row: Any, name: str, *, started: bool) -> Line:
    return {
        "status": row.status,
        "settled": progress.settled,
        "meant": progress.meant,
        "started": started,
        "label": f"{name}: people with an outcome",
        "segments": progress.segments(),
    }
