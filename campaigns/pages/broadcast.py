"""One broadcast: where it stands, whom it reached, why not, and the list of its people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.http import HttpResponseRedirect, StreamingHttpResponse

from accounts.merchant_page import searched
from accounts.merchant_progress import GROUPS, moves_of, people
from campaigns.models import Broadcast, BroadcastStatus, CampaignLeadMessage
from campaigns.pages import progress as standing
from campaigns.pages import words
from campaigns.pages.door import WhatsAppPage, address_of
from campaigns.pages.wizard import first_lead, preview_of
from campaigns_project.jobs import csv_line
from campaigns_project.pages import Cut, fragment, keyed
from campaigns_project.templatetags.look import money
from crm import phones

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest, HttpResponse

    from campaigns.models.message import MessageQuerySet
    from campaigns.pages.progress import Progress
    from lifecycle.history import Move

FIRST_PEOPLE = 8
EXPORTED = ("name", "phone", "status", "what_happened", "error_code", "provider_id", "since")
CHUNK = 2_000


class BroadcastPage(WhatsAppPage):
    """`/campaigns/wa_7`. A draft is still being written: it opens in the wizard."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        broadcast = self.broadcast(pk)
        if broadcast.status == BroadcastStatus.DRAFT:
            return HttpResponseRedirect(address_of(broadcast, "/edit/review"))
        moves = moves_of(broadcast)
        progress = standing.progress_of(broadcast, moves)
        skipped, refused = standing.reasons_of(broadcast)
        first = list(rows_of(broadcast).order_by("pk")[:FIRST_PEOPLE])
        return self.show(
            "campaigns/broadcast.html",
            **_live(progress),
            tabs=tabs(progress, ""),
            skipped=[{"label": reason, "value": number} for reason, number in skipped.items()],
            failed=f"{words.messages(progress.failed)} failed.",
            refused=", ".join(f"{number:,} × {reason}" for reason, number in refused.items()),
            unknown=standing.unknown_of(broadcast),
            paused_by_us=_paused_by_us(moves),
            people=[described(row) for row in first],
            shown=first[0] if first else None,
            values=values_of(first[0]) if first else preview_of(broadcast, first_lead(broadcast)),
            timeline=standing.timeline_of(broadcast, moves),
        )


class BroadcastLive(WhatsAppPage):
    """`/campaigns/wa_7/live`: the moving part, 304 when nothing moved."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        broadcast = self.broadcast(pk)
        progress = standing.progress_of(broadcast, moves_of(broadcast))
        return fragment(request, "campaigns/parts/live.html", _live(progress))


def _live(progress: Progress) -> dict[str, Any]:
    broadcast = progress.broadcast
    return {
        "broadcast": broadcast,
        "progress": progress,
        "segments": progress.segments(address_of(broadcast, "/people?status=")),
        "title": people(progress.total),
        "tiles": _tiles(progress),
    }


def _tiles(progress: Progress) -> list[dict[str, Any]]:
    currency = progress.broadcast.account.currency
    meant, read = f"{progress.meant:,}", progress.of("read")
    estimate = money(progress.estimate, currency)
    if progress.broadcast.status == BroadcastStatus.SCHEDULED:
        return [
            {"label": "Will get it", "value": meant, "of": f"{progress.total:,}"},
            {"label": "Left out", "value": f"{progress.of('skipped'):,}"},
            {"label": "Estimate", "value": estimate, "note": f"{money(progress.price, currency)} each"},
        ]
    share = standing.percent
    return [
        {
            "label": "Sent",
            "value": f"{progress.reached:,}",
            "of": meant,
            "note": _of(share(progress.reached, progress.meant), "people who can get one"),
        },
        {
            "label": "Delivered",
            "value": f"{progress.delivered:,}",
            "note": _of(share(progress.delivered, progress.reached), "sent"),
        },
        {
            "label": "Read",
            "value": f"{read:,}",
            "note": " · ".join(filter(None, [_of(share(read, progress.delivered), "delivered"), _replies(progress)])),
        },
        {"label": "Cost so far", "value": money(progress.cost, currency), "note": f"estimate {estimate}"},
    ]


def _of(share: str, whole: str) -> str:
    return f"{share} of {whole}" if share else ""


def _replies(progress: Progress) -> str:
    return f"{progress.replied:,} replied" if progress.replied else ""


def _paused_by_us(moves: list[Move]) -> str:
    """Why the system stopped it; empty when a person did, or when it is not paused."""
    last = moves[-1] if moves else None
    return last.reason if last and last.verb == "pause" and last.by_id is None else ""


class People(WhatsAppPage):
    """`/campaigns/wa_7/people`: everybody, by status, 100 a page."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        broadcast = self.broadcast(pk)
        progress = standing.progress_of(broadcast, [])
        chosen, words_asked = request.GET.get("status", ""), searched(request)
        page = keyed(_chosen(rows_of(broadcast), chosen, words_asked), request)
        return self.show(
            "campaigns/people_of_broadcast.html",
            broadcast=broadcast,
            here=address_of(broadcast),
            here_people=address_of(broadcast, "/people"),
            tabs=tabs(progress, chosen),
            page=Cut([described(row) for row in page.rows], page.label, page.previous, page.next),
            q=words_asked,
            chosen=chosen,
        )


