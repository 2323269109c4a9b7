"""Promo codes: the list, a new one, and one with what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.db import transaction
from django.http import Http404
from django.utils import timezone

from accounts.roles import Permission
from campaigns_project.pages import Page, flash, paged
from campaigns_project.refusals import Refusal
from crm import promos
from crm.models import Promo, PromoUse
from crm.pages.promo_forms import PromoForm

if TYPE_CHECKING:
    import datetime as dt

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

    from accounts.models import Account


class PromoPage(Page):
    @property
    def account(self) -> Account:
        caller: Any = self.request
        return cast("Account", caller.account)

    def ours(self) -> QuerySet[Promo]:
        return Promo.objects.for_account(self.account)

    def show(self, template: str, status: int = 200, **context: Any) -> HttpResponse:
        caller: Any = self.request
        return super().show(template, status, may_change=caller.may(Permission.MONEY), **context)


class Promos(PromoPage):
    """`/promos`: every code, the newest first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        asked = request.GET.get("q", "").replace("\x00", "").strip()[:32]
        page = paged(self.ours().filter(code__startswith=asked.upper()).order_by("-pk"), request)
        now = timezone.now()
        rows = [(promo, standing(promo, now)) for promo in page.rows]
        return self.show("crm/promos.html", page=page, rows=rows, q=asked)


class NewPromo(PromoPage):
    """`/promos/new`: one form."""

    needs = {"GET": Permission.MONEY, "POST": Permission.MONEY}

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self.show("crm/promo_new.html", form=PromoForm(account=self.account))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = PromoForm(request.POST, account=self.account)
        if form.is_valid():
            try:
                promo = promos.create(self.account, **form.terms)
            except Refusal as refusal:
                form.refuse(refusal)
            else:
                return flash(request, f"{promo.code} can be used.", f"/promos/{promo.code}")
        return self.show("crm/promo_new.html", 400, form=form)


class OnePromo(PromoPage):
    """`/promos/WELCOME20`: its terms, its limits, and the orders that used it."""

    needs = {"GET": Permission.VIEW, "POST": Permission.MONEY}

    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        promo = self._promo(self.ours(), code)
        uses = PromoUse.objects.for_account(self.account).filter(promo=promo, quantity=1).order_by("-pk")
        page = paged(uses, request)
        return self.show("crm/promo.html", promo=promo, standing=standing(promo, timezone.now()), page=page)

    def post(self, request: HttpRequest, code: str) -> HttpResponse:
        on = request.POST.get("act") == "enable"
        with transaction.atomic():
            promo = self._promo(self.ours().select_for_update(), code)
            promos.change(promo, enabled=on)
        said = "can be used again." if on else "is disabled: nobody gets a discount by it any more."
        return flash(request, f"{promo.code} {said}", request.path)

    def _promo(self, among: QuerySet[Promo], code: str) -> Promo:
        promo = among.filter(code=code.upper()).first()
        if promo is None:
            raise Http404
        return promo


def standing(promo: Promo, now: dt.datetime) -> str:
    """The one word for a promo at `now`: disabled, expired, exhausted, scheduled or active."""
    told = {
        "disabled": not promo.enabled,
        "expired": promo.valid_until is not None and promo.valid_until < now,
        "exhausted": promo.usage_limit is not None and promo.used >= promo.usage_limit,
        "scheduled": promo.valid_from > now,
    }
    return next((word for word, holds in told.items() if holds), "active")
