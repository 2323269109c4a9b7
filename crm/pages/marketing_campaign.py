"""One marketing campaign: where it stands, whom it reached, what came of it, and each of its people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpResponseRedirect

from accounts.merchant_page import searched
from accounts.merchant_progress import GROUPS, people
from accounts.roles import Permission
from campaigns_project.pages import Cut, flash, fragment, keyed
from campaigns_project.tones import look_of
from crm.customers import consent
from crm.marketing import campaigning, drafting, launching, listing, metrics
from crm.models import Delivery, MarketingCampaign, MarketingChannel, MarketingStatus
from crm.pages import marketing_progress as standing
from crm.pages.marketing import MarketingPage, address_of, left_out, what_happened
from crm.pages.marketing_forms import ReasonForm
from lifecycle.transition import TransitionNotAllowed

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from crm.models.delivery import DeliveryQuerySet
    from crm.pages.marketing_progress import Progress

FIRST_PEOPLE = 8
# What a person may do to a campaign: the status it leads to, the button, what is said afterwards.
ACTIONS = {
    "pause": ("paused", "Pause", "Paused. No new message leaves."),
    "resume": ("active", "Resume", "Going on with the rest."),
    "complete": ("completed", "End it", "It is over. Nobody else gets it."),
    "unschedule": ("draft", "Back to draft", "Back to draft. Nothing goes out by itself."),
    "delete": ("", "Discard the draft", "The draft is gone."),
}
_CALLS = {
    "calling": "Being handed over",
    "accepted": "Taken by the provider",
    "rejected": "Refused by the provider",
    "unknown": "No answer: nobody knows whether it was taken",
    "released": "Certainly not sent; tried again",
}
_MOMENTS = {
    "delivered_at": ("Arrived", "green"),
    "opened_at": ("Opened", "green"),
    "clicked_at": ("Followed a link", "green"),
    "converted_at": ("Ordered", "green"),
    "unsubscribed_at": ("Unsubscribed", "orange"),
}


class Campaign(MarketingPage):
    """`/campaigns/camp_…`. A draft is still being written: it opens in the steps."""

    def get(self, request: HttpRequest, campaign_id: str) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        campaign = self.campaign(campaign_id)
        if campaign.status == MarketingStatus.DRAFT:
            return HttpResponseRedirect(address_of(campaign, "/edit/review"))
        progress = standing.progress_of(campaign)
        skipped = sorted(metrics.left_out(campaign).items(), key=lambda each: -each[1])
        return self.show(
            "crm/marketing_campaign.html",
            **_live(progress),
            tabs=_tabs(progress, ""),
            skipped=[
                {"label": left_out(why), "value": count, "href": address_of(campaign, f"/people?reason={why}")}
                for why, count in skipped
            ],
            unknown=standing.unknown_of(campaign),
            ways=[(MarketingChannel(each).label, count) for each, count in standing.by_channel(campaign)],
            people=_described(_rows(campaign).order_by("pk")[:FIRST_PEOPLE]),
            messages_shown=drafting.messages(campaign, drafting.examples(campaign)[:1]),
            timeline=standing.timeline_of(campaign),
        )


class CampaignLive(MarketingPage):
    """`/campaigns/camp_…/live`: the moving part, 304 when nothing moved."""

    def get(self, request: HttpRequest, campaign_id: str) -> HttpResponse:
        progress = standing.progress_of(self.campaign(campaign_id))
        return fragment(request, "campaigns/parts/live.html", _live(progress))


class CampaignPeople(MarketingPage):
    """`/campaigns/camp_…/people`: everybody, by status and reason, 100 a page."""

    def get(self, request: HttpRequest, campaign_id: str) -> HttpResponse:
        campaign = self.campaign(campaign_id)
        chosen, why, asked = request.GET.get("status", ""), request.GET.get("reason", ""), searched(request)
        rows = _rows(campaign).filter(**_wanted(chosen, why))
        if asked:
            rows = rows.filter(Q(address__istartswith=asked) | Q(customer__first_name__istartswith=asked))
        page = keyed(rows, request)
        return self.show(
            "crm/marketing_people.html",
            campaign=campaign,
            here=address_of(campaign),
            tabs=_tabs(standing.progress_of(campaign), chosen),
            page=Cut(_described(page.rows), page.label, page.previous, page.next),
            q=asked,
            chosen=chosen,
            why=left_out(why) if why else "",
            asked=urlencode({name: value for name, value in (("status", chosen), ("reason", why)) if value}),
        )


class ExportPeople(MarketingPage):
    """`/campaigns/camp_…/export`: the same people as CSV, streamed."""

    def get(self, request: HttpRequest, campaign_id: str) -> HttpResponseBase:
        campaign = self.campaign(campaign_id)
        wanted = _wanted(request.GET.get("status", ""), request.GET.get("reason", ""))
        return listing.as_file(campaign, by=self.user, **wanted)


class PersonOfCampaign(MarketingPage):
    """`/campaigns/camp_…/people/9`: why one person did, or did not, get it."""

    def get(self, request: HttpRequest, campaign_id: str, delivery: int) -> HttpResponse:  # noqa: ARG002 (Django's)
        campaign = self.campaign(campaign_id)
        rows = Delivery.objects.select_related("customer", "account")
        row = self.find(rows, pk=delivery, campaign=campaign)
        attempts = list(row.attempts.order_by("pk"))
        allowed = consent.standing(self.account.pk, [row.customer])[row.customer_id]
        return self.show(
            "crm/marketing_person.html",
            campaign=campaign,
            here=address_of(campaign),
            row=row,
            what=what_happened(row),
            unknown=any(attempt.state == "unknown" for attempt in attempts),
            allowed=[(MarketingChannel(each).label, allowed[each]) for each in campaign.channels],
            message=drafting.shown(campaign, row.channel or campaign.channels[0], row.customer),
            timeline=sorted(_told(row, attempts), key=lambda entry: entry["at"])[::-1],
        )


class ConfirmCampaign(MarketingPage):
    """`/campaigns/camp_…/confirm/pause`: what changes, and for how many."""

    needs = {"GET": Permission.SEND, "POST": Permission.SEND}

    def get(self, request: HttpRequest, campaign_id: str, action: str) -> HttpResponse:  # noqa: ARG002 (Django's)
        campaign = self.campaign(campaign_id)
        self._asked(campaign, action)
        return self._page(campaign, action, ReasonForm())

    def post(self, request: HttpRequest, campaign_id: str, action: str) -> HttpResponse:
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self._page(self.campaign(campaign_id), action, form, status=400)
        with transaction.atomic():
            campaign = self.campaign(campaign_id, locked=True)
            status = self._asked(campaign, action)
            if action == "delete":
                campaigning.remove(campaign)
                return flash(request, ACTIONS[action][2], "/campaigns")
            launching.move(campaign, status, by=self.user, reason=form.cleaned_data["reason"])
        return flash(request, ACTIONS[action][2], address_of(campaign))

    @staticmethod
    def _asked(campaign: MarketingCampaign, action: str) -> str:
        """The status it leads to. Raises Http404 for no action, TransitionNotAllowed where it is not possible now."""
        if action not in ACTIONS:
            raise Http404
        status = ACTIONS[action][0]
        sources = [source for (source, target), verb in launching.VERBS.items() if verb == action and target == status]
        if campaign.status not in (sources or [MarketingStatus.DRAFT]):
            raise TransitionNotAllowed(f"This campaign is {campaign.status}.")
        return status

    def _page(self, campaign: MarketingCampaign, action: str, form: ReasonForm, status: int = 200) -> HttpResponse:
        progress = standing.progress_of(campaign)
        return self.show(
            "crm/marketing_confirm.html",
            status,
            campaign=campaign,
            action=action,
            form=form,
            danger=action in ("complete", "delete"),
            back=address_of(campaign),
            rest=people(progress.remaining),
            verb=ACTIONS[action][1],
        )


def _live(progress: Progress) -> dict[str, Any]:
    campaign = progress.campaign
    return {
        "campaign": campaign,
        "here": address_of(campaign),
        "progress": progress,
        "segments": progress.segments(address_of(campaign, "/people?status=")),
        "title": people(progress.total),
        "tiles": progress.tiles,
    }


def _rows(campaign: MarketingCampaign) -> DeliveryQuerySet:
    """The campaign's people with their names."""
    rows: Any = Delivery.objects.of(campaign).with_outcome().select_related("customer")
    return rows  # type: ignore[no-any-return]  # a DeliveryQuerySet, whatever the stubs make of it


