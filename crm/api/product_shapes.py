"""What integrators say and read of the catalogue and of orders. Amounts are in minor units."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns_project.api import (
    FormSerializer,
    IntegerField,
    ListQuery,
    MoneyShape,
    NameField,
    RowsField,
    StrictSerializer,
    TextField,
)
from crm.api.inputs import ValueInput
from crm.api.shapes import WRITTEN_AT, InvalidEventShape
from crm.models import Order, Product, Variant
from crm.models.catalogue import LONGEST_ID
from crm.models.promo import BIGGEST_COUNT

MOST_PRODUCTS, MOST_VARIANTS = 1_000, 100


class VariantInput(StrictSerializer):
    external_id = NameField(max_length=LONGEST_ID, help_text="Yours; once among an account's variants.")
    name = NameField()
    price = ValueInput(required=False, allow_null=True)
    stock = IntegerField(min_value=0, max_value=BIGGEST_COUNT, required=False, allow_null=True)

    example: ClassVar[dict[str, Any]] = {
        "external_id": "coffee-250",
        "name": "250 g",
        "price": {"amount": 1250, "currency": "USD"},
        "stock": 40,
    }


class ProductInput(VariantInput):
    """A product; what is left out stays as it is, variants that are not named stay."""

    variants = serializers.ListField(child=VariantInput(), max_length=MOST_VARIANTS, required=False)

    example: ClassVar[dict[str, Any]] = {
        **VariantInput.example,
        "external_id": "coffee",
        "name": "Yirgacheffe",
        "variants": [VariantInput.example],
    }


class ProductsInput(StrictSerializer):
    """Up to 1,000 products; they are checked one by one, so that one does not refuse the rest."""

    products = RowsField(at_most=MOST_PRODUCTS, child=ProductInput())

    example: ClassVar[dict[str, Any]] = {"products": [ProductInput.example]}


class ProductImportForm(FormSerializer):
    """A CSV file."""

    file = serializers.FileField(allow_empty_file=True, help_text="CSV in UTF-8; the first line names the columns.")

    example: ClassVar[dict[str, Any]] = {
        "file": "product_id,name,variant_id,variant_name,price,stock\ncoffee,Yirgacheffe,coffee-250,250 g,12.50,40\n"
    }


class ProductsQuery(ListQuery):
    search = TextField(max_length=200, required=False, help_text="How a name or an id begins, in any case.")
    external_id = TextField(max_length=LONGEST_ID, required=False, help_text="As written.")


class OrdersQuery(ListQuery):
    external_id = TextField(max_length=200, required=False, help_text="Your id of the order.")
    customer_id = TextField(max_length=40, required=False)
    status = TextField(max_length=60, required=False, help_text="Such as `completed`.")


class PutShape(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    invalid = InvalidEventShape(many=True)

    example: ClassVar[dict[str, Any]] = {
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "invalid": [{"index": 1, "code": "invalid", "message": "name: This field is required."}],
    }


class _PricedShape(serializers.Serializer[Any]):
    price = serializers.SerializerMethodField()

    @extend_schema_field(MoneyShape(allow_null=True))
    def get_price(self, row: Any) -> dict[str, Any] | None:
        if row.price_minor is None:
            return None
        account = self.context["request"].account
        return {"amount": row.price_minor, "currency": row.currency or account.currency}


class VariantShape(_PricedShape, serializers.ModelSerializer[Variant]):
    class Meta:
        model = Variant
        fields = ("external_id", "name", "price", "stock")


class ProductShape(_PricedShape, serializers.ModelSerializer[Product]):
    id = serializers.CharField(source="public_id")
    variants = VariantShape(many=True)

    class Meta:
        model = Product
        fields = ("id", "external_id", "name", "price", "stock", "variants", "created_at", "updated_at")

    example: ClassVar[dict[str, Any]] = {
        "id": "prod_7k2m0000000000ab",
        **ProductInput.example,
        "created_at": WRITTEN_AT,
        "updated_at": WRITTEN_AT,
    }


class OrderShape(serializers.ModelSerializer[Order]):
    id = serializers.CharField(source="public_id")
    customer_id = serializers.CharField(source="customer.public_id", default=None, allow_null=True)
    amount = serializers.IntegerField(source="amount_minor", allow_null=True, help_text="As its latest event told.")
    refunded = serializers.IntegerField(source="refunded_minor")
    currency = serializers.SerializerMethodField()

    class Meta:
        model = Order
        fields = ("id", "external_id", "customer_id", "status", "amount", "refunded", "currency", "placed_at")

    example: ClassVar[dict[str, Any]] = {
        "id": "ord_7k2m0000000000ab",
        "external_id": "o1",
        "customer_id": "cust_7k2m0000000000ab",
        "status": "completed",
        "amount": 4680,
        "refunded": 0,
        "currency": "USD",
        "placed_at": WRITTEN_AT,
    }

    def get_currency(self, order: Order) -> str:
        return order.currency or self.context["request"].account.currency
