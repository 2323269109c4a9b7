"""Pause, resume, cancel: each asks once more, with the numbers, on a page of its own (a dialog where scripts run)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import Http404

from accounts.merchant_progress import people
from campaigns import broadcasting
from campaigns.forms import NameTypedForm, NumberTypedForm, ReasonForm
from campaigns.models import Broadcast, BroadcastStatus
from campaigns.pages import progress as standing
from campaigns.pages import words
from campaigns.pages.door import WhatsAppPage, address_of
from campaigns_project.pages import flash
from lifecycle.transition import TransitionNotAllowed

if TYPE_CHECKING:
    from django import forms
    from django.http import HttpRequest, HttpResponse

    from campaigns.pages.progress import Progress

ACTIONS = ("pause", "resume", "cancel", "unschedule")
RUNNING = (BroadcastStatus.SENDING, BroadcastStatus.PAUSED)


class Confirm(WhatsAppPage):
    """`/campaigns/wa_7/confirm/pause`: what changes, for how many, at what cost."""

    needs = {"GET": "send", "POST": "send"}

    def get(self, request: HttpRequest, pk: int, action: str) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        broadcast, progress = self._asked(pk, action)
        return self._page(broadcast, progress, action, _form(broadcast, progress, action, None))

    def post(self, request: HttpRequest, pk: int, action: str) -> HttpResponse:
        broadcast, progress = self._asked(pk, action)
        form = _form(broadcast, progress, action, request.POST)
        if not form.is_valid():
            return self._page(broadcast, progress, action, form, status=400)
        done = _done(broadcast, action, by=self.user, reason=form.cleaned_data["reason"])
        drafted = action == "unschedule"
        return flash(request, done, address_of(broadcast, "/edit/review") if drafted else _after(broadcast))

    def _asked(self, pk: int, action: str) -> tuple[Broadcast, Progress]:
        if action not in ACTIONS:
            raise Http404
        broadcast = self.broadcast(pk)
        if broadcast.status not in Broadcast.machine.edge(action).sources:
            raise TransitionNotAllowed(f"This broadcast is {broadcast.status}.")
        return broadcast, standing.progress_of(broadcast, [])

    def _page(
        self, broadcast: Broadcast, progress: Progress, action: str, form: forms.Form, status: int = 200
    ) -> HttpResponse:
        return self.show(
            "campaigns/confirm.html",
            status,
            broadcast=broadcast,
            progress=progress,
            action=action,
            form=form,
            danger=action == "cancel",
            back=address_of(broadcast),
            rest=people(progress.remaining),
            verb=_verb(broadcast, progress, action),
            cost=progress.remaining * progress.price,
        )


def _form(broadcast: Broadcast, progress: Progress, action: str, data: Any) -> forms.Form:
    if action == "cancel" and broadcast.status in RUNNING:
        return NameTypedForm(broadcast.campaign.name, data)
    if action == "resume" and progress.remaining > settings.APPROVAL_PEOPLE:
        return NumberTypedForm(progress.remaining, data)
    return ReasonForm(data)


def _verb(broadcast: Broadcast, progress: Progress, action: str) -> str:
    if action == "cancel":
        return "Discard this draft" if broadcast.status == BroadcastStatus.DRAFT else "Stop for good"
    return {
        "pause": "Pause sending",
        "resume": f"Send {words.messages(progress.remaining)}",
        "unschedule": "Back to draft",
    }[action]


def _done(broadcast: Broadcast, action: str, *, by: Any, reason: str) -> str:
    """Do it, and say so."""
    if action == "unschedule":
        broadcast.unschedule(by=by, reason=reason, scheduled_at=None)
        return "Back to draft. Nothing goes out by itself."
    was = broadcast.status
    verbs = {"pause": broadcasting.pause, "resume": broadcasting.resume, "cancel": broadcasting.cancel}
    stands = verbs[action](broadcast, by=by, reason=reason)
    waiting = people(stands["remaining"])
    if action == "pause":
        return f"Paused. {waiting} waiting; {stands['in_flight']:,} were with Twilio already."
    if action == "resume":
        return f"Going on with {waiting}."
    return "The draft is gone." if was == BroadcastStatus.DRAFT else "Cancelled. Nobody else gets it."


def _after(broadcast: Broadcast) -> str:
    return address_of(broadcast) if broadcast.started_at or broadcast.status in BroadcastStatus.OPEN else "/campaigns"
