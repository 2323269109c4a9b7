"""The steps of a coupon campaign. Each is a page of its own that saves; going back loses nothing."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponseRedirect

from accounts.roles import Permission
from campaigns_project.api import etag_of
from campaigns_project.pages import flash
from campaigns_project.refusals import Forbidden, Refusal
from coupons import approving, campaigning, codes, opening, terms
from coupons.models import CouponCampaignStatus
from coupons.pages.door import CouponPage, address_of, described
from coupons.pages.forms import AudienceForm, CodesForm, DiscountForm, WindowForm

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    from django.http import HttpRequest, HttpResponse

    from coupons.models import CouponCampaign
    from coupons.pages.forms import StepForm

STEPS = ("audience", "discount", "codes", "review")
FORMS: dict[str, type[AudienceForm | DiscountForm | CodesForm]] = {
    "audience": AudienceForm,
    "discount": DiscountForm,
    "codes": CodesForm,
}
HEADINGS = {
    "audience": ("Who may use it?", "Everybody who has a code, or only people of an audience."),
    "discount": ("What does it give?", "And how often: none of these limits is ever exceeded."),
    "codes": ("What do the codes look like?", "Without letters and digits that look alike."),
    "review": ("Review and activate", "Nobody gets a discount before this page says so."),
}
SAMPLES = 5
# Where what is missing is put right.
MENDED = {"settings.discount_value": "discount", "max_count": "discount"}


class Step(CouponPage):
    """One step of one campaign; an archived one opens as what it is."""

    needs = {"GET": Permission.AUTHOR, "POST": Permission.AUTHOR}

    def page(self, campaign: CouponCampaign, step: str, status: int = 200, **context: Any) -> HttpResponse:
        heading, lead = HEADINGS[step]
        return self.show(
            f"coupons/{'review' if step == 'review' else 'step'}.html",
            status,
            **described(campaign),
            heading=heading,
            lead=lead,
            steps=[(name.capitalize(), address_of(campaign, f"/edit/{name}")) for name in STEPS],
            number=STEPS.index(step) + 1,
            samples=samples(campaign) if step == "codes" else [],
            **context,
        )


class EditStep(Step):
    """`/coupons/<uuid>/edit/discount`: a form; saved, it leads to the next."""

    def get(self, request: HttpRequest, campaign_id: uuid.UUID, step: str) -> HttpResponse:  # noqa: ARG002 (Django's)
        campaign = self.to_edit(campaign_id)
        return self.page(campaign, self._known(step), form=FORMS[step].of(campaign))

    def post(self, request: HttpRequest, campaign_id: uuid.UUID, step: str) -> HttpResponse:
        campaign = self.to_edit(campaign_id)
        form = FORMS[self._known(step)].of(campaign, request.POST)
        if not (form.is_valid() and self._saved(campaign_id, form)):
            return self.page(campaign, step, 400, form=form)
        if "close" in request.POST:
            return flash(request, "Saved.", address_of(campaign))
        onward = STEPS[STEPS.index(step) + 1]
        return HttpResponseRedirect(address_of(campaign, f"/edit/{onward}"), status=303)

    @staticmethod
    def _known(step: str) -> str:
        if step not in FORMS:
            raise Http404
        return step

    def _saved(self, campaign_id: uuid.UUID, form: StepForm) -> bool:
        try:
            with transaction.atomic():
                campaign = self.to_edit(campaign_id, locked=True)
                campaigning.change(campaign, by=self.user, **form.said)
                campaigning.limit(campaign, **form.limits)
        except Refusal as refusal:
            form.refuse(refusal)
            return False
        return True


class Review(Step):
    """Step 4: when, what is missing, and the button. It carries what was seen, so that nobody opens what changed."""

    def get(self, request: HttpRequest, campaign_id: uuid.UUID) -> HttpResponse:  # noqa: ARG002 (Django's signature)
        campaign = self.to_edit(campaign_id)
        return self._page(campaign, WindowForm.of(campaign, seen=snapshot(campaign)))

    def post(self, request: HttpRequest, campaign_id: uuid.UUID) -> HttpResponse:
        campaign = self.to_edit(campaign_id)
        form = WindowForm.of(campaign, request.POST)
        if not form.is_valid():
            return self._page(campaign, form, 400)
        opens = "activate" in request.POST
        if opens and not self.may(Permission.SEND):
            raise Forbidden
        if opens and form.cleaned_data["seen"] != snapshot(campaign):
            changed = "Something changed since you looked. Look again before you activate it."
            return flash(request, changed, request.path, level=messages.WARNING)
        try:
            with transaction.atomic():
                asked = self._done(campaign_id, form, opens=opens)
        except Refusal as refusal:
            form.refuse(refusal)
            return self._page(campaign, form, 400)
        if asked:
            return flash(request, "Asked. It opens when a second person agrees.", address_of(campaign))
        return flash(request, "It is active." if opens else "Saved.", address_of(campaign))

    def _done(self, campaign_id: uuid.UUID, form: StepForm, *, opens: bool) -> Any:
        campaign = campaigning.change(self.to_edit(campaign_id, locked=True), by=self.user, **form.said)
        if not opens:
            return None
        return opening.move(campaign, opening.ACTIVATE, by=self.user)

    def _page(self, campaign: CouponCampaign, form: WindowForm, status: int = 200) -> HttpResponse:
        is_draft = campaign.status == CouponCampaignStatus.DRAFT
        asks = is_draft and approving.too_large_for_one(campaign)
        return self.page(
            campaign, "review", status, form=form, checks=list(_checks(campaign)), is_draft=is_draft, asks=asks
        )


def snapshot(campaign: CouponCampaign) -> str:
    """What the person looks at, as a fingerprint."""
    return etag_of(campaign).strip('"').split("-")[0]


def samples(campaign: CouponCampaign) -> list[str]:
    """Codes as this campaign's look; always the same ones, and none of them is real."""
    length = codes.length_for(campaign.kind, 1)
    found = []
    for number in range(SAMPLES):
        digest = hashlib.sha256(f"{campaign.pk} {number}".encode()).digest()
        found.append(campaign.prefix + "".join(codes.ALPHABET[byte % 32] for byte in digest[:length]))
    return found


def _checks(campaign: CouponCampaign) -> Iterator[dict[str, Any]]:
    gaps = terms.gaps(campaign)
    for field, sentences in gaps.items():
        step = MENDED.get(field)
        mend = {"href": address_of(campaign, f"/edit/{step}"), "action": "Change"} if step else {}
        yield {"ok": None, "title": " ".join(sentences), "detail": "" if step else "On this page.", **mend}
    if not gaps:
        yield {"ok": True, "title": "Everything it needs is there", "detail": ""}
    if not campaign.coupon_count:
        detail = "It can be active without; nobody can use it before there are."
        yield {"ok": None, "title": "There are no codes yet", "detail": detail, "href": address_of(campaign),
               "action": "See"}  # fmt: skip
