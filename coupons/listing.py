"""The coupons of a campaign as people look through them, and what they note of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Value
from django.db.models.functions import Now, Upper

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet

    from coupons.models import Coupon


def filtered(coupons: QuerySet[Coupon], wanted: Mapping[str, Any]) -> QuerySet[Coupon]:
    """Those that `wanted` asks for: `status`, `search` (how a code begins), `used`, `handed_out`; all where absent."""
    if "status" in wanted:
        coupons = coupons.filter(status=wanted["status"])
    if wanted.get("search"):
        begins = Upper(Value(wanted["search"]))
        coupons = coupons.annotate(upper_code=Upper("code")).filter(upper_code__startswith=begins)
    if "used" in wanted:
        coupons = coupons.filter(used_count__gt=0) if wanted["used"] else coupons.filter(used_count=0)
    if "handed_out" in wanted:
        coupons = coupons.filter(holder__isnull=not wanted["handed_out"])
    return coupons


def annotate(coupon: Coupon, **said: Any) -> None:
    """Change the `notes` or the `extradata` of a coupon whose row is locked."""
    for name, value in said.items():
        setattr(coupon, name, value)
    coupon.updated_at = Now()
    coupon.save(update_fields=[*said, "updated_at"])
    coupon.refresh_from_db(fields=["updated_at"])