class Export(WhatsAppPage):
    """`/campaigns/wa_7/export`: everybody as CSV, streamed; no cell runs as a formula."""

    def get(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        broadcast = self.broadcast(pk)
        rows = _chosen(rows_of(broadcast), request.GET.get("status", ""), "").order_by("pk")
        response = StreamingHttpResponse(_lines(rows), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="wa_{broadcast.pk}.csv"'
        response["Cache-Control"] = "private, no-store"
        return response


def _lines(rows: MessageQuerySet) -> Iterator[bytes]:
    yield csv_line(EXPORTED)
    for row in rows.iterator(chunk_size=CHUNK):
        yield csv_line(
            [
                row.conversation_user.name,
                row.phone,
                row.status,
                words.what_happened(row),
                row.error_code,
                row.provider_id,
                row.status_at.isoformat(timespec="seconds"),
            ]
        )


def rows_of(broadcast: Broadcast) -> MessageQuerySet:
    """The broadcast's people with their names."""
    rows: Any = CampaignLeadMessage.objects.of(broadcast).select_related("conversation_user")
    return rows  # type: ignore[no-any-return]  # a MessageQuerySet, whatever the stubs make of it


def _chosen(rows: MessageQuerySet, status: str, asked: str) -> Any:
    group = GROUPS.get(status)
    if status:
        rows = rows.filter(status__in=group[1] if group else [status])
    if asked:
        rows = rows.filter(
            Q(phone__startswith=phones.beginning(asked)) | Q(conversation_user__name__istartswith=asked),
        )
    return rows


def tabs(progress: Progress, chosen: str) -> list[dict[str, Any]]:
    """The people's tabs with their counts."""
    everybody = {"label": "All", "key": "", "count": progress.total, "here": not chosen}
    groups = [
        {"label": label, "key": key, "count": progress.of(*statuses), "here": chosen == key}
        for key, (label, statuses) in GROUPS.items()
    ]
    single = chosen and chosen not in GROUPS
    extra = [{"machine": True, "key": chosen, "count": progress.of(chosen), "here": True}] if single else []
    return [everybody, *groups, *extra]


def described(row: CampaignLeadMessage) -> CampaignLeadMessage:
    """The row with the line that says what happened."""
    row.told = words.what_happened(row)  # type: ignore[attr-defined]  # for the template
    return row


def values_of(row: CampaignLeadMessage) -> dict[str, str]:
    """The values the person's message was filled with, by number."""
    found: dict[str, str] = (row.context or {}).get("content_variables") or {}
    return found
