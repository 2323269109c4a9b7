"""Orders, as the `order.*` events tell of them: each event counts once, in whatever order they come.

An order is what its latest event says it is, worth what its latest event with an amount says, and has been refunded
what its refunds come to.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db import connection

from crm.events import REFUND, order_id
from crm.models import Order
from crm.models.catalogue import new_order_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from accounts.models import Account
    from crm.events import Written

KIND = "order."

# Rows to lock, in one order by everybody.
BEGIN = """
INSERT INTO crm_order (account_id, public_id, external_id, status, refunded_minor, currency, events)
SELECT %(account)s, g.public_id, g.external_id, '', 0, '', '{}'
FROM unnest(%(public_id)s::text[], %(external_id)s::text[]) AS g(public_id, external_id) ORDER BY g.external_id
ON CONFLICT (account_id, external_id) DO NOTHING
"""
COLUMNS = {
    "id": "bigint",
    "customer_id": "bigint",
    "status": "text",
    "amount_minor": "bigint",
    "refunded_minor": "bigint",
    "currency": "text",
    "placed_at": "timestamptz",
    "told_at": "timestamptz",
    "valued_at": "timestamptz",
}
SUM = f"""
UPDATE crm_order o SET {", ".join(f"{name} = sum.{name}" for name in COLUMNS if name != "id")},
    events = ARRAY(SELECT jsonb_array_elements_text(sum.events)::bigint)
FROM unnest({", ".join(f"%({name})s::{kind}[]" for name, kind in COLUMNS.items())}, %(events)s::jsonb[])
    AS sum({", ".join(COLUMNS)}, events)
WHERE o.id = sum.id
"""  # noqa: S608 (no input in it)


def hear(account: Account, written: Sequence[Written]) -> None:
    """Listener of `crm.events`: count what is told of orders."""
    told: dict[str, list[Written]] = {}
    for event in written:
        if event.type.startswith(KIND):
            told.setdefault(order_id(event), []).append(event)
    if told:
        orders = _held(account, sorted(told))
        for order in orders:
            for event in told[order.external_id]:
                _count(order, event)
        _write(orders)


def _held(account: Account, ids: Sequence[str]) -> list[Order]:
    """The orders of these ids, locked; those that are new are there now."""
    names: dict[str, Any] = {"account": account.pk, "external_id": ids, "public_id": [new_order_id() for _ in ids]}
    with connection.cursor() as cursor:
        cursor.execute(BEGIN, names)
    orders = Order.objects.for_account(account).filter(external_id__in=ids).order_by("external_id")
    return list(orders.select_for_update(no_key=True))


def _count(order: Order, event: Written) -> None:
    """Take an event in; one that is in already only tells whose it was."""
    if order.customer_id is None:
        order.customer_id = event.customer_id
    if event.id in order.events:
        return
    order.events.append(event.id)
    order.placed_at = min(order.placed_at or event.occurred_at, event.occurred_at)
    if not _later(order.told_at, event):
        order.told_at, order.status = event.occurred_at, event.type.removeprefix(KIND)
    if event.type == REFUND:
        order.refunded_minor += event.value_minor or 0
    elif event.value_minor is not None and not _later(order.valued_at, event):
        order.valued_at, order.amount_minor, order.currency = event.occurred_at, event.value_minor, event.currency


def _later(known: datetime | None, event: Written) -> bool:
    """Whether what is known happened after the event."""
    return known is not None and known > event.occurred_at


def _write(orders: Sequence[Order]) -> None:
    sums: dict[str, Any] = {name: [getattr(order, name) for order in orders] for name in COLUMNS}
    sums["events"] = [json.dumps(order.events) for order in orders]
    with connection.cursor() as cursor:
        cursor.execute(SUM, sums)
