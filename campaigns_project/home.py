"""The wiring floor's pages: home, and the one list of campaigns of every kind."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Count, Q
from django.urls import path
from django.utils import timezone

from accounts.merchant_page import searched
from accounts.merchant_progress import people
from accounts.models import Approval, Connection
from campaigns import broadcasting
from campaigns.models import Broadcast, BroadcastStatus, Campaign, CampaignLeadMessage, CampaignStatus
from campaigns.pages import progress as standing
from campaigns.pages import words
from campaigns.pages.door import WhatsAppPage, address_of
from campaigns_project.campaign_list import SENT, TABS, Everything
from campaigns_project.pages import fragment
from coupons import approving
from coupons import standing as coupons
from coupons.models import CouponCampaign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

    from accounts.models import Account

WEEK = timedelta(days=7)
SLOW_REVIEW = timedelta(hours=24)
MOST_SHOWN = 5


class Home(WhatsAppPage):
    """`/`: what needs the merchant, what is running, what comes next."""

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self.show(
            "home/home.html",
            needs=list(attention(self.account)),
            running=running(self.account),
            coming=list(_coming(self.account)),
            numbers=_numbers(self.account),
        )


class HomeLive(WhatsAppPage):
    """The running broadcasts of home, polled."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return fragment(request, "home/running.html", {"running": running(self.account)})


def running(account: Account) -> list[dict[str, Any]]:
    """What is going out or is paused, newest first."""
    return Everything(account, kinds=SENT).running(MOST_SHOWN)


def attention(account: Account) -> Iterator[dict[str, Any]]:
    """What waits for somebody of the account, the gravest first: `tone`, `title`, `detail`, `href`."""
    link = Connection.objects.for_account(account).filter(provider="twilio").first()
    if link is None or link.refused_at:
        why = (
            "Twilio refused our credentials. Nothing is sent until they are renewed."
            if link
            else "Nothing can be sent yet."
        )
        yield {"tone": "red", "title": "No working WhatsApp connection", "detail": why, "href": ""}
    yield from _failures(account)
    yield from _templates(account)
    yield from _questions(account)
    yield from _coupons(account)


def _questions(account: Account) -> Iterator[dict[str, Any]]:
    """What a second person is asked, of broadcasts and coupon campaigns."""
    waiting = Approval.objects.for_account(account).filter(granted=None, kind__in=("broadcast", approving.KIND))
    for asked in waiting.select_related("asked_by")[:MOST_SHOWN]:
        who = asked.asked_by.name or asked.asked_by.email
        detail, href = f"To activate {asked.summary.get('name')}.", f"/coupons/{asked.target_id}"
        if asked.kind == "broadcast":
            reached = people(asked.summary.get("people", 0))
            detail, href = f"To send to {reached}.", f"/campaigns/wa_{asked.target_id}/edit/review"
        yield {"tone": "amber", "title": f"{who} asks for a second person", "detail": detail, "href": href}


def _coupons(account: Account) -> Iterator[dict[str, Any]]:
    low = CouponCampaign.objects.for_account(account).filter(coupons.LOW)
    for one in low.order_by("ends_at", "pk")[:MOST_SHOWN]:
        detail = f"{coupons.left(one):,} uses are left."
        yield {"tone": "orange", "title": f"{one.name} is running low", "detail": detail, "href": f"/coupons/{one.pk}"}


def _failures(account: Account) -> Iterator[dict[str, Any]]:
    recent = Q(ended_at=None) | Q(ended_at__gte=timezone.now() - WEEK)
    rows = broadcasting.of_account(account).filter(recent, started_at__isnull=False)
    failed = Count("messages", filter=Q(messages__status__in=standing.FAILED))
    for one in rows.annotate(failures=failed).filter(Q(failures__gt=0) | Q(status="paused"))[:MOST_SHOWN]:
        if one.status == BroadcastStatus.PAUSED:
            detail = "Nobody gets it until somebody resumes it."
            yield {
                "tone": "orange",
                "title": f"{one.campaign.name} is paused",
                "detail": detail,
                "href": address_of(one),
            }
        if one.failures:
            title = f"{words.messages(one.failures)} of {one.campaign.name} failed"
            href = address_of(one, "/people?status=failed")
            yield {"tone": "red", "title": title, "detail": "See why, person by person.", "href": href}


def _templates(account: Account) -> Iterator[dict[str, Any]]:
    heads = Campaign.objects.for_account(account).filter(next_campaign=None)
    slow = Q(status__in=CampaignStatus.IN_REVIEW, status_at__lt=timezone.now() - SLOW_REVIEW)
    refused = Q(status__in=("rejected", "paused", "disabled"))
    for one in heads.filter(slow | refused).order_by("-status_at")[:MOST_SHOWN]:
        href = f"/templates/{one.pk}"
        if one.status in CampaignStatus.IN_REVIEW:
            detail = "WhatsApp usually answers within a day."
            yield {"tone": "blue", "title": f"{one.name} is still in review", "detail": detail, "href": href}
        else:
            detail = one.rejection_reason or "It can’t be sent."
            verb = {"rejected": "was rejected", "paused": "was paused by WhatsApp"}.get(
                one.status, "was disabled by WhatsApp"
            )
            yield {"tone": "orange", "title": f"{one.name} {verb}", "detail": detail, "href": href}


def _coming(account: Account) -> QuerySet[Broadcast]:
    soon = {"status": BroadcastStatus.SCHEDULED, "scheduled_at__lt": timezone.now() + WEEK}
    rows: QuerySet[Broadcast] = broadcasting.of_account(account).filter(**soon).order_by("scheduled_at")
    return rows[:MOST_SHOWN]


def _numbers(account: Account) -> dict[str, Any]:
    """The last seven days: sent, read and replied, with what it cost."""
    since = timezone.now() - WEEK
    rows = CampaignLeadMessage.objects.for_account(account).filter(
        broadcast__test_send=False, broadcast__started_at__gte=since
    )
    found = rows.order_by().values_list("status", "campaign__campaign_type").annotate(Count("pk"), Count("replied_at"))
    taken = [row for row in found if row[0] in standing.REACHED]
    sent = sum(row[2] for row in taken)
    delivered = sum(row[2] for row in found if row[0] in ("delivered", "read"))
    return {
        "sent": sent,
        "delivered": f"{standing.percent(delivered, sent)} delivered" if sent else "",
        "replied": sum(row[3] for row in found),
        "cost": sum(row[2] * settings.MESSAGE_PRICE_MINOR[row[1]] for row in taken),
    }


class CampaignList(WhatsAppPage):
    """`/campaigns`: every campaign, in one list."""

    def get(self, request: HttpRequest) -> HttpResponse:
        asked, chosen = searched(request), request.GET.get("status", "")
        chosen = chosen if chosen in TABS else ""
        everything = Everything(self.account, asked)
        page = everything.page(chosen, request)
        tabs = everything.tabs(chosen)
        return self.show("home/campaigns.html", page=page, rows=page.rows, q=asked, chosen=chosen, tabs=tabs)


urlpatterns = [
    path("", Home.as_view(), name="page-home"),
    path("live", HomeLive.as_view(), name="page-home-live"),
    path("campaigns", CampaignList.as_view(), name="page-campaigns"),
]
