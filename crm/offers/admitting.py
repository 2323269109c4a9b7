"""Whether a promo code may be used, and the line in its ledger: exact, for one order or for many at once.

The promo's row is locked first and by everybody who takes or gives back a use. Under its lock PostgreSQL tells what
holds for each order; the limits are then counted order by order, and all lines are written by one statement. A CHECK
or a unique index that says no undoes all of it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from crm.audiences.segments import members_sql
from crm.models import Promo, PromoShare, PromoUse
from crm.models.promo import new_use_id
from dispatch.combining import Combiner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROMOS, SHARES, USES = (model._meta.db_table for model in (Promo, PromoShare, PromoUse))

# What a use is taken from: the lines a promo applies to, or the whole order.
_ELIGIBLE = """
    CASE WHEN promo.applies_to ? 'items' THEN (
        SELECT coalesce(sum(line.amount), 0)::bigint
        FROM jsonb_to_recordset(asked.items) AS line(sku text, amount bigint)
        WHERE promo.applies_to -> 'items' ? line.sku
    ) ELSE asked.order_amount END"""
# Half a minor unit and more is rounded up. LEAST passes over a maximum that is not set.
_DISCOUNT = """
    least(promo.max_discount, eligible.amount, CASE promo.type
        WHEN 'percentage' THEN (eligible.amount * promo.value + 5000) / 10000
        WHEN 'fixed_amount' THEN promo.value
        ELSE 0 END)"""
# What must hold, and how it is called when it does not, in the order of telling. The limits come after these.
CONDITIONS = {
    "promo_not_active": "promo.enabled",
    "promo_not_started": "promo.valid_from <= clock_timestamp()",
    "promo_expired": "(promo.valid_until IS NULL OR promo.valid_until >= clock_timestamp())",
    "not_in_segment": f"""(promo.segment_id IS NULL OR EXISTS (
        SELECT FROM crm_customer buyer WHERE buyer.account_id = promo.account_id AND buyer.public_id = asked.person
            AND buyer.id IN ({members_sql("promo.segment_id")})))""",
    "min_order_not_met": "promo.min_order <= asked.order_amount",
    "product_mismatch": "(NOT promo.applies_to ? 'items' OR eligible.amount > 0)",
}
_REASON = " ".join(f"WHEN NOT {holds} THEN '{reason}'" for reason, holds in CONDITIONS.items())
_WHICH = "promo.account_id = %(account)s AND promo.code = %(code)s"
_LOCK = f"SELECT FROM {PROMOS} AS promo WHERE {_WHICH} FOR NO KEY UPDATE"
# Looked up for each order by itself: while the tables are young, a join would be planned to read all of them.
_SHARE = f"""
    SELECT share.used FROM {SHARES} AS share WHERE share.promo_id = promo.id AND share.person = asked.person"""  # noqa: S608
_LIVE = f"""
    SELECT live.id FROM {USES} AS live
    WHERE live.promo_id = promo.id AND live.order_id = asked.order_id AND live.quantity = 1
        AND live.ended_at IS NULL"""  # noqa: S608 (our own table)
_JUDGE = f"""
    SELECT promo.id, {_DISCOUNT}, CASE {_REASON} ELSE '' END, promo.used, promo.usage_limit, promo.spent, promo.budget,
           coalesce(({_SHARE}), 0), promo.per_customer_limit, ({_LIVE})
    FROM unnest(%(person)s::text[], %(order_id)s::text[], %(order_amount)s::bigint[], %(items)s::jsonb[])
        WITH ORDINALITY AS asked(person, order_id, order_amount, items, n)
    JOIN {PROMOS} AS promo ON {_WHICH}
    CROSS JOIN LATERAL (SELECT {_ELIGIBLE} AS amount) AS eligible
    ORDER BY asked.n"""  # noqa: S608 (our own tables)
_WRITE = f"""
    WITH taken AS (
        SELECT * FROM unnest(%(public_id)s::text[], %(order_id)s::text[], %(person)s::text[],
            %(order_amount)s::bigint[], %(discount)s::bigint[], %(hold)s::int[])
            AS t(public_id, order_id, person, order_amount, discount, hold)
    ), counted AS (
        INSERT INTO {SHARES} AS share (account_id, promo_id, person, used, most)
        SELECT %(account)s, %(promo)s, person, count(*), %(most)s FROM taken GROUP BY person
        ON CONFLICT (promo_id, person) DO UPDATE SET used = share.used + excluded.used, most = excluded.most
    ), moved AS (
        UPDATE {PROMOS} SET used = used + sold.n, spent = spent + sold.given
        FROM (SELECT count(*) AS n, sum(discount) AS given FROM taken) AS sold WHERE id = %(promo)s
    )
    INSERT INTO {USES} (account_id, public_id, promo_id, order_id, person, quantity, order_amount, discount,
                        held_until, redeemed_at, reason)
    SELECT %(account)s, public_id, %(promo)s, order_id, person, 1, order_amount, discount,
           clock_timestamp() + hold * interval '1 second', CASE WHEN hold IS NULL THEN clock_timestamp() END, ''
    FROM taken
    RETURNING public_id, id, held_until, redeemed_at, at"""  # noqa: S608 (our own tables)


@dataclass(frozen=True)
class Basket:
    """What a code is asked for; amounts in minor units of the account's currency, a line is {sku, amount}."""

    person: str
    order_amount: int
    order_id: str = ""
    items: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Wish:
    """A use of a code for a basket: held for so many seconds, or redeemed at once."""

    account: int
    code: str
    basket: Basket
    hold: int | None = None


