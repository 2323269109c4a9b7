"""Promo codes: their list, and one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import transaction

from accounts.roles import Permission
from campaigns_project.api import Door, listed
from campaigns_project.refusals import InvalidJSON
from crm.api import promo_shapes as shapes
from crm.models import Promo, PromoStatus
from crm.offers import promos

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.response import Response


class PromoDoor(Door):
    tag = "promos"

    def ours(self) -> QuerySet[Promo]:
        return Promo.objects.for_account(self.account).select_related("account", "segment")

    def missing(self) -> promos.PromoUnknown:
        return promos.PromoUnknown()


class Promos(PromoDoor):
    needs: ClassVar = {"POST": Permission.MONEY}
    queries: ClassVar = {"GET": shapes.PromosQuery}
    bodies: ClassVar = {"POST": shapes.PromoInput}
    answers: ClassVar = {"GET": listed(shapes.PromoShape), "POST": (201, shapes.PromoShape)}

    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """List promo codes, the newest first."""
        found = self.ours().filter(code__startswith=self.params.get("search", "").upper())
        if "status" in self.params:
            found = found.filter(enabled=self.params["status"] == PromoStatus.ACTIVE)
        return self.page(found, shape=shapes.PromoShape)

    def post(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Create a promo code.

        400 `invalid_promo_code` for a code that is none, 409 `promo_code_exists` for one that is taken.
        """
        return self.show(promos.create(self.account, **self.data), shapes.PromoShape, status=201)

    def handle_exception(self, exc: Exception) -> Response:
        # What cannot be stored cannot be a code either.
        if isinstance(exc, InvalidJSON) and "code" in exc.details:
            exc = promos.InvalidPromoCode(details=exc.details)
        return super().handle_exception(exc)


class OnePromo(PromoDoor):
    needs: ClassVar = {"PATCH": Permission.MONEY}
    bodies: ClassVar = {"PATCH": shapes.ChangePromoInput}
    answers: ClassVar = {"GET": shapes.PromoShape, "PATCH": shapes.PromoShape}
    editable = True

    def get(self, request: Request, code: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show a promo, by its code or its id."""
        return self.show(self._promo(self.ours(), code), shapes.PromoShape)

    def patch(self, request: Request, code: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Change the terms of a promo, or disable it. Uses so far stay as they are."""
        with transaction.atomic():
            promo = self._promo(self.ours().select_for_update(of=("self",)), code)
            self.unchanged(promo)
            return self.show(promos.change(promo, **self.data), shapes.PromoShape)

    def _promo(self, among: QuerySet[Promo], code: str) -> Promo:
        by: dict[str, Any] = {"public_id": code} if code.startswith("promo_") else {"code": code.upper()}
        found: Promo = self.find(among, **by)
        return found
