"""Coupons for operators: found by their code, and voided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin

from campaigns_project.admin.shown import chip_of, readable
from coupons.models import Coupon
from dispatch.moving_admin import MovingAdmin

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.utils.safestring import SafeString


def _mover(verb: str) -> Callable[..., Any]:
    return lambda coupon, *, by, reason: coupon.perform(verb, by=by, reason=reason)


@admin.register(Coupon)
class CouponAdmin(MovingAdmin):
    processes: ClassVar = {verb: _mover(verb) for verb in Coupon.machine.edges}
    list_display = ("code", "campaign", "chip", "used_count", "max_count", "holder", "handed_at", "account")
    list_filter = ("status",)
    list_select_related = ("account", "campaign")
    search_fields = ("code", "=id")
    search_help_text = "Codes, separated by commas; each from its beginning, in any case."
    fieldsets = (
        (None, {"fields": ("id", "code", "campaign", "account", "chip", "since", "used_count", "max_count", "notes")}),
        ("Copied from its campaign", {"fields": ("starts_at", "ends_at", "discount_type", "discount_value",
                                                 "min_cart_value", "product_id", "variant_id")}),
        ("Handed to", {"fields": ("holder", "handed_at")}),
        ("Dates and data", {"fields": ("created_at", "updated_at", "data")}),
    )  # fmt: skip

    chip = chip_of("coupon_code")

    @admin.display(description="extradata")
    def data(self, coupon: Coupon) -> SafeString:
        return readable(coupon.extradata)
