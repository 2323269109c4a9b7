"""The four steps to a broadcast. Each is a page of its own that saves the draft; going back loses nothing."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpResponseRedirect

from accounts.merchant_progress import people
from campaigns import drafting, handing_out, importing, leads
from campaigns.forms import AudienceForm, ValuesForm
from campaigns.models import Broadcast, BroadcastStatus, Campaign, CampaignLead
from campaigns.pages import checks, words
from campaigns.pages.door import WhatsAppPage, address_of
from campaigns.previewing import preview
from campaigns_project.pages import flash, fragment
from campaigns_project.refusals import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest, HttpResponse

    from accounts.models import User
    from campaigns_project.models import Job

STEPS = ("audience", "template", "personalise", "review")
SHOWN_LEADS = 6
AUTHORED = {"GET": "author", "POST": "author"}
SOURCES = {
    "merchant_name": "your account",
    "merchant_phone": "your account",
    "lead_name": "each person",
    "lead_phone": "each person",
}


class Step(WhatsAppPage):
    """One step of one draft. What has started is no draft any more: its own page opens instead."""

    needs = AUTHORED
    step = ""

    def dispatch(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        try:
            return super().dispatch(request, *args, **options)
        except NoDraftError as already:
            return HttpResponseRedirect(address_of(already.broadcast))

    def draft(self, pk: int) -> Broadcast:
        broadcast = self.broadcast(pk)
        if broadcast.status != BroadcastStatus.DRAFT:
            raise NoDraftError(broadcast)
        return broadcast

    def page(self, broadcast: Broadcast, status: int = 200, **context: Any) -> HttpResponse:
        lead = first_lead(broadcast)
        shown = preview_of(broadcast, lead)
        steps = [(name.capitalize(), address_of(broadcast, f"/edit/{name}")) for name in STEPS]
        return self.show(
            f"campaigns/wizard_{self.step}.html",
            status,
            broadcast=broadcast,
            here=address_of(broadcast),
            steps=steps,
            number=STEPS.index(self.step) + 1,
            lead=lead,
            values=shown,
            net=broadcast.preflight["audience"],
            left=left_out(broadcast),
            estimate=broadcast.preflight["estimated_cost"]["amount"],
            price=settings.MESSAGE_PRICE_MINOR[broadcast.campaign.campaign_type],
            **context,
        )

    def on(self, broadcast: Broadcast) -> HttpResponse:
        """To the next step, or out with "Save and close"."""
        if "close" in self.request.POST:
            return flash(self.request, "Saved as a draft.", "/campaigns")
        return HttpResponseRedirect(address_of(broadcast, f"/edit/{STEPS[STEPS.index(self.step) + 1]}"), status=303)


def taken_in(campaign: Campaign, given: Mapping[str, Any], *, by: User) -> tuple[int, Job | None]:
    """Put pasted people on the list (returns how many are new there) and a file into a job. Raises Invalid."""
    found = leads.add(campaign, given["people"]) if given["people"] else {"created": 0, "reactivated": 0}
    job = importing.import_csv(campaign, given["file"], by=by) if given["file"] else None
    return found["created"] + found["reactivated"], job


class NoDraftError(Exception):
    """It was started, scheduled or cancelled meanwhile."""

    def __init__(self, broadcast: Broadcast) -> None:
        super().__init__(str(broadcast))
        self.broadcast = broadcast


class Audience(Step):
    """Step 1: whom it is for."""

    step = "audience"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        broadcast = drafting.refresh(self.draft(pk))
        return self._page(broadcast, AudienceForm(initial={"again": broadcast.force}))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        broadcast = self.draft(pk)
        form = AudienceForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(drafting.refresh(broadcast), form, status=400)
        try:
            added, job = taken_in(broadcast.campaign, form.cleaned_data, by=self.user)
        except Invalid as refusal:
            form.add_error("file", [sentence for found in refusal.details.values() for sentence in found])
            return self._page(drafting.refresh(broadcast), form, status=400)
        drafting.include_again(broadcast, again=form.cleaned_data["again"])
        if job:
            return flash(request, "The file is being read.", f"/jobs/{job.public_id}?next={request.path}")
        return flash(request, f"{people(added)} added.", request.path) if "add" in request.POST else self.on(broadcast)

    def _page(self, broadcast: Broadcast, form: AudienceForm, status: int = 200) -> HttpResponse:
        active = CampaignLead.objects.of(broadcast.campaign).active().with_phone()
        return self.page(
            broadcast,
            status,
            form=form,
            some=list(active.order_by("-pk")[:SHOWN_LEADS]),
            everybody=broadcast.preflight["audience"] + sum(broadcast.preflight["skips"].values()),
        )


class Template(Step):
    """Step 2: which template; only approved ones that are switched on can be chosen."""

    step = "template"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self._page(self.draft(pk))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        broadcast = self.draft(pk)
        asked = request.POST.get("template", "")
        chosen = next((one for one in self._offered(broadcast) if str(one.pk) == asked), None)
        if chosen is None or not checks.sendable(chosen):
            return self._page(broadcast, status=400, problem="Choose an approved template.")
        drafting.choose_template(broadcast, chosen, bring="bring" in request.POST)
        return self.on(broadcast)

    def _offered(self, broadcast: Broadcast) -> list[Campaign]:
        """Newest versions, older ones that still may send, and what the draft has."""
        rows = Campaign.objects.for_account(self.account).order_by("name", "language", "-pk")
        return [
            one
            for one in rows
            if one.pk == broadcast.campaign_id or (one.status != "archived" and (one.is_head or checks.sendable(one)))
        ]

    def _page(self, broadcast: Broadcast, status: int = 200, problem: str = "") -> HttpResponse:
        offered = [
            {
                "row": one,
                "open": checks.sendable(one),
                "why": checks.why_not(one),
                "here": one.pk == broadcast.campaign_id,
            }
            for one in self._offered(broadcast)
        ]
        size = drafting.audience_size(broadcast.campaign)
        ready = [one for one in offered if one["open"] or one["here"]]
        others = [one for one in offered if not one["open"] and not one["here"]]
        return self.page(broadcast, status, ready=ready, others=others, problem=problem, size=size)


class Personalise(Step):
    """Step 3: what stands in for each variable."""

    step = "personalise"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        broadcast = self.draft(pk)
        return self._page(broadcast, self._form(broadcast))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        broadcast = self.draft(pk)
        form = self._form(broadcast, request.POST)
        if form.is_valid():
            try:
                drafting.personalise(broadcast, form.values, pool=form.cleaned_data.get("pool", ""))
            except Invalid as refusal:
                for path, sentences in refusal.details.items():
                    field = f"value_{path.rpartition('.')[2]}"
                    form.add_error(field if field in form.fields else None, sentences)
            else:
                return self.on(broadcast)
        return self._page(broadcast, form, status=400)

    def _form(self, broadcast: Broadcast, data: Any = None) -> ValuesForm:
        names = broadcast.campaign.variables.values()
        kept = {**broadcast.campaign.variable_defaults, **broadcast.values}
        first = {"pool": broadcast.code_pool, **{f"value_{name}": kept.get(name, "") for name in names}}
        form = ValuesForm(names, data, initial=first, pools=handing_out.offered(broadcast))
        for name in names:
            form.fields[f"value_{name}"].help_text = self._hint(broadcast, name)
        return form

    def _hint(self, broadcast: Broadcast, name: str) -> str:
        lacking = name in broadcast.preflight.get("missing_variables", [])
        source = SOURCES.get(name, "each person's own variables")
        return f"From {source}; this stands in where nothing is known." + (" Some people need it." if lacking else "")

    def _page(self, broadcast: Broadcast, form: ValuesForm, status: int = 200) -> HttpResponse:
        return self.page(broadcast, status, form=form)


class PersonalisePreview(Step):
    """The bubble beside step 3, for what is being typed."""

    needs = {"POST": "author"}

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        broadcast = self.draft(pk)
        form = ValuesForm(broadcast.campaign.variables.values(), request.POST)
        typed = form.values if form.is_valid() else {}
        lead = first_lead(broadcast)
        shown = preview_of(broadcast, lead, typed)
        context = {"broadcast": broadcast, "values": shown, "account": self.account, "lead": lead}
        return fragment(request, "campaigns/parts/bubble.html", context)


def first_lead(broadcast: Broadcast) -> CampaignLead | None:
    """Somebody of the audience, to show the message to."""
    return CampaignLead.objects.of(broadcast.campaign).active().with_phone().order_by("pk").first()


def preview_of(broadcast: Broadcast, lead: CampaignLead | None, typed: dict[str, str] | None = None) -> dict[str, str]:
    """Values by variable name, as this person would get them."""
    campaign = copy.copy(broadcast.campaign)
    given = {**campaign.variable_defaults, **broadcast.values} if typed is None else typed
    used = {name: value for name, value in given.items() if name in campaign.variables.values()}
    # The same split as when it is saved: what a person has of their own comes before these words.
    campaign.variable_defaults = {name: value for name, value in used.items() if name in drafting.PERSONAL}
    call = {name: value for name, value in used.items() if name not in drafting.PERSONAL}
    call |= handing_out.sample(broadcast)
    try:
        shown = preview(campaign, lead=lead, values=call)
    except Invalid:
        return {}
    found: dict[str, str] = shown["variables"]
    return found


def left_out(broadcast: Broadcast) -> list[dict[str, Any]]:
    """Who will not get it, by reason."""
    skips = broadcast.preflight["skips"].items()
    return [{"label": words.left_out(reason), "value": number} for reason, number in sorted(skips, key=lambda x: -x[1])]
