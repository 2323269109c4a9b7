"""What the operators' front page counts of WhatsApp."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Count, F, Q
from django.db.models.functions import Now, TruncDay
from django.urls import reverse
from django.utils.timesince import timesince

from campaigns.models import Campaign, MessageAttempt
from campaigns_project.admin import Tile, tile
from campaigns_project.admin.lists import AGES, age
from campaigns_project.admin.walls import may_look, within

if TYPE_CHECKING:
    from django.http import HttpRequest

ATTEMPTS = "admin:campaigns_messageattempt_changelist"
OPEN = ("calling", "unknown")
# As many of the newest calls as are looked at.
RECENT = 10_000
MANY = 100_000


@tile(10)
def stuck(request: HttpRequest) -> Tile | None:
    """Messages whose call has had no outcome for too long, by age."""
    if not may_look(request, MessageAttempt):
        return None
    open_calls = within(request, MessageAttempt.objects.filter(state__in=OPEN))
    ages = {key: Count("pk", filter=Q(called_at__lt=Now() - age(key))) for key in ("15m", "1h", "2d")}
    found = open_calls.aggregate(**{f"over_{key}": count for key, count in ages.items()})
    note = ", ".join(f"{found[f'over_{key}']:,} over {AGES[key][0]}" for key in ("1h", "2d"))
    return Tile("Stuck over 15 minutes", f"{found['over_15m']:,}", note, f"{reverse(ATTEMPTS)}?age=15m&open=yes")


@tile(20)
def unknown(request: HttpRequest) -> Tile | None:
    """Attempts of which nobody knows whether they took effect."""
    if not may_look(request, MessageAttempt):
        return None
    number = within(request, MessageAttempt.objects.filter(state="unknown")).count()
    return Tile("Unknown outcomes", f"{number:,}", "being looked up", f"{reverse(ATTEMPTS)}?state__exact=unknown")


@tile(30)
def error_rate(request: HttpRequest) -> Tile | None:
    """Refused and unknown calls among the newest of the last hour."""
    if not may_look(request, MessageAttempt):
        return None
    newest = within(request, MessageAttempt.objects.all()).order_by("-id").values("pk")[:RECENT]
    hour = MessageAttempt.objects.filter(pk__in=newest, called_at__gt=Now() - age("1h"))
    found = hour.aggregate(all=Count("pk"), bad=Count("pk", filter=Q(state__in=["rejected", "unknown"])))
    value = f"{100 * found['bad'] / found['all']:.1f} %" if found["all"] else "—"
    href = f"{reverse(ATTEMPTS)}?state__exact=rejected"
    return Tile("Errors in the last hour", value, f"Twilio, of {found['all']:,} calls", href)


@tile(80)
def sent_today(request: HttpRequest) -> Tile | None:
    """Messages the provider took since midnight (UTC)."""
    if not may_look(request, MessageAttempt):
        return None
    today = within(request, MessageAttempt.objects.filter(state="accepted", called_at__gte=TruncDay(Now())))
    number = today[: MANY + 1].count()
    value = f"{MANY:,}+" if number > MANY else f"{number:,}"
    return Tile("Sent today", value, "taken by Twilio", f"{reverse(ATTEMPTS)}?state__exact=accepted")


@tile(70)
def oldest_in_review(request: HttpRequest) -> Tile | None:
    """How long WhatsApp has had the template it has had longest."""
    if not may_look(request, Campaign):
        return None
    oldest = within(request, Campaign.objects.in_review()).order_by(F("status_at").asc()).first()
    href = f"{reverse('admin:campaigns_campaign_changelist')}?status__exact={oldest.status if oldest else 'pending'}"
    value = timesince(oldest.status_at, depth=1) if oldest else "—"
    return Tile("Oldest in review", value, oldest.name if oldest else "nothing waits", href)
