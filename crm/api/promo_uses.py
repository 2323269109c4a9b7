"""How a shop uses promo codes: ask, redeem, hold, and give back."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from accounts.roles import Permission
from campaigns_project.api import GuessedDoor, NothingInput
from crm.api import promo_use_shapes as shapes
from crm.models import Promo
from crm.offers import promos, redeeming
from crm.offers.admitting import Basket

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class UseDoor(GuessedDoor):
    """Whoever guesses codes is soon refused, also when one is right."""

    tag = "promos"
    wrong = promos.PromoUnknown
    needs: ClassVar = {"POST": Permission.MONEY}

    @cached_property
    def basket(self) -> Basket:
        given = self.data
        person = redeeming.person_of(
            self.account, customer_id=given.get("customer_id", ""), email=given.get("email", "")
        )
        return Basket(person, given["order_amount"], given.get("order_id", ""), given.get("items", []))


class Validate(UseDoor):
    bodies: ClassVar = {"POST": shapes.ValidateInput}
    answers: ClassVar = {"POST": shapes.QuoteShape}

    def post(self, request: Request, code: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show what a code would give, and change nothing.

        A refusal is 409 with its reason as the code: `promo_not_active`, `promo_not_started`, `promo_expired`,
        `not_in_segment`, `min_order_not_met`, `product_mismatch`, `promo_exhausted`, `customer_limit_reached`. A code
        that is not there or not yours is 404 `promo_unknown`; after 20 of those in a minute the answer is 429.
        """
        discount = redeeming.ask(self.account, code.upper(), self.basket)
        promo = Promo.objects.for_account(self.account).get(code=code.upper())
        told: dict[str, Any] = {"code": promo.code, "type": promo.type, "discount": discount}
        told |= {"currency": self.account.currency, "free_shipping": promo.ships_free}
        return self.show(told, shapes.QuoteShape)


class Redeem(UseDoor):
    bodies: ClassVar = {"POST": shapes.RedeemInput}
    answers: ClassVar = {"POST": (201, shapes.UseShape)}

    def post(self, request: Request, code: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Use a code for an order.

        Once per order: asking again gives the first answer, a reservation of the order is committed. Refusals are
        those of validate.
        """
        return self.show(redeeming.redeem(self.account, code.upper(), self.basket), shapes.UseShape, status=201)


class Reserve(UseDoor):
    bodies: ClassVar = {"POST": shapes.ReserveInput}
    answers: ClassVar = {"POST": (201, shapes.UseShape)}

    def post(self, request: Request, code: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Hold a use for an order until it is committed, released, or its time is over."""
        seconds = self.data["ttl_seconds"]
        use = redeeming.reserve(self.account, code.upper(), self.basket, seconds=seconds)
        return self.show(use, shapes.UseShape, status=201)


class Commit(UseDoor):
    bodies: ClassVar = {"POST": NothingInput}
    answers: ClassVar = {"POST": shapes.UseShape}

    def post(self, request: Request, reservation_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Redeem what is held. 409 `reservation_over` when it was released or its time is over."""
        return self.show(redeeming.commit(self.account, reservation_id), shapes.UseShape)


class Release(UseDoor):
    bodies: ClassVar = {"POST": NothingInput}
    answers: ClassVar = {"POST": shapes.UseShape}

    def post(self, request: Request, reservation_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Give back what is held. 409 `reservation_committed` when it has been redeemed."""
        return self.show(redeeming.release(self.account, reservation_id), shapes.UseShape)


class Rollback(UseDoor):
    bodies: ClassVar = {"POST": shapes.RollbackInput}
    answers: ClassVar = {"POST": shapes.UseShape}

    def post(self, request: Request, redemption_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Give a redemption back: the order was cancelled. The use counts no longer."""
        reason = self.data.get("reason", "")
        return self.show(redeeming.rollback(self.account, redemption_id, reason=reason), shapes.UseShape)
