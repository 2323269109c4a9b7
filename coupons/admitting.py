"""Whether a coupon may be used, and the line in its ledger: exact, for one order or for many at once.

One statement judges, counts every limit and writes: the campaign's row first, which everybody locks who takes or gives
back a use, then the coupon's, the person's share, and the line. Alone it needs no transaction: its guard is asked again
when the campaign's row is ours, and a CHECK or a unique index undoes all of it where others were quicker. Then, and
for many at once, the campaign's row is locked beforehand, so that what is read is what holds.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import IntegrityError, connection, transaction

from campaigns_project import prepared
from campaigns_project.refusals import NotFound
from coupons import pricing
from coupons.models import Coupon, CouponCampaign, CouponShare, CouponUse
from crm.audiences.segments import members_sql
from dispatch.combining import Combiner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

CAMPAIGNS, COUPONS, SHARES, USES = (model._meta.db_table for model in (CouponCampaign, Coupon, CouponShare, CouponUse))
KNOWN_CODES = 10_000

_COLUMNS = {
    "id": "uuid",
    "code": "text",
    "person": "text",
    "order_id": "text",
    "cart_value": "bigint",
    "currency": "text",
    "basket": "jsonb",
    "hold": "int",
}
# One wish is written out, so that PostgreSQL keeps the plan: it would plan anew for each array.
_ONE = "SELECT 1::bigint AS n, " + ", ".join(f"(%({name})s::{kind}[])[1] AS {name}" for name, kind in _COLUMNS.items())
_MANY = f"""
    SELECT * FROM unnest({", ".join(f"%({name})s::{kind}[]" for name, kind in _COLUMNS.items())})
    WITH ORDINALITY AS given({", ".join(_COLUMNS)}, n)"""  # noqa: S608 (names of our own)
_CURRENCY = "coalesce(nullif(campaign.currency, ''), %(currency_of_account)s::text)"
# Asked again of the campaign's row once it is ours.
_OPEN = """
    campaign.status = 'active' AND campaign.starts_at <= clock_timestamp() AND campaign.ends_at > clock_timestamp()"""
_ROOM = """
    (campaign.max_count IS NULL OR campaign.used + {uses} <= campaign.max_count)
    AND (campaign.budget IS NULL OR campaign.spent + {given} <= campaign.budget)"""
_IN_SEGMENT = f"""
    (campaign.segment_id IS NULL OR EXISTS (
        SELECT FROM crm_customer buyer WHERE buyer.account_id = campaign.account_id AND buyer.public_id = asked.person
            AND buyer.id IN ({members_sql("campaign.segment_id")})))"""
# What must hold, and how it is called when it does not, in the order of telling. One that has ended is told as such
# before and after the clock has put it out.
CONDITIONS = {
    "coupon_expired": """NOT (coupon.status = 'active' AND campaign.status IN ('active', 'inactive')
        AND least(campaign.ends_at, coupon.ends_at) <= clock_timestamp())""",
    "coupon_not_active": "campaign.status = 'active' AND coupon.status = 'active' AND coupon.discount_value > 0",
    "coupon_not_started": "greatest(campaign.starts_at, coupon.starts_at) <= clock_timestamp()",
    "currency_differs": f"asked.currency IN ('', {_CURRENCY})",
    "not_in_segment": _IN_SEGMENT,
    "min_cart_value_not_met": "coalesce(coupon.min_cart_value, 0) <= asked.cart_value",
    "product_mismatch": "eligible.amount IS NOT NULL",
    "coupon_exhausted": f"""(coupon.max_count IS NULL OR coupon.used_count < coupon.max_count)
        AND {_ROOM.format(uses=1, given="worth.discount")}""",
    "customer_limit_reached": """
        (campaign.per_customer_limit IS NULL OR coalesce(share.used, 0) < campaign.per_customer_limit)""",
}
_REASON = " ".join(f"WHEN ({holds}) IS NOT TRUE THEN '{reason}'" for reason, holds in CONDITIONS.items())
# OFFSET 0 keeps each look-up by itself: while the tables are young, a join would be planned to read all of them, and a
# sum would be reckoned anew wherever it is named.
_JUDGED = f"""
WITH asked AS ({{asked}}), judged AS MATERIALIZED (
    SELECT asked.*, coupon.id AS coupon_id, coupon.code AS written, coupon.campaign_id, worth.discount,
        {_CURRENCY} AS told_currency, {pricing.LINES} AS lines, live.id AS present, campaign.per_customer_limit AS most,
        coalesce(share.used, 0) AS share, coupon.max_count - coupon.used_count AS coupon_left,
        campaign.max_count - campaign.used AS campaign_left, campaign.budget - campaign.spent AS budget_left,
        CASE WHEN live.id IS NOT NULL THEN '' {_REASON} ELSE '' END AS reason
    FROM asked
    CROSS JOIN LATERAL (
        SELECT * FROM {COUPONS} AS coupon
        WHERE coupon.account_id = %(account)s AND upper(coupon.code) = upper(asked.code) OFFSET 0) AS coupon
    CROSS JOIN LATERAL (
        SELECT * FROM {CAMPAIGNS} AS campaign WHERE campaign.id = coupon.campaign_id OFFSET 0) AS campaign
    LEFT JOIN LATERAL (
        SELECT share.used FROM {SHARES} AS share
        WHERE share.campaign_id = campaign.id AND share.person = asked.person OFFSET 0) AS share ON true
    LEFT JOIN LATERAL (
        SELECT live.id FROM {USES} AS live WHERE live.coupon_id = coupon.id AND live.order_id = asked.order_id
            AND live.quantity = 1 AND live.ended_at IS NULL OFFSET 0) AS live ON true
    CROSS JOIN LATERAL (SELECT {pricing.ELIGIBLE} AS amount OFFSET 0) AS eligible
    CROSS JOIN LATERAL (SELECT {pricing.DISCOUNT} AS discount OFFSET 0) AS worth
)"""  # noqa: S608 (names of our own)
_TOLD = "judged.n, judged.campaign_id, judged.coupon_id, judged.written, judged.discount, judged.told_currency"
_ASK = f"{_JUDGED} SELECT {_TOLD}, judged.lines, judged.reason, judged.present FROM judged"  # noqa: S608 (our own)
# Of many, who stands behind others in any line is counted behind all of them, also those who are refused: nobody is
# let in too many, and who is neither let in nor refused asks again.
_WEIGHED_TOGETHER = """
    SELECT *, waits AND turn = 1 AND (coupon_left IS NULL OR of_coupon <= coupon_left)
        AND (most IS NULL OR share + of_person <= most) AND (campaign_left IS NULL OR of_campaign <= campaign_left)
        AND (budget_left IS NULL OR of_budget <= budget_left) AS fits
    FROM (
        SELECT *, count(*) FILTER (WHERE waits) OVER (PARTITION BY coupon_id, order_id ORDER BY n) AS turn,
            count(*) FILTER (WHERE waits) OVER (PARTITION BY coupon_id ORDER BY n) AS of_coupon,
            count(*) FILTER (WHERE waits) OVER (PARTITION BY campaign_id, person ORDER BY n) AS of_person,
            count(*) FILTER (WHERE waits) OVER (PARTITION BY campaign_id ORDER BY n) AS of_campaign,
            sum(discount) FILTER (WHERE waits) OVER (PARTITION BY campaign_id ORDER BY n) AS of_budget
        FROM (SELECT *, reason = '' AND present IS NULL AS waits FROM judged) AS asking
    ) AS counted"""
_WEIGHED = "SELECT *, reason = '' AND present IS NULL AS fits FROM judged"
_TAKE = f"""
{_JUDGED}, weighed AS MATERIALIZED ({{weighed}}), moved AS (
    UPDATE {CAMPAIGNS} AS campaign SET used = campaign.used + sold.uses, spent = campaign.spent + sold.given
    FROM (SELECT campaign_id, count(*)::int AS uses, sum(discount)::bigint AS given FROM weighed WHERE fits GROUP BY 1)
        AS sold
    WHERE campaign.id = sold.campaign_id AND {_OPEN} AND {_ROOM.format(uses="sold.uses", given="sold.given")}
    RETURNING campaign.id, clock_timestamp() AS at
), let_in AS MATERIALIZED (
    SELECT weighed.*, moved.at, moved.at + hold * interval '1 second' AS held_until,
        CASE WHEN hold IS NULL THEN moved.at END AS redeemed_at
    FROM weighed JOIN moved ON moved.id = weighed.campaign_id WHERE fits
), fewer AS (
    UPDATE {COUPONS} AS coupon SET used_count = coupon.used_count + sold.uses
    FROM (SELECT coupon_id, count(*)::int AS uses FROM let_in GROUP BY 1) AS sold WHERE coupon.id = sold.coupon_id
), counted AS (
    INSERT INTO {SHARES} AS share (account_id, campaign_id, person, used, most)
    SELECT %(account)s, campaign_id, person, count(*), min(most) FROM let_in GROUP BY campaign_id, person
    ON CONFLICT (campaign_id, person) DO UPDATE SET used = share.used + excluded.used, most = excluded.most
), line AS (
    INSERT INTO {USES} (id, account_id, campaign_id, coupon_id, order_id, person, quantity, cart_value, discount,
        currency, lines, held_until, redeemed_at, reason, at)
    SELECT id, %(account)s, campaign_id, coupon_id, order_id, person, 1, cart_value, discount, told_currency, lines,
        held_until, redeemed_at, '', at
    FROM let_in
)
SELECT {_TOLD.replace("judged", "weighed")}, weighed.lines, weighed.reason, weighed.present,
    moved.at + hold * interval '1 second', CASE WHEN hold IS NULL THEN moved.at END, moved.at
