"""The first steps of a marketing campaign. Each is a page of its own that saves the draft; going back loses nothing."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.http import HttpResponseRedirect

from accounts.roles import Permission
from campaigns_project.pages import flash
from campaigns_project.refusals import Refusal
from crm.marketing import campaigning, drafting
from crm.models import MarketingStatus
from crm.pages.marketing import MarketingPage, address_of
from crm.pages.marketing_forms import AudienceForm, ContentForm, OfferForm, StartForm

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from crm.models import MarketingCampaign
    from crm.pages.marketing_forms import StepForm

STEPS = ("audience", "content", "offer", "review")
HEADINGS = {
    "audience": ("Who gets it?", "Everybody in the audience gets one message, on the first channel that reaches them."),
    "content": ("What do they read?", "The same words on every channel, or a channel's own."),
    "offer": ("When, and with what offer?", "Nothing is sent before the last step."),
}


class NewMarketing(MarketingPage):
    """`/campaigns/new/marketing`: a name and a kind; then the steps."""

    needs = {"GET": Permission.AUTHOR, "POST": Permission.AUTHOR}

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self.show("crm/marketing_new.html", form=StartForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = StartForm(request.POST)
        if not form.is_valid():
            return self.show("crm/marketing_new.html", 400, form=form)
        campaign = campaigning.create(self.account, by=self.user, may_make_promos=False, **form.said)
        return HttpResponseRedirect(address_of(campaign, "/edit/audience"), status=303)


class LaunchedError(Exception):
    """It is no draft (any more): its own page opens instead."""

    def __init__(self, campaign: MarketingCampaign) -> None:
        super().__init__(str(campaign))
        self.campaign = campaign


class Step(MarketingPage):
    """One step of one draft. What has been launched, or waits for its time, opens as what it is."""

    needs = {"GET": Permission.AUTHOR, "POST": Permission.AUTHOR}
    step = ""

    def dispatch(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        try:
            return super().dispatch(request, *args, **options)
        except LaunchedError as already:
            return HttpResponseRedirect(address_of(already.campaign))

    def draft(self, campaign_id: str, *, locked: bool = False) -> MarketingCampaign:
        campaign = self.campaign(campaign_id, locked=locked)
        if campaign.status != MarketingStatus.DRAFT:
            raise LaunchedError(campaign)
        return campaign

    def page(self, campaign: MarketingCampaign, status: int = 200, **context: Any) -> HttpResponse:
        people = drafting.examples(campaign)
        return self.show(
            f"crm/marketing_{self.step}.html",
            status,
            campaign=campaign,
            here=address_of(campaign),
            steps=[(name.capitalize(), address_of(campaign, f"/edit/{name}")) for name in STEPS],
            number=STEPS.index(self.step) + 1,
            messages_shown=drafting.messages(campaign, people[: 3 if self.step == "offer" else 1]),
            **context,
        )


class FormStep(Step):
    """A step with a form; saved, it leads to the next."""

    @abstractmethod
    def form_of(self, campaign: MarketingCampaign, data: Any = None) -> StepForm:
        """The step's form, with what the campaign says now or with what was typed."""

    def get(self, request: HttpRequest, campaign_id: str) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        campaign = self.draft(campaign_id)
        return self._page(campaign, self.form_of(campaign))

    def post(self, request: HttpRequest, campaign_id: str) -> HttpResponse:
        campaign = self.draft(campaign_id)
        form = self.form_of(campaign, request.POST)
        if form.is_valid() and self._saved(campaign_id, form):
            if "close" in request.POST:
                return flash(request, "Saved.", "/campaigns")
            onward = STEPS[STEPS.index(self.step) + 1]
            return HttpResponseRedirect(address_of(campaign, f"/edit/{onward}"), status=303)
        return self._page(campaign, form, status=400)

    def _saved(self, campaign_id: str, form: StepForm) -> bool:
        try:
            with transaction.atomic():
                campaign = self.draft(campaign_id, locked=True)
                campaigning.change(campaign, may_make_promos=self.may(Permission.MONEY), **form.said)
        except Refusal as refusal:
            form.refuse(refusal)
            return False
        return True

    def _page(self, campaign: MarketingCampaign, form: StepForm, status: int = 200) -> HttpResponse:
        heading, lead = HEADINGS[self.step]
        return self.page(campaign, status, form=form, heading=heading, lead=lead)


class Audience(FormStep):
    """Step 1: whom it is for."""

    step = "audience"

    def form_of(self, campaign: MarketingCampaign, data: Any = None) -> StepForm:
        known = {
            "name": campaign.name,
            "type": campaign.type,
            "segment": campaign.segment.public_id if campaign.segment else "",
            "audience": campaign.audience,
            "holdout_percent": campaign.holdout_percent.normalize() if campaign.holdout_percent else 0,
        }
        return AudienceForm(data, account=self.account, initial=known)


class Content(FormStep):
    """Step 2: by which channels, and what is said."""

    step = "content"

    def form_of(self, campaign: MarketingCampaign, data: Any = None) -> StepForm:
        return ContentForm(data, initial=ContentForm.initial_of(campaign))


class Offer(FormStep):
    """Step 3: a promo code, when it runs, which orders count; and how it reads for real people."""

    step = "offer"

    def form_of(self, campaign: MarketingCampaign, data: Any = None) -> StepForm:
        promo = campaign.promo
        known = {
            "promo_code": promo.code if promo else "",
            "promo_discount_percent": promo.percent if promo and promo.type == "percentage" else None,
            "code_pool": campaign.code_pool,
            "starts_at": self._local(campaign.starts_at),
            "ends_at": self._local(campaign.ends_at),
            "attribution_days": campaign.attribution_days,
        }
        return OfferForm(data, account=self.account, initial=known)

    def _local(self, at: Any) -> Any:
        """As a box for a local time takes it."""
        zone = OfferForm(account=self.account).zone
        return at.astimezone(zone).replace(tzinfo=None) if at else None
