"""How batches of codes leave for a shop at Shopify: a lane of dispatch, and what goes on there after a call.

A code belongs to one discount of a shop and may be looked up, so that what became of a call is found out and no code is
made twice. Adding codes goes on after the call: it is asked about until it is done, and the codes that the shop refuses
are kept with its reasons.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models import Connection
from coupons import shopify_terms
from coupons.models import CouponCampaign, ShopifyAttempt, ShopifyBatch
from coupons.shopify_codes import LANE, PROVIDER, Status
from dispatch.database import in_thread
from dispatch.lane import Call, Lane, OpenQuestion
from providers.base import Found, Outcome, Refused, Unreachable
from providers.shopify import Shop, Shopify

if TYPE_CHECKING:
    from collections.abc import Sequence

log = structlog.get_logger(__name__)

ASK_AT_ONCE = 20
ASK_WITHIN_SECONDS = 1.0
ASK_AGAIN = timedelta(seconds=2)
# What a batch is remembered by whose answer was lost, but whose codes are there.
FOUND = "found:"
NOT_THERE = "The shop did not take it."

# The discount is made by the first batch; then the others may go.
ON_RECORD = f"""
, took AS (
    UPDATE coupons_shopifybatch m SET status = CASE WHEN m.first THEN 'done' ELSE 'importing' END,
        creation_id = CASE WHEN m.first THEN '' ELSE s.provider_id END
    FROM settled s WHERE m.id = s.row_id AND m.status = 'sending' AND s.target = 'importing'
    RETURNING m.id, m.discount_id, m.first, s.provider_id
), made AS (
    UPDATE coupons_shopifydiscount d SET shopify_id = took.provider_id FROM took
    WHERE took.first AND d.id = took.discount_id RETURNING d.id, d.account_id
), freed AS (
    UPDATE coupons_shopifybatch m SET status = 'queued' FROM made
    WHERE m.discount_id = made.id AND m.status = 'waiting' RETURNING m.id, m.account_id, m.discount_id
), go_on AS (
    INSERT INTO lifecycle_lease (account_id, queue, scope_id, turn, lo, hi)
    SELECT account_id, '{LANE}', discount_id, 0, min(id), max(id) FROM freed GROUP BY account_id, discount_id
), back AS (
    UPDATE coupons_shopifybatch m SET status = 'queued'
    FROM settled s WHERE m.id = s.row_id AND m.status = 'sending' AND s.target = 'queued'
), over AS (
    UPDATE coupons_shopifybatch m SET status = 'failed', message = left(s.detail, 300)
    FROM settled s WHERE m.id = s.row_id AND m.status = 'sending' AND s.target = 'failed'
)"""  # noqa: S608 (no input in it)
ON_OPEN = """
, sending AS (
    UPDATE coupons_shopifybatch m SET status = 'sending' FROM opened WHERE m.id = opened.row_id
)"""
SCOPE = """
coupons_shopifydiscount scope
JOIN accounts_account merchant ON merchant.id = scope.account_id
JOIN accounts_connection link ON link.account_id = scope.account_id AND link.provider = 'shopify'
    AND link.external_id = scope.shop
"""
PAYLOAD = """
jsonb_build_object('connection', link.id, 'campaign', scope.campaign_id, 'discount', scope.shopify_id, 'first', m.first,
    'codes', m.codes, 'tries', (
    SELECT count(*) FROM coupons_shopifyattempt tried WHERE tried.row_id = m.id AND tried.state = 'rejected'))
"""
FORGOTTEN = f"""
INSERT INTO lifecycle_lease (account_id, queue, scope_id, turn, ids)
SELECT m.account_id, '{LANE}', m.discount_id, 0, array_agg(m.id) FROM coupons_shopifybatch m
WHERE m.status = 'queued' AND NOT EXISTS (
    SELECT FROM lifecycle_lease l WHERE l.queue = '{LANE}' AND l.scope_id = m.discount_id)
