"""How a shop uses coupons: ask, redeem, hold, and give back."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework.response import Response

from accounts.roles import Permission
from campaigns_project.api import GuessedDoor, NothingInput, listed
from campaigns_project.refusals import CampaignNotFound, NotFound
from coupons import redeeming
from coupons.api import use_shapes as shapes
from coupons.api.campaigns import CouponCampaignDoor, uuid_of
from coupons.models import CouponUse
from coupons.redeeming import Cart, CouponUnknown
from crm.offers.redeeming import person_of

if TYPE_CHECKING:
    import uuid

    from rest_framework.request import Request

    from campaigns_project.api import StrictSerializer

FILTERS = {"status": "status", "order": "order_id", "code": "code"}
CONTENT = ("lines", "product_ids", "variant_ids")


class CouponUseDoor(GuessedDoor):
    """Whoever guesses codes is soon refused, also when one is right."""

    tag = "coupons"
    wrong = CouponUnknown
    needs: ClassVar = {"POST": Permission.MONEY}

    @cached_property
    def cart(self) -> Cart:
        given = self.data
        person = person_of(self.account, customer_id=given["customer_id"])
        content = {name: given[name] for name in CONTENT if name in given}
        return Cart(person, given["cart_value"], given.get("order_id", ""), given.get("currency", ""), content)

    def told(self, use: CouponUse, shape: Any, *, status: int = 200) -> Response:
        """A use, with the customer as the request named them."""
        context = {"request": self.request, "customer_id": self.data.get("customer_id")}
        return Response(shape(use, context=context).data, status=status)


class ValidateCoupon(CouponUseDoor):
    bodies: ClassVar = {"POST": shapes.ValidateCouponInput}
    answers: ClassVar = {"POST": shapes.CouponQuoteShape}

    def post(self, request: Request, code: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show what a coupon would give, and change nothing.

        A refusal is 409 with its reason as the code: `coupon_not_active`, `coupon_not_started`, `coupon_expired`,
        `coupon_exhausted`, `customer_limit_reached`, `min_cart_value_not_met`, `product_mismatch`, and, ours,
        `not_in_segment` and `currency_differs`. A code that is not there or not yours is 404 `coupon_unknown`; after
        20 of those in a minute the answer is 429.
        """
        verdict = redeeming.ask(self.account, code, self.cart)
        told: dict[str, Any] = {"code": verdict.code, "order_id": self.data.get("order_id")}
        told |= {"customer_id": self.data["customer_id"], "discount": verdict.discount, "currency": verdict.currency}
        if verdict.shares is not None:
            told["lines"] = verdict.shares
        return Response(shapes.CouponQuoteShape(told).data)


class RedeemCoupon(CouponUseDoor):
    bodies: ClassVar = {"POST": shapes.RedeemCouponInput}
    answers: ClassVar = {"POST": (201, shapes.RedemptionShape)}

    def post(self, request: Request, code: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Use a coupon for an order.

        Once per order: asking again gives the first answer, a reservation of the order is committed. Refusals are
        those of validate.
        """
        return self.told(redeeming.redeem(self.account, code, self.cart), shapes.RedemptionShape, status=201)


class ReserveCoupon(CouponUseDoor):
    bodies: ClassVar = {"POST": shapes.ReserveCouponInput}
    answers: ClassVar = {"POST": (201, shapes.ReservationShape)}

    def post(self, request: Request, code: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Hold a use for an order until it is committed, released, or its time is over."""
        use = redeeming.reserve(self.account, code, self.cart, seconds=self.data["ttl_seconds"])
        return self.told(use, shapes.ReservationShape, status=201)


class _OneUseDoor(CouponUseDoor):
    bodies: ClassVar[dict[str, type[StrictSerializer]]] = {"POST": NothingInput}

    def pk(self, use_id: str) -> uuid.UUID:
        """Raises NotFound for what is no id of ours."""
        try:
            return uuid_of(use_id)
        except CampaignNotFound:
            raise NotFound from None


class CommitCoupon(_OneUseDoor):
    answers: ClassVar = {"POST": shapes.RedemptionShape}

    def post(self, request: Request, reservation_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Redeem what is held.

        409 `reservation_over` when it was released or its time is over, `coupon_not_active` or `coupon_expired` when
        the campaign was stopped or has ended meanwhile.
        """
        return self.told(redeeming.commit(self.account, self.pk(reservation_id)), shapes.RedemptionShape)


class ReleaseCoupon(_OneUseDoor):
    answers: ClassVar = {"POST": shapes.ReservationShape}

    def post(self, request: Request, reservation_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Give back what is held. 409 `reservation_committed` when it has been redeemed."""
        return self.told(redeeming.release(self.account, self.pk(reservation_id)), shapes.ReservationShape)


class RollbackCoupon(_OneUseDoor):
    bodies: ClassVar = {"POST": shapes.RollbackCouponInput}
    answers: ClassVar = {"POST": shapes.LedgerShape}

    def post(self, request: Request, redemption_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Give a redemption back, however long ago it was: the use counts no longer.

        With `amount` only that part of the discount, for an order of which a part comes back; send an Idempotency-Key
        with it. 409 `rollback_exceeds_discount` when there is less left.
        """
        given = {"amount": self.data.get("amount"), "reason": self.data.get("reason", "")}
        return self.told(redeeming.rollback(self.account, self.pk(redemption_id), **given), shapes.LedgerShape)


class Redemptions(CouponCampaignDoor):
    queries: ClassVar = {"GET": shapes.RedemptionsQuery}
    answers: ClassVar = {"GET": listed(shapes.LedgerShape)}

    def get(self, request: Request, campaign_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """List the uses of a campaign's coupons, the newest first: held, redeemed and given back."""
        asked = {name: self.params.get(param, "") for name, param in FILTERS.items()}
        ours = CouponUse.objects.for_account(self.account).filter(campaign=self.campaign(campaign_id))
        return self.page(ours.uses(**asked), shape=shapes.LedgerShape, order=("-at", "-id"), counted="capped")
