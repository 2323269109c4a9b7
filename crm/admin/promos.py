"""Promo codes and their ledger, for operators: found by code or order, disabled, and redemptions taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib import admin

from accounts.roles import Permission
from campaigns_project.admin.acts import Act, Said, act
from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.admin.shown import chip_of, readable
from crm.models import Promo, PromoUse
from crm.offers import promos, redeeming

if TYPE_CHECKING:
    from django.utils.safestring import SafeString


@admin.register(Promo)
class PromoAdmin(OperatorAdmin):
    list_display = ("code", "type", "value", "chip", "used", "usage_limit", "valid_from", "valid_until", "account")
    list_filter = ("type", "enabled")
    list_select_related = ("account",)
    search_fields = ("^code", "^public_id")
    fields = ("account", "public_id", "code", "chip", "type", "value", "min_order", "max_discount", "usage_limit",
              "used", "per_customer_limit", "segment", "budget", "spent", "valid_from", "valid_until", "what",
              "created_at")  # fmt: skip

    chip = chip_of("promo", "status", ordering="enabled")

    @admin.display(description="applies to")
    def what(self, promo: Promo) -> SafeString:
        return readable(promo.applies_to)

    @act("Disable", "Nobody gets a discount by it any more; what was redeemed stays.", asks=Permission.MONEY,
         fits=lambda promo: promo.enabled)  # fmt: skip
    def disable(self, promo: Promo, said: Said) -> None:  # noqa: ARG002 (the trace keeps who and why)
        promos.change(promo, enabled=False)

    acts: ClassVar[list[Act]] = [disable]


@admin.register(PromoUse)
class PromoUseAdmin(OperatorAdmin):
    list_display = ("public_id", "promo", "order_id", "chip", "quantity", "discount", "at", "account")
    list_select_related = ("account", "promo")
    search_fields = ("^public_id", "^order_id")
    fields = ("account", "public_id", "promo", "order_id", "person", "chip", "quantity", "order_amount", "discount",
              "held_until", "redeemed_at", "ended_at", "reversal_of", "reason", "at")  # fmt: skip

    chip = chip_of("promo_use", "state", ordering=None)

    @act("Void", "The use is given back: it counts no longer, and the order may use the code again.",
         asks=Permission.MONEY, fits=lambda use: use.state == PromoUse.Status.REDEEMED)  # fmt: skip
    def void(self, use: PromoUse, said: Said) -> None:
        redeeming.rollback(use.account, use.public_id, reason=said.reason[:200])

    acts: ClassVar[list[Act]] = [void]
