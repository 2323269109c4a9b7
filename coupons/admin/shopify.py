"""Coupons' codes at Shopify, for operators: each campaign's discount, its batches, and the calls for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.admin.shown import chip_of, readable
from coupons.models import ShopifyAttempt, ShopifyBatch, ShopifyDiscount
from dispatch.admin import AttemptAdmin

if TYPE_CHECKING:
    from django.utils.safestring import SafeString


@admin.register(ShopifyDiscount)
class ShopifyDiscountAdmin(OperatorAdmin):
    list_display = ("id", "campaign", "shop", "shopify_id", "created_at", "account")
    list_select_related = ("account", "campaign")
    search_fields = ("=id", "^shop", "=shopify_id")
    fields = ("account", "campaign", "shop", "shopify_id", "created_at")


@admin.register(ShopifyBatch)
class ShopifyBatchAdmin(OperatorAdmin):
    list_display = ("id", "discount", "first", "size", "chip", "message", "asked_at", "account")
    list_filter = ("status",)
    list_select_related = ("account", "discount")
    search_fields = ("=id", "=creation_id")
    fields = (
        "account",
        "discount",
        "first",
        "chip",
        "codes",
        "creation_id",
        "why",
        "message",
        "asked_at",
        "created_at",
    )

    chip = chip_of("shopify_batch", "status")

    @admin.display(description="codes")
    def size(self, batch: ShopifyBatch) -> int:
        return len(batch.codes)

    @admin.display(description="refused")
    def why(self, batch: ShopifyBatch) -> SafeString:
        return readable(batch.refused)


@admin.register(ShopifyAttempt)
class ShopifyAttemptAdmin(AttemptAdmin):
    """An unknown call is asked about by itself; an operator may say more."""
