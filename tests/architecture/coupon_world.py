"""One of everything of coupons for an account."""

from __future__ import annotations

import uuid
from typing import Any

from coupons.models import ShopifyAttempt, ShopifyBatch, ShopifyDiscount
from tests.coupons import factories


def coupon_uuid(owner: int) -> str:
    """The id of each row of coupons that is the owner's."""
    return str(uuid.UUID(int=owner))


def build_coupons(account: Any, mark: str) -> None:
    """Rows whose id is the account's number as a UUID, and whose texts are its mark."""
    owned: dict[str, Any] = {"pk": coupon_uuid(account.pk), "account": account}
    # As the ledger below says.
    used = {"used": 1, "spent": 1_000}
    campaign = factories.CouponCampaignFactory(
        **owned, **used, name=mark, prefix=str(account.pk), extradata={"note": mark}
    )
    coupon = factories.CouponFactory(**owned, campaign=campaign, code=mark, notes=mark, used_count=1)
    discount = ShopifyDiscount.objects.create(
        pk=account.pk, account=account, campaign=campaign, shop=mark, shopify_id=mark
    )
    batch = ShopifyBatch.objects.create(pk=account.pk, account=account, discount=discount, codes=[mark], status="done")
    ShopifyAttempt.objects.create(
        pk=account.pk, account=account, row=batch, owner=1, uuid=coupon_uuid(account.pk), detail=mark, state="released"
    )
    factories.CouponUseFactory(**owned, campaign=campaign, coupon=coupon, order_id=mark, person=mark)
