"""What integrators say and read when a promo is used."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns_project.api import IntegerField, NameField, StrictSerializer, TextField
from crm.api.promo_shapes import AmountField
from crm.models import PromoUse

MOST_LINES = 1_000
HOLD, LONGEST_HOLD = 900, 86_400
MOMENT = "2026-11-21T09:30:00Z"


class LineInput(StrictSerializer):
    sku = NameField(max_length=100)
    amount = AmountField(help_text="What the line comes to.")


class ValidateInput(StrictSerializer):
    customer_id = NameField(max_length=120, required=False, help_text="Ours (`cust_…`) or your own.")
    email = serializers.EmailField(max_length=254, required=False)
    order_id = NameField(max_length=120, required=False)
    order_amount = AmountField()
    currency = TextField(max_length=3, required=False, help_text="Accepted when it is the account's.")
    items = serializers.ListField(child=LineInput(), max_length=MOST_LINES, required=False)

    example: dict[str, Any] = {
        "customer_id": "c-1",
        "order_id": "o-1",
        "order_amount": 46.80,
        "currency": "USD",
        "items": [{"sku": "pizza", "amount": 46.80}],
    }

    def validate_currency(self, value: str) -> str:
        own = self.context["request"].account.currency
        if value != own:
            raise serializers.ValidationError(f"This account's currency is {own}.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("customer_id" in attrs) == ("email" in attrs):
            raise serializers.ValidationError({"customer_id": ["Give customer_id or email, one of them."]})
        if sum(line["amount"] for line in attrs.get("items", ())) > attrs["order_amount"]:
            raise serializers.ValidationError({"items": ["Together they come to more than order_amount."]})
        return attrs


class RedeemInput(ValidateInput):
    order_id = NameField(max_length=120, help_text="One use per order: asking again gives the first answer.")


class ReserveInput(RedeemInput):
    ttl_seconds = IntegerField(min_value=1, max_value=LONGEST_HOLD, default=HOLD)

    example: dict[str, Any] = {**ValidateInput.example, "ttl_seconds": HOLD}


class RollbackInput(StrictSerializer):
    reason = TextField(max_length=200, required=False)

    example: dict[str, Any] = {"reason": "The order was cancelled."}


class QuoteShape(serializers.Serializer[Any]):
    code = serializers.CharField()
    type = serializers.CharField()
    discount = AmountField()
    currency = serializers.CharField()
    free_shipping = serializers.BooleanField()

    example = {"code": "WELCOME20", "type": "percentage", "discount": 9.36, "currency": "USD", "free_shipping": False}


class UseShape(serializers.ModelSerializer[PromoUse]):
    id = serializers.CharField(source="public_id")
    code = serializers.CharField(source="promo.code")
    type = serializers.CharField(source="promo.type")
    customer_id = serializers.SerializerMethodField(help_text="Ours, when we know the customer.")
    order_amount = AmountField()
    discount = AmountField()
    currency = serializers.CharField(source="account.currency")
    free_shipping = serializers.BooleanField(source="promo.ships_free")
    status = serializers.ChoiceField(choices=PromoUse.Status.choices, source="state")
    expires_at = serializers.DateTimeField(source="held_until", allow_null=True)

    class Meta:
        model = PromoUse
        fields = (
            *("id", "code", "type", "order_id", "customer_id", "order_amount", "discount", "currency"),
            *("free_shipping", "status", "expires_at", "redeemed_at", "ended_at"),
        )

    @extend_schema_field({"type": ["string", "null"]})
    def get_customer_id(self, use: PromoUse) -> str | None:
        return use.person if use.person.startswith("cust_") else None

    example = {
        "id": "red_7k2m0000000000ab",
        **QuoteShape.example,
        "order_id": "o-1",
        "customer_id": None,
        "order_amount": 46.80,
        "status": "redeemed",
        "expires_at": None,
        "redeemed_at": MOMENT,
        "ended_at": None,
    }
