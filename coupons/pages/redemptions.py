"""The uses of a campaign's coupons: who redeemed what for which order, and taking one back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.merchant_page import searched
from accounts.roles import Permission
from campaigns_project.pages import flash, paged
from campaigns_project.refusals import Conflict, Refusal
from coupons import redeeming
from coupons.models import CouponUse
from coupons.pages.door import CouponPage, address_of
from crm.pages.promo_forms import AmountField

if TYPE_CHECKING:
    import uuid

    from django.http import HttpRequest, HttpResponse

    from coupons.models import CouponCampaign

# On the campaign's own page.
FEW = 5
STATES = ("", *CouponUse.Status.values)


class NotRedeemed(Conflict):
    code = "not_redeemed"
    message = "Only a redemption that still counts can be rolled back."


class RollBackForm(forms.Form):
    """All of it, or a part of the discount in major units of the use's currency."""

    amount = AmountField(label="Only a part of the discount")
    reason = forms.CharField(required=False, max_length=200)

    def __init__(self, *args: Any, currency: str, **options: Any) -> None:
        super().__init__(*args, **options)
        amount = self.fields["amount"]
        amount.currency, amount.help_text = currency, f"In {currency}. The use then goes on counting."  # type: ignore[attr-defined]  # our own field

    def clean_amount(self) -> int | None:
        amount: int | None = self.cleaned_data["amount"]
        if amount == 0:
            raise ValidationError("Give an amount above 0, or none for all of it.")
        return amount


class Redemptions(CouponPage):
    """`/coupons/<uuid>/redemptions`: every use, the newest first."""

    def get(self, request: HttpRequest, campaign_id: uuid.UUID) -> HttpResponse:
        campaign, asked = self.campaign(campaign_id), searched(request)
        state = request.GET.get("show", "")
        ours = CouponUse.objects.for_account(self.account).filter(campaign=campaign)
        found = ours.uses(status=state if state in STATES else "", order=asked).order_by("-at", "-pk")
        return self.show(
            "coupons/redemptions.html", **_shown(campaign), page=paged(found, request), q=asked, narrow=state
        )


class RollBack(CouponPage):
    """`/coupons/<uuid>/redemptions/<uuid>/rollback`: what that means, before it is done."""

    needs = {"GET": Permission.MONEY, "POST": Permission.MONEY}

    def get(self, request: HttpRequest, campaign_id: uuid.UUID, use_id: uuid.UUID) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        campaign = self.campaign(campaign_id)
        use = self.redeemed(campaign, use_id)
        return self._page(campaign, use, RollBackForm(currency=use.currency))

    def post(self, request: HttpRequest, campaign_id: uuid.UUID, use_id: uuid.UUID) -> HttpResponse:
        campaign = self.campaign(campaign_id)
        use = self.redeemed(campaign, use_id)
        form = RollBackForm(request.POST, currency=use.currency)
        if form.is_valid():
            try:
                redeeming.rollback(self.account, use.pk, **form.cleaned_data)
            except Refusal as refusal:
                form.add_error("amount", refusal.message)
            else:
                back = "Rolled back. It counts no longer." if form.cleaned_data["amount"] is None else "Given back."
                return flash(request, back, _here(campaign))
        return self._page(campaign, use, form, 400)

    def redeemed(self, campaign: CouponCampaign, use_id: uuid.UUID) -> CouponUse:
        """Raises Http404, and NotRedeemed for a use that is held, or given back."""
        use: CouponUse = self.find(CouponUse.objects.select_related("coupon"), campaign=campaign, pk=use_id)
        if use.state != CouponUse.Status.REDEEMED:
            raise NotRedeemed
        return use

    def _page(self, campaign: CouponCampaign, use: CouponUse, form: RollBackForm, status: int = 200) -> HttpResponse:
        shown = {"use": use, "form": form, "back": _here(campaign), "left": use.discount - use.returned}
        return self.show("coupons/rollback.html", status, **_shown(campaign), **shown, danger=True)


def part(page: CouponPage, campaign: CouponCampaign) -> dict[str, Any]:
    """The newest uses, for the campaign's own page."""
    newest = CouponUse.objects.for_account(page.account).filter(campaign=campaign).uses().order_by("-at", "-pk")
    return {"template": "coupons/parts/redemptions.html", "here": address_of(campaign), "uses": list(newest[:FEW])}


def _here(campaign: CouponCampaign) -> str:
    return address_of(campaign, "/redemptions")


def _shown(campaign: CouponCampaign) -> dict[str, Any]:
    return {"campaign": campaign, "here": address_of(campaign)}
