"""The last step of a marketing campaign: checks, numbers, the button that says how many, and a second person's word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction

from accounts.merchant_progress import people
from accounts.roles import Permission
from campaigns_project.pages import flash
from campaigns_project.refusals import Refusal
from crm.audiences import segments
from crm.marketing import drafting, launching, planning, trials
from crm.models import MarketingChannel, Trial
from crm.pages.marketing import address_of, left_out, said
from crm.pages.marketing_forms import LaunchForm, TestForm
from crm.pages.marketing_steps import LaunchedError, Step
from lifecycle.transition import TransitionNotAllowed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest, HttpResponse

    from crm.models import MarketingCampaign

Check = dict[str, Any]
TESTS_SHOWN = 5
# Where what stands in the way is put right.
MENDED = {"segment_id": "audience", "channels": "content", "schedule.end_date": "offer"}


class Review(Step):
    """Step 4, the last stop."""

    step = "review"
    # Whoever writes drafts may look; launching asks for more.
    needs = {"GET": Permission.VIEW, "POST": Permission.SEND}

    def get(self, request: HttpRequest, campaign_id: str) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        campaign = self.draft(campaign_id)
        found = self._found(campaign)
        form = self._form(found, None, initial={"seen": drafting.snapshot(campaign, found)})
        return self._page(campaign, form, found)

    def post(self, request: HttpRequest, campaign_id: str) -> HttpResponse:
        campaign = self.draft(campaign_id)
        found = self._found(campaign)
        form = self._form(found, request.POST)
        if not form.is_valid():
            return self._page(campaign, form, found, status=400)
        try:
            with transaction.atomic():
                locked = self.draft(campaign_id, locked=True)
                asked = drafting.launch(locked, seen=form.cleaned_data["seen"], by=self.user)
        except drafting.AudienceChanged as change:
            return flash(request, _changed(change), request.path, level=messages.WARNING)
        except TransitionNotAllowed:
            raise LaunchedError(campaign) from None
        except Refusal as refusal:
            return flash(request, said(refusal), request.path, level=messages.ERROR)
        if asked:
            return flash(request, "Asked. It goes out when a second person agrees.", request.path)
        done = "Scheduled for" if drafting.starts_later(campaign) else "Sending to"
        return flash(request, f"{done} {people(found['audience'])}.", address_of(campaign))

    @staticmethod
    def _found(campaign: MarketingCampaign) -> dict[str, Any]:
        """The preflight, or nobody while it is not said whom and how."""
        if campaign.segment is None or not campaign.channels:
            return {"audience": 0, "channels": {}, "skips": {}}
        return planning.preflight(campaign)

    def _form(self, found: dict[str, Any], data: Any, **options: Any) -> LaunchForm:
        large = found["audience"] > settings.APPROVAL_PEOPLE and not self.account.require_approval
        return LaunchForm(data, expected=found["audience"] if large else None, **options)

    def _page(
        self, campaign: MarketingCampaign, form: LaunchForm, found: dict[str, Any], status: int = 200
    ) -> HttpResponse:
        number = found["audience"]
        asks = number > settings.APPROVAL_PEOPLE and self.account.require_approval
        verb = "Schedule for" if drafting.starts_later(campaign) else "Send to"
        skips = sorted(found["skips"].items(), key=lambda each: -each[1])
        return self.page(
            campaign,
            status,
            form=form,
            found=found,
            checks=list(_checks(campaign, found)),
            ways=[(MarketingChannel(each).label, found["channels"].get(each, 0)) for each in campaign.channels],
            left=[{"label": left_out(reason), "value": count} for reason, count in skips],
            button=f"Ask to reach {people(number)}" if asks else f"{verb} {people(number)}",
            approval=drafting.open_approval(campaign),
            later=drafting.starts_later(campaign),
            test_form=TestForm(channels=campaign.channels, initial={"to": self.user.email}),
            tests=Trial.objects.for_account(self.account).filter(campaign=campaign).order_by("-pk")[:TESTS_SHOWN],
        )


class TestSend(Step):
    """The message as it is now, to oneself."""

    needs = {"POST": Permission.SEND}

    def post(self, request: HttpRequest, campaign_id: str) -> HttpResponse:
        campaign = self.draft(campaign_id)
        review = address_of(campaign, "/edit/review")
        form = TestForm(request.POST, channels=campaign.channels)
        if not form.is_valid():
            sentences = [str(each) for found in form.errors.values() for each in found]
            return flash(request, " ".join(sentences), review, level=messages.ERROR)
        try:
            done = trials.send(campaign, **form.cleaned_data, by=self.user)
        except Refusal as refusal:
            return flash(request, said(refusal), review, level=messages.ERROR)
        return flash(request, f"On its way to {', '.join(trial.address for trial in done)}.", review)


class Decide(Step):
    """The second person's yes or no."""

    needs = {"POST": Permission.SEND}

    def post(self, request: HttpRequest, campaign_id: str) -> HttpResponse:
        granted = request.POST.get("decision") == "yes"
        review = f"/campaigns/{campaign_id}/edit/review"
        try:
            with transaction.atomic():
                campaign = self.draft(campaign_id, locked=True)
                asked = drafting.decide(campaign, by=self.user, granted=granted)
        except Refusal as refusal:
            return flash(request, said(refusal), review, level=messages.ERROR)
        if asked:
            again = "It has grown since you were asked, so now your word waits for a second person."
            return flash(request, again, review, level=messages.WARNING)
        return flash(request, "Agreed. It goes out." if granted else "Refused. Nothing was sent.", address_of(campaign))


def _checks(campaign: MarketingCampaign, found: dict[str, Any]) -> Iterator[Check]:
    obstacles = launching.obstacles(campaign)
    for field, sentences in obstacles.items():
        step = MENDED.get(field)
        mend = {"href": address_of(campaign, f"/edit/{step}"), "action": "Change"} if step else {}
        yield {"ok": False, "title": " ".join(sentences), "detail": "", **mend}
    if not obstacles:
        yield {"ok": True, "title": "Everything it needs is there", "detail": "Words, channels and connections."}
    if campaign.segment is not None:
        yield _size(campaign)
    if found["audience"]:
        yield {"ok": True, "title": f"{people(found['audience'])} will get it", "detail": "One message each."}
    elif campaign.segment is not None and campaign.channels:
        yield {"ok": False, "title": "Nobody will get it", "detail": "See below why they are left out."}
    if campaign.is_marketing:
        yield {
            "ok": True,
            "title": "Nobody is woken, and nobody gets two in a day",
            "detail": "Nothing is sent from 21 to 8 where they live, nor within 24 hours of another one.",
        }


def _size(campaign: MarketingCampaign) -> Check:
    assert campaign.segment is not None
    try:
        segments.refuse_too_large(campaign.segment, campaign.channels)
    except segments.SegmentTooLarge as refusal:
        mend = {"href": address_of(campaign, "/edit/audience"), "action": "Change"}
        return {"ok": False, "title": "The audience is too large", "detail": said(refusal), **mend}
    seen = campaign.segment.refreshed_at
    fresh = f", as of {seen:%H:%M} UTC" if seen else ""
    return {"ok": True, "title": f"{campaign.segment.name}: {people(campaign.segment.size)}{fresh}", "detail": ""}


def _changed(change: drafting.AudienceChanged) -> str:
    """`12 more people since you looked.`"""
    more = change.details["now"] - change.details["before"]
    if not more:
        return "Something changed since you looked. Look again before you send."
    return f"{people(abs(more)).replace(' ', ' more ' if more > 0 else ' fewer ', 1)} since you looked."
