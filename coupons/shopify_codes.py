"""A campaign's codes in the account's shop at Shopify: put in line, and how they stand there.

They go in batches of 250 to the campaign's one discount; how the batches leave: `coupons.shopify_sending`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from accounts.models import Connection
from campaigns_project.refusals import Unprocessable
from coupons import shopify_terms
from coupons.models import ShopifyBatch, ShopifyDiscount
from coupons.shopify_terms import NotPublishable
from lifecycle import leases
from providers.shopify import MOST_CODES

if TYPE_CHECKING:
    from accounts.models import Account
    from coupons.models import CouponCampaign

PROVIDER = "shopify"
LANE = "shopify"
Status = ShopifyBatch.Status

# What is not in a batch yet; a code's spelling does not matter to the shop.
BATCHES = """
WITH sent AS (
    SELECT upper(unnest(codes)) AS code FROM coupons_shopifybatch WHERE discount_id = %(discount)s
), fresh AS (
    SELECT c.code, row_number() OVER (ORDER BY c.id) - 1 AS n FROM coupons_coupon c
    WHERE c.account_id = %(account)s AND c.campaign_id = %(campaign)s AND c.status = 'active'
      AND NOT EXISTS (SELECT FROM sent WHERE sent.code = upper(c.code))
), grouped AS (
    SELECT code, n, CASE WHEN %(begun)s THEN n / %(most)s WHEN n = 0 THEN -1 ELSE (n - 1) / %(most)s END AS batch
    FROM fresh
)
INSERT INTO coupons_shopifybatch (account_id, discount_id, first, codes, status, creation_id, refused, message)
SELECT %(account)s, %(discount)s, batch = -1, array_agg(code ORDER BY n),
    CASE WHEN batch = -1 OR %(ready)s THEN 'queued' ELSE 'waiting' END, '', '{}', ''
FROM grouped GROUP BY batch ORDER BY batch
RETURNING cardinality(codes)
"""
SHOWN = 20
COUNT = """
SELECT coalesce(sum(n - gone) FILTER (WHERE status = 'done'), 0)::int,
    coalesce(sum(n) FILTER (WHERE status NOT IN ('done', 'failed')), 0)::int,
    coalesce(sum(CASE status WHEN 'failed' THEN n WHEN 'done' THEN gone END), 0)::int
FROM (SELECT status, cardinality(codes) AS n, (SELECT count(*) FROM jsonb_object_keys(refused)) AS gone
      FROM coupons_shopifybatch WHERE discount_id = %(discount)s) batches
"""
REASONS = """
SELECT code, message FROM (
    SELECT b.id, each.key AS code, each.value AS message FROM coupons_shopifybatch b, jsonb_each_text(b.refused) each
    WHERE b.discount_id = %(discount)s AND b.status = 'done'
    UNION ALL
    SELECT b.id, b.codes[1], b.message FROM coupons_shopifybatch b WHERE b.discount_id = %(discount)s
        AND b.status = 'failed'
) told ORDER BY id, code LIMIT %(shown)s
"""


class NoShop(Unprocessable):
    code = "no_connection"
    message = "There is no working connection to Shopify; connect your shop first."


def publish(campaign: CouponCampaign) -> int:
    """Put the campaign's active codes that are not in the shop yet in line; returns how many these are.

    Asking again goes on with what came since, also where the first code was refused. Raises NoShop, NotPublishable.
    """
    link = connection_of(campaign.account)
    if link is None or link.refused_at is not None:
        raise NoShop
    with transaction.atomic():
        shopify_terms.of(campaign, code="")
        known, _ = ShopifyDiscount.objects.get_or_create(
            account=campaign.account, campaign=campaign, defaults={"shop": link.external_id}
        )
        discount = ShopifyDiscount.objects.select_for_update().get(pk=known.pk)
        if discount.shop != link.external_id:
            raise NotPublishable(details={"shop": [f"Its codes are in another shop, {discount.shop}."]})
        begun = _begun(discount) or _begin_anew(discount)
        names: dict[str, Any] = {
            "account": campaign.account_id,
            "campaign": campaign.pk,
            "discount": discount.pk,
            "begun": begun,
            "ready": bool(discount.shopify_id),
            "most": MOST_CODES,
        }
        with connection.cursor() as cursor:
            cursor.execute(BATCHES, names)
            added: int = sum(row[0] for row in cursor.fetchall())
        queued = "discount_id = %(discount)s AND status = 'queued'"
        leases.make(
            LANE, account_id=discount.account_id, scope_id=discount.pk, table=ShopifyBatch._meta.db_table,
            where_sql=queued, params={"discount": discount.pk},
        )  # fmt: skip
    return added


def _begun(discount: ShopifyDiscount) -> bool:
    """Whether a batch has made the discount, or may yet."""
    return discount.batches.filter(first=True).exclude(status=Status.FAILED).exists()


def _begin_anew(discount: ShopifyDiscount) -> bool:
    """The shop refused the first code: let one of those that wait make the discount, if any does."""
    waiting = discount.batches.filter(status=Status.WAITING).order_by("pk").first()
    if waiting is None:
        return False
    code, *others = waiting.codes
    ShopifyBatch.objects.create(account=discount.account, discount=discount, first=True, codes=[code])
    if others:
        waiting.codes = others
        waiting.save(update_fields=["codes"])
    else:
        waiting.delete()
    return True


def connection_of(account: Account) -> Connection | None:
    """The account's connection to its shop; `refused_at` when the shop does not let us in."""
    return Connection.objects.for_account(account).filter(provider=PROVIDER).first()


def standing(campaign: CouponCampaign) -> dict[str, Any]:
    """How many of the campaign's codes are in the shop, on their way, and refused; `refused` tells why of some."""
    discount = ShopifyDiscount.objects.filter(campaign=campaign, account=campaign.account_id).first()
    counts = {"published": 0, "waiting": 0, "failed": 0}
    if discount is None:
        return {"status": "none", "shop": None, "discount_id": None, **counts, "refused": []}
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"discount": discount.pk})
        counts = dict(zip(counts, cursor.fetchone() or (), strict=True))
        cursor.execute(REASONS, {"discount": discount.pk, "shown": SHOWN})
        refused = [{"code": code, "message": message} for code, message in cursor.fetchall()]
    status = "published" if counts["published"] else "failed"
    if counts["waiting"] and _begun(discount):
        status = "publishing"
    return {
        "status": status,
        "shop": discount.shop,
        "discount_id": discount.shopify_id or None,
        **counts,
        "refused": refused,
    }