@dataclass(frozen=True)
class Verdict:
    """The promo (None: there is none of this code) and what it gives; why not, or the line: one of this batch (`use`;
    `is_new` for the wish it was made for) or the order's `present` one.
    """

    promo: int | None = None
    discount: int = 0
    reason: str = ""
    use: PromoUse | None = None
    present: int | None = None
    most: int | None = None
    is_new: bool = False


@dataclass
class _Judged:
    """One row of the judgement; `used` and `spent` are as the lock found them."""

    promo: int
    discount: int
    reason: str
    used: int
    usage_limit: int | None
    spent: int
    budget: int | None
    share: int
    most: int | None
    present: int | None


def judge(wish: Wish) -> Verdict:
    """What would become of a wish now; changes nothing."""
    return _verdicts([wish])[0]


def admit(wish: Wish) -> Verdict:
    """Take a use, or say why not; the same order's present line is left alone. In a transaction it is part of it,
    otherwise it has one of its own, shared with what others ask of the same code at the same moment.
    """
    if connection.in_atomic_block:
        return _admit([wish])[0]
    return _together((wish.account, wish.code), wish)


def _admit(wishes: Sequence[Wish]) -> list[Verdict]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_LOCK, {"account": wishes[0].account, "code": wishes[0].code})
        verdicts = _verdicts(wishes)
        new = [(told, wish.hold) for told, wish in zip(verdicts, wishes, strict=True) if told.is_new]
        if new:
            _write(wishes[0].account, new)
    return verdicts


_together: Combiner[Wish, Verdict] = Combiner(_admit)


def _judged(wishes: Sequence[Wish]) -> list[_Judged]:
    baskets = [wish.basket for wish in wishes]
    given: dict[str, Any] = {
        "account": wishes[0].account,
        "code": wishes[0].code,
        "person": [basket.person for basket in baskets],
        "order_id": [basket.order_id for basket in baskets],
        "order_amount": [basket.order_amount for basket in baskets],
        "items": [json.dumps(basket.items) for basket in baskets],
    }
    with connection.cursor() as cursor:
        cursor.execute(_JUDGE, given)
        return [_Judged(*row) for row in cursor.fetchall()]


def _verdicts(wishes: Sequence[Wish]) -> list[Verdict]:
    """Each wish in turn, counting those before it."""
    found = _judged(wishes)
    if not found:
        return [Verdict()] * len(wishes)
    sales = _Sales()
    return [sales.told(wish, row) for wish, row in zip(wishes, found, strict=True)]


@dataclass
class _Sales:
    """What the wishes before this one took."""

    sold: int = 0
    given: int = 0
    shares: Counter[str] = field(default_factory=Counter)
    orders: dict[str, PromoUse] = field(default_factory=dict)

    def told(self, wish: Wish, row: _Judged) -> Verdict:
        order, person = wish.basket.order_id, wish.basket.person
        if row.present or order in self.orders:
            return Verdict(row.promo, row.discount, use=self.orders.get(order), present=row.present)
        if reason := row.reason or self._beyond(row, self.shares[person]):
            return Verdict(row.promo, row.discount, reason)
        self.sold, self.given = self.sold + 1, self.given + row.discount
        self.shares[person] += 1
        use = self.orders[order] = _line(wish, row)
        return Verdict(row.promo, row.discount, use=use, most=row.most, is_new=True)

    def _beyond(self, row: _Judged, mine: int) -> str:
        sold_out = row.usage_limit is not None and row.used + self.sold >= row.usage_limit
        spent = row.spent + self.given + row.discount
        if sold_out or (row.budget is not None and spent > row.budget):
            return "promo_exhausted"
        return "customer_limit_reached" if row.most is not None and row.share + mine >= row.most else ""


def _line(wish: Wish, row: _Judged) -> PromoUse:
    basket = wish.basket
    return PromoUse(
        account_id=wish.account,
        public_id=new_use_id(),
        promo_id=row.promo,
        order_id=basket.order_id,
        person=basket.person,
        quantity=1,
        order_amount=basket.order_amount,
        discount=row.discount,
        reason="",
    )


def _write(account: int, new: Sequence[tuple[Verdict, int | None]]) -> None:
    """Write new lines, each with the seconds it is held; what PostgreSQL says of them is filled in."""
    lines = {told.use.public_id: told.use for told, _ in new if told.use}
    given: dict[str, Any] = {
        name: [getattr(use, name) for use in lines.values()]
        for name in ("public_id", "order_id", "person", "order_amount", "discount")
    }
    given |= {"hold": [hold for _, hold in new], "most": new[0][0].most}
    given |= {"promo": new[0][0].promo, "account": account}
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, given)
        for public_id, *known in cursor.fetchall():
            use = lines[public_id]
            use.pk, use.held_until, use.redeemed_at, use.at = known
            use._state.adding = False
