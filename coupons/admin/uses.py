"""The ledger of coupons, for operators: found by order, and redemptions taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib import admin

from accounts.roles import Permission
from campaigns_project.admin.acts import Act, Said, act
from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.admin.shown import chip_of, readable
from coupons import redeeming
from coupons.models import CouponUse

if TYPE_CHECKING:
    from django.utils.safestring import SafeString


@admin.register(CouponUse)
class CouponUseAdmin(OperatorAdmin):
    list_display = ("id", "coupon", "order_id", "chip", "quantity", "discount", "currency", "at", "account")
    list_select_related = ("account", "coupon")
    search_fields = ("^order_id", "^person")
    ordering = ("-at",)
    fields = ("account", "id", "campaign", "coupon", "order_id", "person", "chip", "quantity", "cart_value", "discount",
              "returned", "currency", "cart", "held_until", "redeemed_at", "ended_at", "reversal_of", "reason",
              "at")  # fmt: skip

    chip = chip_of("promo_use", "state", ordering=None)

    @admin.display(description="lines")
    def cart(self, use: CouponUse) -> SafeString:
        return readable(use.lines)

    @act("Roll back", "The use is given back: it counts no longer, and the order may use the coupon again.",
         asks=Permission.MONEY, fits=lambda use: use.state == CouponUse.Status.REDEEMED)  # fmt: skip
    def roll_back(self, use: CouponUse, said: Said) -> None:
        redeeming.rollback(use.account, use.pk, reason=said.reason[:200])

    acts: ClassVar[list[Act]] = [roll_back]
