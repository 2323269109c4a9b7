"""The one list of every campaign: broadcasts on WhatsApp, marketing campaigns, coupon campaigns."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from django.db.models import CharField, Count, F, Q, Value
from django.db.models.functions import Cast, Coalesce

from campaigns import broadcasting
from campaigns.models import BroadcastStatus
from campaigns.pages import progress as whatsapp
from campaigns.pages.door import address_of as broadcast_address
from campaigns_project.pages import Cut, paged
from coupons import standing
from coupons.models import CouponCampaign, CouponCampaignStatus
from coupons.pages.door import address_of as coupons_address
from coupons.pages.door import gives
from crm.marketing import metrics
from crm.models import MarketingCampaign, MarketingChannel, MarketingStatus
from crm.pages import marketing_progress as marketing
from crm.pages.marketing import address_of as marketing_address

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from django.db.models import QuerySet
    from django.http import HttpRequest

    from accounts.models import Account

TABS: dict[str, tuple[str, tuple[str, ...]]] = {
    "": ("All", tuple({*BroadcastStatus.values, *MarketingStatus.values, *CouponCampaignStatus.values})),
    "draft": ("Draft", ("draft",)),
    "scheduled": ("Scheduled", ("scheduled",)),
    "sending": ("Running", ("sending", "active", "paused")),
    "completed": ("Completed", ("completed", "inactive", "archived")),
    "cancelled": ("Cancelled", ("cancelled",)),
}
RUNNING = ("sending", "active", "paused")
_REF = re.compile(r"wa_([1-9][0-9]{0,17})")
KINDS = ("wa", "camp", "coupon")
# What goes out to people by itself.
SENT = ("wa", "camp")
Line = dict[str, Any]


class Everything:
    """An account's campaigns, searched by name, id (`wa_7`, `camp_…`), promo code, or how its coupons begin.

    Its `kinds` are `wa`, `camp` and `coupon`.
    """

    def __init__(self, account: Account, asked: str = "", *, kinds: Collection[str] = KINDS) -> None:
        self.account = account
        broadcasts = broadcasting.of_account(account)
        marketing = MarketingCampaign.objects.for_account(account)
        coupons = CouponCampaign.objects.for_account(account)
        if asked:
            ref = _REF.fullmatch(asked)
            broadcasts = broadcasts.filter(Q(pk=int(ref[1])) if ref else Q(campaign__name__icontains=asked))
            called = Q(name__icontains=asked) | Q(public_id=asked) | Q(promo__code=asked.upper())
            marketing = marketing.filter(called)
            coupons = coupons.filter(Q(name__icontains=asked) | Q(prefix__istartswith=asked))
        every: dict[str, QuerySet[Any]] = {"wa": broadcasts, "camp": marketing, "coupon": coupons}
        self.rows = {kind: every[kind] for kind in kinds}

    def tabs(self, chosen: str) -> list[dict[str, Any]]:
        """Label, key, count, and whether it is the one that is shown."""
        counts: Counter[str] = Counter()
        for rows in self.rows.values():
            counts.update(dict(rows.order_by().values_list("status").annotate(Count("pk"))))
        return [
            {"key": key, "label": label, "count": sum(counts[each] for each in states), "here": key == chosen}
            for key, (label, states) in TABS.items()
        ]

    def page(self, chosen: str, request: HttpRequest) -> Cut:
        """One page of all kinds, the newest first; its rows are lines."""
        page = paged(self._keys(TABS[chosen][1]), request)
        found = self.lines([(kind, pk) for kind, pk, _ in page.rows])
        return Cut(found, page.label, page.previous, page.next, page.total)

    def running(self, most: int) -> list[Line]:
        """What is going out, or is paused."""
        return self.lines([(kind, pk) for kind, pk, _ in self._keys(RUNNING)[:most]])

    def lines(self, keys: Sequence[tuple[str, str]]) -> list[Line]:
        """A line for each key, in their order."""
        wanted: dict[str, list[str]] = defaultdict(list)
        for kind, pk in keys:
            wanted[kind].append(pk)
        found = {
            (kind, str(line.pop("pk"))): line
            for kind, ids in wanted.items()
            for line in _LINES[kind](self.rows[kind].filter(pk__in=ids))
        }
        return [found[key] for key in keys]

    def _keys(self, states: Collection[str]) -> Any:
        """Kind, primary key as text, and moment of everything in these states, the newest first."""
        each = [_keys_of(rows.filter(status__in=states), kind) for kind, rows in self.rows.items()]
        return each[0].union(*each[1:], all=True).order_by("-begun", "-key")


def _keys_of(rows: QuerySet[Any], kind: str) -> Any:
    began = F("created_at") if kind == "coupon" else Coalesce(F(_STARTED[kind]), F("created_at"))
    told = rows.order_by().annotate(sort=Value(kind), key=Cast("pk", CharField()), begun=began)
    return told.values_list("sort", "key", "begun")


def _of_whatsapp(progress: whatsapp.Progress) -> Line:
    broadcast = progress.broadcast
    started = broadcast.status not in BroadcastStatus.STARTABLE
    return {
        "pk": broadcast.pk,
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
        "pk": campaign.pk,
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


def _of_coupons(campaign: CouponCampaign) -> Line:
    most, used = standing.most(campaign), campaign.used
    return {
        "pk": campaign.pk,
        "name": campaign.name,
        "icon": "ticket",
        "about": f"Coupons · {campaign.get_kind_display().lower()}",
        "machine": "coupon",
        "href": coupons_address(campaign),
        "result": f"{used:,} redeemed" if used else "",
        "share": gives(campaign),
        "cost": None,
        "when": campaign.ends_at or campaign.created_at,
        "status": campaign.status,
        "settled": used,
        "meant": most,
        "started": bool(most) and campaign.status != CouponCampaignStatus.DRAFT,
        "done": "redeemed",
        "label": f"{campaign.name}: coupons redeemed",
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


_STARTED = {"wa": "started_at", "camp": "launched_at"}
_LINES: dict[str, Callable[[QuerySet[Any]], list[Line]]] = {
    "wa": lambda rows: [_of_whatsapp(one) for one in whatsapp.all_of(rows)],
    "camp": lambda rows: [_of_marketing(one) for one in marketing.all_of(rows.select_related("account"))],
    "coupon": lambda rows: [_of_coupons(one) for one in rows.select_related("account")],
}
