"""What integrators say and read about promos: money as decimal major units, outside this file in minor units."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns_project import currencies
from campaigns_project.api import (
    ChoiceField,
    IntegerField,
    ListQuery,
    MomentField,
    ObjectField,
    StrictSerializer,
    TextField,
)
from crm.models import Promo, PromoStatus, PromoType
from crm.models.promo import BIGGEST_COUNT, HUNDREDTHS

MOST = 10**10
NUMBER = {"type": "number", "minimum": 0, "maximum": MOST}


class _Number(serializers.Field[Any, Any, Any, Any]):
    """A JSON number from 0 to MOST, read exactly."""

    default_error_messages = {
        "not_a_number": "This must be a number.",
        "range": f"This must be from 0 to {MOST}.",
    }

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("not_a_number")
        if not 0 <= data <= MOST:
            self.fail("range")
        return Decimal(repr(data))


@extend_schema_field(NUMBER)
class PercentField(_Number):
    """Percent with at most two decimals, `12.5`; inside it is whole hundredths, 1250."""

    def to_internal_value(self, data: Any) -> int:
        hundredths = super().to_internal_value(data) * HUNDREDTHS
        if hundredths != int(hundredths):
            raise serializers.ValidationError("This may have two decimals.")
        return int(hundredths)

    def to_representation(self, value: int) -> int | float:
        return value // HUNDREDTHS if value % HUNDREDTHS == 0 else value / HUNDREDTHS


@extend_schema_field(NUMBER)
class AmountField(_Number):
    """Major units of the account's currency, `25.00`; inside it is minor units, 2500 cents."""

    def to_internal_value(self, data: Any) -> int:
        currency = self.context["request"].account.currency
        minor = currencies.minor(super().to_internal_value(data), currency)
        if minor is None:
            raise serializers.ValidationError(currencies.too_fine(currency))
        return minor

    def to_representation(self, value: int) -> int | float:
        return currencies.major(value, self.context["request"].account.currency)


@extend_schema_field(NUMBER)
class WorthField(_Number):
    """What a promo gives: percent, or major units; which of them is its type's to say."""

    def to_representation(self, promo: Promo) -> int | float:
        return promo.worth


@extend_schema_field({"type": "string", "pattern": "^[A-Za-z0-9_-]{3,32}$"})
class CodeField(serializers.Field[Any, Any, Any, Any]):
    """Anything: what is no code has a refusal of its own."""

    def to_internal_value(self, data: Any) -> Any:
        return data


def _count(**options: Any) -> IntegerField:
    return IntegerField(min_value=1, max_value=BIGGEST_COUNT, required=False, allow_null=True, **options)


class ChangePromoInput(StrictSerializer):
    value = WorthField(required=False, help_text="Percent, or an amount; none for free shipping.")
    min_order_amount = AmountField(required=False, allow_null=True)
    max_discount = AmountField(required=False, allow_null=True)
    usage_limit = _count(help_text="Uses in all.")
    per_customer_limit = _count()
    budget = AmountField(required=False, allow_null=True, help_text="What all discounts together may come to.")
    valid_from = MomentField(required=False)
    valid_until = MomentField(required=False, allow_null=True)
    applies_to = ObjectField(required=False, help_text='`{"all_items": true}` or `{"items": ["sku"]}`.')
    customer_segment_id = TextField(required=False, allow_null=True, max_length=64)
    status = ChoiceField(choices=PromoStatus.choices, required=False)

    example: dict[str, Any] = {"usage_limit": 2000, "status": "active"}

    def terms(self, given: dict[str, Any]) -> dict[str, Any]:
        """The fields of a promo that the body names."""
        found = {name: value for name, value in given.items() if name not in _SPELLED_OTHERWISE}
        if "min_order_amount" in given:
            found["min_order"] = given["min_order_amount"] or 0
        if "value" in given:
            found["worth"] = given["value"]
        if "status" in given:
            found["enabled"] = given["status"] == PromoStatus.ACTIVE
        return found

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return self.terms(attrs)


_SPELLED_OTHERWISE = {"min_order_amount", "value", "status"}


class PromoInput(ChangePromoInput):
    code = CodeField(allow_null=True, help_text="3 to 32 letters, digits, - or _, in any case.")
    type = ChoiceField(choices=PromoType.choices)

    example = {
        "code": "WELCOME20",
        "type": "percentage",
        "value": 20,
        "min_order_amount": 25.00,
        "max_discount": 50.00,
        "usage_limit": 1000,
        "per_customer_limit": 1,
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": "2026-12-31T23:59:59Z",
        "applies_to": {"all_items": True},
        "customer_segment_id": None,
    }


class PromosQuery(ListQuery):
    status = ChoiceField(choices=PromoStatus.choices, required=False)
    search = TextField(max_length=32, required=False, help_text="The beginning of a code.")


class PromoShape(serializers.ModelSerializer[Promo]):
    id = serializers.CharField(source="public_id")
    value = WorthField(source="*")
    min_order_amount = AmountField(source="min_order")
    max_discount = AmountField(allow_null=True)
    applies_to = ObjectField()
    customer_segment_id = serializers.CharField(source="segment.public_id", default=None, allow_null=True)
    budget = AmountField(allow_null=True)
    spent = AmountField(help_text="What all discounts together come to, held ones included.")
    status = serializers.ChoiceField(choices=PromoStatus.choices)
    used_count = serializers.IntegerField(source="used", help_text="Held uses included.")

    class Meta:
        model = Promo
        fields = (
            *("id", "code", "type", "value", "min_order_amount", "max_discount", "usage_limit"),
            *("per_customer_limit", "valid_from", "valid_until", "applies_to", "customer_segment_id"),
            *("budget", "spent", "status", "used_count", "created_at"),
        )

    example = {
        "id": "promo_7k2m0000000000ab",
        **PromoInput.example,
        "budget": None,
        "spent": 0,
        "status": "active",
        "used_count": 0,
        "created_at": "2026-11-21T09:30:00Z",
    }