GROUP BY m.account_id, m.discount_id
"""  # noqa: S608 (no input in it)


def shopify_lane() -> Lane:
    """The lane as dispatch needs it."""
    caller = Caller(from_settings())
    return Lane(
        name=LANE,
        provider=PROVIDER,
        row_model=ShopifyBatch,
        attempt_model=ShopifyAttempt,
        scope_from=SCOPE,
        scope_column="discount_id",
        scope_open="merchant.status = 'active' AND link.refused_at IS NULL",
        row_due="m.status = 'queued'",
        skips={},
        waits={},
        sender="scope.shop",
        address="m.id::text",
        payload=PAYLOAD,
        sender_rate="NULL",
        scope_rate="NULL",
        on_open=ON_OPEN,
        on_skip="",
        on_record=ON_RECORD,
        accepted=Status.IMPORTING,
        queued=Status.QUEUED,
        failed=Status.FAILED,
        call=caller.call,
        find=caller.find,
        react=react,
        tend=tend,
        connections=settings.SHOPIFY_CONNECTIONS,
        timeout=settings.SHOPIFY_TIMEOUT_SECONDS,
        quiet=settings.SHOPIFY_QUIET_SECONDS,
        paired=False,
        close=caller.client.close,
    )


class Caller:
    """Makes the calls of a sender process, and asks about those that nobody knows of."""

    def __init__(self, client: Shopify) -> None:
        self.client = client

    async def call(self, call: Call) -> Outcome:
        try:
            shop = await in_thread(_shop, call.payload["connection"])
        except Connection.DoesNotExist as trouble:
            return Refused("credentials", str(trouble), retry=True)
        if not call.payload["first"]:
            return await self.client.add(shop, call.payload["discount"], call.payload["codes"])
        try:
            terms = await in_thread(_terms, call.payload["campaign"], call.payload["codes"][0])
        except shopify_terms.NotPublishable as refusal:
            return Refused(refusal.code, f"{refusal.message} {refusal.details}")
        return await self.client.create(shop, terms)

    async def find(self, question: OpenQuestion) -> Sequence[Found]:
        """The batch, if any of its codes is in the shop under our discount."""
        batch, link = await in_thread(_asked, question.row_id)
        present = _ours(batch, await self.client.holders(await in_thread(_shop, link), batch.codes))
        if not present:
            return []
        known = next(iter(present.values())) if batch.first else f"{FOUND}{question.key}"
        return [Found(known, "created", "", datetime.now(UTC), question.address, str(question.key))]


def from_settings() -> Shopify:
    return Shopify(
        settings.SHOPIFY_URL, timeout=settings.SHOPIFY_TIMEOUT_SECONDS, connections=settings.SHOPIFY_CONNECTIONS
    )


def react(effect: str, row_id: int, code: str) -> None:
    """A token that no longer opens the door is not tried again until somebody renews it."""
    if effect == "pause_connection":
        account = ShopifyBatch.objects.get(pk=row_id).account_id
        Connection.objects.for_account(account).filter(provider=PROVIDER).update(refused_at=Now())
        log.warning("connection refused", account=account, code=code)


def tend() -> None:
    """Give batches that wait without a lease one again, and ask about those that the shop is adding."""
    with connection.cursor() as cursor:
        cursor.execute(FORGOTTEN)
    if due := _due():
        asyncio.run(_ask_about(due))


def _due() -> list[ShopifyBatch]:
    due = ShopifyBatch.objects.filter(Q(asked_at=None) | Q(asked_at__lt=Now() - ASK_AGAIN), status=Status.IMPORTING)
    batches = due.select_related("discount__campaign").order_by(F("asked_at").asc(nulls_first=True), "pk")[:ASK_AT_ONCE]
    return list(batches)


async def _ask_about(batches: Sequence[ShopifyBatch]) -> None:
    client, began = from_settings(), time.monotonic()
    try:
        for batch in batches:
            try:
                refused = await _word(client, batch)
            except (Unreachable, Connection.DoesNotExist) as trouble:
                log.warning("no word on codes", batch=batch.pk, trouble=str(trouble))
                refused = None
            await in_thread(_take, batch.pk, refused)
            if time.monotonic() - began > ASK_WITHIN_SECONDS:
                break
    finally:
        await client.close()


async def _word(client: Shopify, batch: ShopifyBatch) -> dict[str, str] | None:
    """Why by code, when the shop is done with a batch; None while it is not."""
    _, link = await in_thread(_asked, batch.pk)
    shop = await in_thread(_shop, link)
    if not batch.creation_id.startswith(FOUND):
        creation = await client.progress(shop, batch.creation_id)
        return creation.refused if creation.done else None
    present = _ours(batch, await client.holders(shop, batch.codes))
    missing = {code: NOT_THERE for code in batch.codes if code not in present}
    return missing if not missing or await in_thread(_is_quiet, batch.pk) else None


def _take(pk: int, refused: dict[str, str] | None) -> None:
    over = {} if refused is None else {"status": Status.DONE, "refused": refused}
    ShopifyBatch.objects.filter(pk=pk, status=Status.IMPORTING).update(asked_at=Now(), **over)


def _is_quiet(pk: int) -> bool:
    """Whether the shop has had the time to add what it once took."""
    long_ago = Now() - timedelta(seconds=settings.SHOPIFY_QUIET_SECONDS)
    return not ShopifyAttempt.objects.filter(row=pk, called_at__gte=long_ago).exists()


def _ours(batch: ShopifyBatch, holders: dict[str, tuple[str, str]]) -> dict[str, str]:
    """The codes of a batch that belong to its discount, with its id."""
    discount = batch.discount
    title = shopify_terms.title_of(discount.campaign)
    return {
        code: gid
        for code, (gid, named) in holders.items()
        if (named == title if batch.first else gid == discount.shopify_id)
    }


def _asked(pk: int) -> tuple[ShopifyBatch, int]:
    """The batch with its discount, and the connection to its shop. Raises Unreachable."""
    batch = ShopifyBatch.objects.select_related("discount__campaign").get(pk=pk)
    rows = Connection.objects.for_account(batch.account_id).filter(provider=PROVIDER, external_id=batch.discount.shop)
    link = rows.values_list("pk", flat=True).first()
    if link is None:
        raise Unreachable("there is no connection to this shop")
    return batch, link


def _shop(pk: int) -> Shop:
    link = Connection.objects.get(pk=pk)
    return Shop(link.external_id, link.secret["access_token"])


def _terms(campaign: str, code: str) -> dict[str, Any]:
    return shopify_terms.of(CouponCampaign.objects.select_related("account").get(pk=campaign), code=code)