FROM weighed LEFT JOIN moved ON moved.id = weighed.campaign_id AND weighed.fits"""  # noqa: S608 (names of our own)
_TAKE_ONE = _TAKE.format(asked=_ONE, weighed=_WEIGHED)
_TAKE_MANY = _TAKE.format(asked=_MANY, weighed=_WEIGHED_TOGETHER)
_OURS = f"SELECT campaign_id FROM {COUPONS} WHERE account_id = %(account)s AND upper(code)"  # noqa: S608
_WHERE = f"{_OURS} = upper(%(code)s)"
_LOCK = f"""
    SELECT FROM {CAMPAIGNS} WHERE id IN ({_OURS} IN (SELECT upper(code) FROM unnest(%(code)s::text[]) AS code))
    ORDER BY id FOR NO KEY UPDATE"""  # noqa: S608 (names of our own)


class CouponUnknown(NotFound):
    """Not there and not yours are one answer, after one and the same query."""

    code = "coupon_unknown"
    message = "There is no such coupon code."


@dataclass(frozen=True)
class Cart:
    """What a code is asked for; amounts in minor units of `currency` ("": the campaign's own)."""

    person: str
    value: int
    order_id: str = ""
    currency: str = ""
    # lines, or product_ids and variant_ids: see `coupons.pricing`.
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """A use of a code for a cart: held for so many seconds, or redeemed at once."""

    account: int
    # The account's own, for campaigns that name none.
    currency: str
    code: str
    cart: Cart
    hold: int | None = None
    id: uuid.UUID = field(default_factory=uuid.uuid4)


class Verdict(NamedTuple):
    """What a known code gives, and why not, or the line: the order's `present` one, or a new one (`at` is set)."""

    campaign: uuid.UUID
    coupon: uuid.UUID
    code: str
    discount: int
    currency: str
    # JSON as PostgreSQL writes it.
    lines: str | None = None
    reason: str = ""
    present: uuid.UUID | None = None
    held_until: datetime | None = None
    redeemed_at: datetime | None = None
    at: datetime | None = None

    @property
    def is_final(self) -> bool:
        return bool(self.reason or self.present or self.at)

    @property
    def shares(self) -> list[dict[str, Any]] | None:
        """The lines of the cart as they were told, each with its share."""
        return None if self.lines is None else list(json.loads(self.lines))


def judge(wish: Wish) -> Verdict:
    """What would become of a wish now; changes nothing. Raises CouponUnknown."""
    with prepared.cursor() as cursor:
        cursor.execute(_ASK.format(asked=_ONE), _given([wish]))
        row = cursor.fetchone()
    if row is None:
        raise CouponUnknown
    return Verdict(*row[1:])


def admit(wish: Wish) -> Verdict:
    """Take a use, or say why not; the same order's present line is left alone. Raises CouponUnknown.

    In a transaction it is part of it, otherwise it has one of its own, shared with what others ask of the same
    campaign at the same moment.
    """
    campaign = _campaign_of(wish.account, wish.code)
    verdict = _locked([wish])[0] if connection.in_atomic_block else _together(campaign, wish)
    if verdict is None:
        raise CouponUnknown
    return verdict


def admit_alone(wish: Wish) -> Verdict | None:
    """Take a use by one statement, combined with nobody; None for a code that is not there."""
    try:
        found = _taken(_TAKE_ONE, [wish])[0]
    except IntegrityError:
        return _locked([wish])[0]
    return found if found is None or found.is_final else _locked([wish])[0]


def _admit(wishes: Sequence[Wish]) -> list[Verdict | None]:
    return [admit_alone(wishes[0])] if len(wishes) == 1 else _locked(wishes)


_together: Combiner[Wish, Verdict | None] = Combiner(_admit)


@lru_cache(maxsize=KNOWN_CODES)
def _campaign_of(account: int, code: str) -> uuid.UUID:
    """Who is asked together. What is kept may be out of date: the statement looks for itself. Raises CouponUnknown."""
    with prepared.cursor() as cursor:
        cursor.execute(_WHERE, {"account": account, "code": code})
        row = cursor.fetchone()
    if row is None:
        raise CouponUnknown
    found: uuid.UUID = row[0]
    return found


def _locked(wishes: Sequence[Wish]) -> list[Verdict | None]:
    """Each wish's verdict, under the lock of the campaign's row; the first of those who wait is decided every time."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_LOCK, _given(wishes))
        verdicts = _taken(_TAKE_MANY, wishes)
        while left := [n for n, told in enumerate(verdicts) if told is not None and not told.is_final]:
            for n, told in zip(left, _taken(_TAKE_MANY, [wishes[n] for n in left]), strict=True):
                verdicts[n] = told
    return verdicts


def _taken(statement: str, wishes: Sequence[Wish]) -> list[Verdict | None]:
    with prepared.cursor() as cursor:
        cursor.execute(statement, _given(wishes))
        rows = cursor.fetchall()
    found: list[Verdict | None] = [None] * len(wishes)
    for n, *told in rows:
        found[n - 1] = Verdict(*told)
    return found


def line_of(wish: Wish, verdict: Verdict) -> CouponUse:
    """The row of the ledger as it was written for a wish."""
    campaign, coupon = verdict.campaign, verdict.coupon
    use = CouponUse(
        id=wish.id,
        account_id=wish.account,
        campaign_id=campaign,
        coupon=Coupon(id=coupon, account_id=wish.account, campaign_id=campaign, code=verdict.code),
        order_id=wish.cart.order_id,
        person=wish.cart.person,
        cart_value=wish.cart.value,
        discount=verdict.discount,
        currency=verdict.currency,
        lines=verdict.shares,
        returned=0,
    )
    for name in ("held_until", "redeemed_at", "at"):
        setattr(use, name, getattr(verdict, name))
    use._state.adding = False
    return use


def _given(wishes: Sequence[Wish]) -> dict[str, Any]:
    return {
        "account": wishes[0].account,
        "currency_of_account": wishes[0].currency,
        "id": [wish.id for wish in wishes],
        "code": [wish.code for wish in wishes],
        "person": [wish.cart.person for wish in wishes],
        "order_id": [wish.cart.order_id for wish in wishes],
        "cart_value": [wish.cart.value for wish in wishes],
        "currency": [wish.cart.currency for wish in wishes],
        "basket": [json.dumps(wish.cart.content) for wish in wishes],
        "hold": [wish.hold for wish in wishes],
    }
