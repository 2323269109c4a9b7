"""What integrators say and read when a coupon is used. Money is in minor units."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns_project.api import ChoiceField, IntegerField, ListQuery, NameField, StrictSerializer, TextField
from coupons.api.shapes import BIGGEST_AMOUNT, CURRENCY, MillisecondsField
from coupons.models import CouponUse

MOST_LINES = 1_000
HOLD, LONGEST_HOLD = 900, 86_400
MOMENT = "2026-11-21T09:30:00.000Z"
LINE = {"product_id": "tea", "variant_id": "tea-green", "amount": 900}


class AmountField(IntegerField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 0, "max_value": BIGGEST_AMOUNT, **options})


class _IdField(TextField):
    def __init__(self, **options: Any) -> None:
        super().__init__(min_length=1, max_length=120, **options)


class _IdsField(serializers.ListField):
    child = _IdField()

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MOST_LINES, required=False, **options)


class CartLineInput(StrictSerializer):
    product_id = _IdField(required=False, allow_null=True)
    variant_id = _IdField(required=False, allow_null=True)
    amount = AmountField(help_text="What the line comes to.")


class ValidateCouponInput(StrictSerializer):
    customer_id = NameField(max_length=120, help_text="Ours (`cust_…`) or your own.")
    order_id = NameField(max_length=120, required=False)
    cart_value = AmountField()
    currency = TextField(required=False, validators=[CURRENCY], help_text="Refused when it is not the campaign's.")
    product_ids = _IdsField(help_text="What is in the cart, where its lines are not told.")
    variant_ids = _IdsField()
    lines = serializers.ListField(
        child=CartLineInput(),
        min_length=1,
        max_length=MOST_LINES,
        required=False,
        help_text="The whole cart: together they are cart_value. Each is answered with its share of the discount.",
    )

    example: dict[str, Any] = {
        "customer_id": "c1",
        "order_id": "o1",
        "cart_value": 900,
        "currency": "USD",
        "product_ids": [],
        "variant_ids": [],
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        lines = attrs.get("lines")
        if lines is not None and sum(line["amount"] for line in lines) != attrs["cart_value"]:
            raise serializers.ValidationError({"lines": ["Together they must come to cart_value."]})
        return attrs


class RedeemCouponInput(ValidateCouponInput):
    order_id = NameField(max_length=120, help_text="One use per order: asking again gives the first answer.")


class ReserveCouponInput(RedeemCouponInput):
    ttl_seconds = IntegerField(min_value=1, max_value=LONGEST_HOLD, default=HOLD)

    example: dict[str, Any] = {**ValidateCouponInput.example, "ttl_seconds": HOLD}


class RollbackCouponInput(StrictSerializer):
    reason = TextField(max_length=200, required=False)
    amount = AmountField(
        min_value=1,
        required=False,
        allow_null=True,
        help_text="So much of the discount only: the use goes on counting. All of it, and the use, when left out.",
    )

    example: dict[str, Any] = {"reason": "The order was cancelled."}


class RedemptionsQuery(ListQuery):
    status = ChoiceField(choices=CouponUse.Status.choices, required=False)
    order_id = TextField(max_length=120, required=False)
    code = TextField(max_length=64, required=False, help_text="One code, in any case.")


class CartLineShape(serializers.Serializer[Any]):
    product_id = serializers.CharField(required=False, allow_null=True)
    variant_id = serializers.CharField(required=False, allow_null=True)
    amount = serializers.IntegerField()
    discount = serializers.IntegerField(help_text="Its share; the shares come to exactly the discount.")


class CouponQuoteShape(serializers.Serializer[Any]):
    """`lines` is there when the request told them."""

    code = serializers.CharField()
    order_id = serializers.CharField(allow_null=True)
    customer_id = serializers.CharField()
    discount = serializers.IntegerField()
    currency = serializers.CharField()
    lines = CartLineShape(many=True, required=False)

    example = {"code": "camp-7K2M4Q9XBZ", "order_id": "o1", "customer_id": "c1", "discount": 90, "currency": "USD"}


class _UseShape(serializers.ModelSerializer[CouponUse]):
    code = serializers.CharField(source="coupon.code")
    customer_id = serializers.SerializerMethodField(help_text="As it was said; later ours, when we know the customer.")
    status = serializers.ChoiceField(choices=CouponUse.Status.choices, source="state")
    expires_at = MillisecondsField(source="held_until", allow_null=True)
    redeemed_at = MillisecondsField(allow_null=True)
    ended_at = MillisecondsField(allow_null=True)
    lines = CartLineShape(many=True, required=False)

    class Meta:
        model = CouponUse
        fields: tuple[str, ...] = ("id", "code", "order_id", "customer_id", "discount", "currency")

    @extend_schema_field({"type": ["string", "null"]})
    def get_customer_id(self, use: CouponUse) -> str | None:
        said: str | None = self.context.get("customer_id")
        return said or (use.person if use.person.startswith("cust_") else None)

    def to_representation(self, use: CouponUse) -> dict[str, Any]:
        told: dict[str, Any] = super().to_representation(use)
        if told.get("lines", ()) is None:
            del told["lines"]
        return told


class RedemptionShape(_UseShape):
    """What an order got. `lines` is there when the request told them."""

    class Meta(_UseShape.Meta):
        fields = (*_UseShape.Meta.fields, "redeemed_at", "lines")

    example = {"id": "0199a6f2-6a4e-7c1b-9b1e-2f6d0c8a4e51", **CouponQuoteShape.example, "redeemed_at": MOMENT}


class ReservationShape(_UseShape):
    class Meta(_UseShape.Meta):
        fields = (*_UseShape.Meta.fields, "status", "expires_at", "lines")

    example = {
        "id": "0199a6f2-6a4e-7c1b-9b1e-2f6d0c8a4e51",
        **CouponQuoteShape.example,
        "status": "reserved",
        "expires_at": MOMENT,
    }


class LedgerShape(_UseShape):
    """A use and what became of it; `returned` of its discount has been given back in parts."""

    class Meta(_UseShape.Meta):
        fields = (
            *("id", "code", "order_id", "customer_id", "cart_value", "discount", "returned", "currency", "status"),
            *("expires_at", "redeemed_at", "ended_at", "lines"),
        )

    example = {
        "id": "0199a6f2-6a4e-7c1b-9b1e-2f6d0c8a4e51",
        **CouponQuoteShape.example,
        "customer_id": None,
        "cart_value": 900,
        "returned": 0,
        "status": "redeemed",
        "expires_at": None,
        "redeemed_at": MOMENT,
        "ended_at": None,
    }
