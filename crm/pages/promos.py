"""Promo codes: the list, a new one, and one with what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from accounts.merchant_page import MerchantPage, searched
from accounts.roles import Permission
from campaigns_project.pages import flash, paged
from campaigns_project.refusals import Refusal
from crm.models import Promo, PromoUse
from crm.offers import promos
from crm.pages.promo_forms import PromoForm

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


class Promos(MerchantPage):
    """`/promos`: every code, the newest first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        asked = searched(request)
        ours = Promo.objects.for_account(self.account).filter(code__startswith=asked.upper())
        return self.show("crm/promos.html", page=paged(ours.order_by("-pk"), request), q=asked)


class NewPromo(MerchantPage):
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


class OnePromo(MerchantPage):
    """`/promos/WELCOME20`: its terms, its limits, and the orders that used it."""

    needs = {"GET": Permission.VIEW, "POST": Permission.MONEY}

    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        promo = self.find(Promo.objects.all(), code=code.upper())
        uses = PromoUse.objects.for_account(self.account).filter(promo=promo, quantity=1).order_by("-pk")
        page = paged(uses, request)
        return self.show("crm/promo.html", promo=promo, page=page)

    def post(self, request: HttpRequest, code: str) -> HttpResponse:
        on = request.POST.get("act") == "enable"
        with transaction.atomic():
            promo = self.find(Promo.objects.select_for_update(), code=code.upper())
            promos.change(promo, enabled=on)
        said = "can be used again." if on else "is disabled: nobody gets a discount by it any more."
        return flash(request, f"{promo.code} {said}", request.path)
