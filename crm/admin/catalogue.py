"""The catalogue and orders, for operators: found by their ids, read only."""

from __future__ import annotations

from django.contrib import admin

from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.admin.shown import chip_of
from crm.models import Order, Product, Variant

PRICED = ("external_id", "name", "price_minor", "currency", "stock")


@admin.register(Product)
class ProductAdmin(OperatorAdmin):
    list_display = ("public_id", *PRICED, "account", "updated_at")
    list_select_related = ("account",)
    search_fields = ("^external_id", "^public_id", "name")
    fields = ("account", "public_id", *PRICED, "created_at", "updated_at")


@admin.register(Variant)
class VariantAdmin(OperatorAdmin):
    list_display = (*PRICED, "product", "account")
    list_select_related = ("account", "product")
    search_fields = ("^external_id", "name")
    fields = ("account", "product", *PRICED)


@admin.register(Order)
class OrderAdmin(OperatorAdmin):
    list_display = (
        "external_id",
        "customer",
        "chip",
        "amount_minor",
        "refunded_minor",
        "currency",
        "placed_at",
        "account",
    )
    list_select_related = ("account", "customer")
    search_fields = ("^external_id", "^public_id")
    fields = ("account", "public_id", "external_id", "customer", "chip", "amount_minor", "refunded_minor", "currency",
              "placed_at", "told_at", "valued_at", "events")  # fmt: skip

    chip = chip_of("order", "status")
