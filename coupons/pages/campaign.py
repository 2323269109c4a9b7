"""One coupon campaign: where it stands, what may be done to it, and the parts that others show of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from django.contrib import messages
from django.db import transaction
from django.http import Http404

from accounts.merchant_progress import moves_of, timeline
from accounts.roles import Permission
from campaigns_project.pages import flash
from campaigns_project.refusals import Refusal
from coupons import approving, campaigning, opening
from coupons.models import CouponCampaignStatus
from coupons.pages import codes, exports, redemptions, shopify
from coupons.pages.door import CouponPage, address_of, described, said
from coupons.pages.forms import ReasonForm
from lifecycle.transition import TransitionNotAllowed

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from coupons.models import CouponCampaign

    # A piece of the campaign's page: `template`, and what the template reads as `part.…`.
    Part = Callable[["OneCampaign", CouponCampaign], dict[str, Any]]

# In the order they are shown, in the wide column and in the narrow one.
WIDE: tuple[Part, ...] = (codes.part, redemptions.part)
NARROW: tuple[Part, ...] = (exports.part, shopify.part)

_TELLS = {
    "activate": ("Activated", "green"),
    "deactivate": ("Deactivated", "amber"),
    "extend_expiry_and_activate": ("Extended and active", "green"),
    "archive": ("Archived", "grey"),
}


class Action(NamedTuple):
    """What a person may do to a campaign, on a page that asks again."""

    verb: str
    label: str
    done: str
    takes: tuple[str, ...] = ()
    danger: bool = False


ACTIONS = {
    "deactivate": Action(opening.DEACTIVATE, "Deactivate", "Deactivated. No coupon of it counts any more."),
    "extend": Action(opening.EXTEND, "Extend and activate", "It is active until its new end.", ("ends_at",)),
    "archive": Action(opening.ARCHIVE, "Archive", "It is archived.", ("typed",), danger=True),
    "delete": Action("", "Delete", "The campaign and its coupons are gone.", ("typed",), danger=True),
}


class OneCampaign(CouponPage):
    """`/coupons/<uuid>`."""

    def get(self, request: HttpRequest, campaign_id: uuid.UUID) -> HttpResponse:  # noqa: ARG002 (Django's signature)
        campaign = self.campaign(campaign_id)
        return self.show(
            "coupons/campaign.html",
            **described(campaign),
            allowed=campaign.allowed_verbs(),
            editable=self._editable(campaign),
            approval=approving.open_question(campaign),
            wide=[part(self, campaign) for part in WIDE],
            narrow=[part(self, campaign) for part in NARROW],
            timeline=timeline(campaign, moves_of(campaign), _TELLS),
        )

    def _editable(self, campaign: CouponCampaign) -> bool:
        needed = Permission.AUTHOR if campaign.status == CouponCampaignStatus.DRAFT else Permission.SEND
        return campaign.status in CouponCampaignStatus.OPEN and self.may(needed)


class Confirm(CouponPage):
    """`/coupons/<uuid>/confirm/archive`: what changes, before it does."""

    needs = {"GET": Permission.SEND, "POST": Permission.SEND}

    def get(self, request: HttpRequest, campaign_id: uuid.UUID, action: str) -> HttpResponse:  # noqa: ARG002 (Django's)
        campaign, chosen = self._asked(campaign_id, action)
        return self._page(campaign, action, self._form(campaign, chosen))

    def post(self, request: HttpRequest, campaign_id: uuid.UUID, action: str) -> HttpResponse:
        campaign, chosen = self._asked(campaign_id, action)
        form = self._form(campaign, chosen, request.POST)
        if not form.is_valid():
            return self._page(campaign, action, form, 400)
        try:
            with transaction.atomic():
                asked = self._done(self.campaign(campaign_id, locked=True), chosen, form.cleaned_data)
        except Refusal as refusal:
            form.refuse(refusal)
            return self._page(campaign, action, form, 400)
        if asked:
            return flash(request, "Asked. It is done when a second person agrees.", address_of(campaign))
        return flash(request, chosen.done, "/coupons" if action == "delete" else address_of(campaign))

    def _asked(self, campaign_id: uuid.UUID, action: str) -> tuple[CouponCampaign, Action]:
        """Raises Http404 for no action, TransitionNotAllowed where it is not possible now."""
        if action not in ACTIONS:
            raise Http404
        campaign, chosen = self.campaign(campaign_id), ACTIONS[action]
        if chosen.verb and chosen.verb not in campaign.allowed_verbs():
            raise TransitionNotAllowed(f"This campaign is {campaign.status}.")
        return campaign, chosen

    def _form(self, campaign: CouponCampaign, chosen: Action, data: Any = None) -> ReasonForm:
        return ReasonForm(data, account=self.account, takes=chosen.takes, name=campaign.name)

    def _done(self, campaign: CouponCampaign, chosen: Action, given: dict[str, Any]) -> Any:
        if not chosen.verb:
            return campaigning.remove(campaign)
        told = {name: given[name] for name in ("ends_at",) if name in given}
        return opening.move(campaign, chosen.verb, by=self.user, reason=given["reason"], **told)

    def _page(self, campaign: CouponCampaign, action: str, form: ReasonForm, status: int = 200) -> HttpResponse:
        chosen = ACTIONS[action]
        shown = {"action": action, "form": form, "verb": chosen.label, "danger": chosen.danger}
        return self.show("coupons/confirm.html", status, **described(campaign), **shown, back=address_of(campaign))


class Decide(CouponPage):
    """The second person's yes or no."""

    needs = {"POST": Permission.SEND}

    def post(self, request: HttpRequest, campaign_id: uuid.UUID) -> HttpResponse:
        granted = request.POST.get("decision") == "yes"
        here = address_of(self.campaign(campaign_id))
        try:
            with transaction.atomic():
                campaign = self.campaign(campaign_id, locked=True)
                asked = opening.decide(campaign, by=self.user, granted=granted)
        except Refusal as refusal:
            return flash(request, said(refusal), here, level=messages.ERROR)
        if asked:
            again = "It has grown since you were asked, so now your word waits for a second person."
            return flash(request, again, here, level=messages.WARNING)
        return flash(request, "Agreed. It is active." if granted else "Refused. Nothing was changed.", here)
