"""The last step: checks, numbers, a test, the button that says how many, and the second person's word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages

from accounts.merchant_progress import people
from campaigns import broadcasting, drafting
from campaigns.forms import LaunchForm, TestForm
from campaigns.pages import checks, words
from campaigns.pages.door import address_of
from campaigns.pages.wizard import NoDraftError, Step, first_lead, preview_of
from campaigns_project.pages import flash
from campaigns_project.refusals import Refusal
from lifecycle.transition import TransitionNotAllowed

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from campaigns.models import Broadcast


class Review(Step):
    """Step 4, the last stop: checks, numbers, a test, and the button that says how many."""

    step = "review"
    # Whoever writes drafts may look; sending asks for more.
    needs = {"GET": "view", "POST": "send"}

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        broadcast = drafting.refresh(self.draft(pk))
        seen = drafting.snapshot(broadcast)
        return self._page(broadcast, self._form(broadcast, None, initial={"seen": seen, "when": "now"}))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        broadcast = self.draft(pk)
        form = self._form(broadcast, request.POST)
        if not form.is_valid():
            return self._page(drafting.refresh(broadcast), form, status=400)
        at = form.cleaned_data["at"]
        try:
            asked = drafting.launch(broadcast, seen=form.cleaned_data["seen"], by=self.user, at=at)
        except drafting.AudienceChanged as change:
            return flash(request, changed(change), request.path, level=messages.WARNING)
        except TransitionNotAllowed:
            raise NoDraftError(broadcast) from None
        except Refusal as refusal:
            return flash(request, _said(refusal), request.path, level=messages.ERROR)
        if asked:
            return flash(request, "Asked. It goes out when a second person agrees.", request.path)
        number = broadcast.preflight["audience"]
        done = "Scheduled for" if at else "Sending to"
        return flash(request, f"{done} {people(number)}.", address_of(broadcast))

    def _form(self, broadcast: Broadcast, data: Any, **options: Any) -> LaunchForm:
        number = broadcast.preflight["audience"]
        expected = number if number > settings.APPROVAL_PEOPLE else None
        return LaunchForm(data, time_zone=self.account.time_zone, expected=expected, **options)

    def _page(self, broadcast: Broadcast, form: LaunchForm, status: int = 200) -> HttpResponse:
        number, link = broadcast.preflight["audience"], checks.connection_of(self.account)
        return self.page(
            broadcast,
            status,
            form=form,
            checks=checks.before_sending(broadcast, link),
            button=f"Send {words.messages(number)}",
            heading=f"Send to {people(number)}",
            takes=checks.how_long(broadcast, link),
            approval=drafting.open_approval(broadcast),
            large=drafting.needs_approval(broadcast),
            test_form=TestForm(),
        )


class TestSend(Step):
    """One message to one's own phone, outside the audience."""

    needs = {"POST": "send"}

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        broadcast = self.draft(pk)
        back = address_of(broadcast, "/edit/review")
        form = TestForm(request.POST)
        if not form.is_valid():
            return flash(request, " ".join(map(str, form.errors["phone"])), back, level=messages.ERROR)
        lead = first_lead(broadcast)
        values = preview_of(broadcast, lead)
        try:
            broadcasting.test_send(broadcast.campaign, phone=form.cleaned_data["phone"], values=values, by=self.user)
        except Refusal as refusal:
            return flash(request, _said(refusal), back, level=messages.ERROR)
        return flash(request, f"On its way to {form.cleaned_data['phone']}.", back)


class Decide(Step):
    """The second person's yes or no."""

    needs = {"POST": "send"}

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        broadcast = self.draft(pk)
        granted = request.POST.get("decision") == "yes"
        review = address_of(broadcast, "/edit/review")
        try:
            asked = drafting.decide(broadcast, by=self.user, granted=granted)
        except Refusal as refusal:
            return flash(request, _said(refusal), review, level=messages.ERROR)
        if asked:
            again = "It has grown since you were asked, so now your word waits for a second person."
            return flash(request, again, review, level=messages.WARNING)
        return flash(
            request, "Agreed. It goes out." if granted else "Refused. Nothing was sent.", address_of(broadcast)
        )


def changed(change: drafting.AudienceChanged) -> str:
    """`12 more people since you looked.`"""
    more = change.details["now"] - change.details["before"]
    if not more:
        return "Something changed since you looked. Look again before you send."
    return f"{people(abs(more)).replace(' ', ' more ' if more > 0 else ' fewer ', 1)} since you looked."


def _said(refusal: Refusal) -> str:
    sentences = [sentence for found in refusal.details.values() if isinstance(found, list) for sentence in found]
    return " ".join(map(str, [refusal.message, *sentences]))
