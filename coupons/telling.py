"""What coupons know of a person, for who asks for everything that is held of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coupons.models import CouponShare, CouponUse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crm.models import Customer

_OURS = {"account_id", "campaign_id", "coupon_id", "person", "reversal_of_id"}


def uses(customer: Customer) -> Iterator[dict[str, Any]]:
    """Each line of the ledger with the code it is about, the oldest first."""
    lines = CouponUse.objects.for_account(customer.account_id).filter(person=customer.public_id)
    for line in lines.order_by("at", "pk").values("coupon__code", *_columns(CouponUse)).iterator():
        yield {"code": line.pop("coupon__code"), **line}


def shares(customer: Customer) -> Iterator[dict[str, Any]]:
    """How often they used each campaign's coupons."""
    counted = CouponShare.objects.for_account(customer.account_id).filter(person=customer.public_id)
    for name, used, most in counted.order_by("pk").values_list("campaign__name", "used", "most").iterator():
        yield {"campaign": name, "used": used, "most": most}


def _columns(model: Any) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields if field.attname not in _OURS]