def _wanted(status: str, reason: str) -> dict[str, Any]:
    """Filters of deliveries: a tab or one status, and why somebody was left out."""
    wanted: dict[str, Any] = {}
    if status:
        group = GROUPS.get(status)
        wanted["status__in"] = group[1] if group else [status.replace("\x00", "")]
    if reason:
        wanted["skip_reason"] = reason.replace("\x00", "")
    return wanted


def _described(rows: Any) -> list[Any]:
    found = list(rows)
    for row in found:
        row.told = what_happened(row)
    return found


def _tabs(progress: Progress, chosen: str) -> list[dict[str, Any]]:
    groups = [
        {"label": label, "key": key, "count": progress.of(*statuses), "here": key == chosen}
        for key, (label, statuses) in GROUPS.items()
    ]
    return [{"label": "All", "key": "", "count": progress.total, "here": not chosen}, *groups]


def _told(row: Delivery, attempts: Any) -> list[dict[str, Any]]:
    """What happened to one person's message, in no order."""
    history: Any = Delivery.machine.moves
    moves = history.objects.filter(account_id=row.account_id, row_id=row.pk).order_by("id")
    born = "skipped" if row.status == "skipped" and row.status_at == row.created_at else "queued"
    told = [_entry(look_of("message", born), row.created_at)]
    told += [_entry(look_of("message", move.target), move.at, move.reason) for move in moves]
    for attempt in attempts:
        detail = " · ".join(filter(None, [attempt.provider_id, attempt.code]))
        tone = look_of("attempt", attempt.state).tone
        at = attempt.ended_at or attempt.called_at
        told.append({"title": _CALLS[attempt.state], "tone": tone, "at": at, "detail": detail})
    for name, (title, tone) in _MOMENTS.items():
        if at := getattr(row, name):
            told.append({"title": title, "tone": tone, "at": at, "detail": ""})
    return told


def _entry(look: Any, at: Any, detail: str = "") -> dict[str, Any]:
    return {"title": look.label, "tone": look.tone, "at": at, "detail": detail}
