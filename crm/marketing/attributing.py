"""Which campaign an order is counted for: the last one that had reached the person, within `attribution_days`.

One campaign an order. A refund takes its part back, and with the whole of it the order. Everything is counted anew from
the stream under the order's lock and then the delivery's, so that however often and in whatever order the same things
are told, the sums are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection

from crm.events import ORDER, REFUND, order_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from accounts.models import Account
    from crm.events import Written

# Two who hear of one order, or of its refund, do so one after the other.
LOCK = """
SELECT pg_advisory_xact_lock(7310004, hashtext(%(account)s || ':' || each))
FROM (SELECT DISTINCT unnest(%(orders)s::text[]) AS each ORDER BY 1) orders
"""

# As `events.order_id` reads it.
ORDER_ID = """coalesce(nullif(CASE WHEN jsonb_typeof(e.properties->'order_id') IN ('string', 'number')
    THEN left(e.properties->>'order_id', 200) END, ''), 'event:' || e.id)"""

# An earlier call may have been made with fewer facts; whose order it is stays what it was.
CREDIT = f"""
INSERT INTO crm_attribution (account_id, campaign_id, delivery_id, order_id, ordered_at, value_minor, refunded_minor)
SELECT DISTINCT ON (orders.order_id) %(account)s, d.campaign_id, d.id, orders.order_id, orders.occurred_at,
    CASE WHEN orders.currency IN ('', %(currency)s) THEN coalesce(orders.value_minor, 0) ELSE 0 END, 0
FROM (SELECT e.*, {ORDER_ID} AS order_id
      FROM crm_event e WHERE e.id = ANY(%(events)s) AND e.account_id = %(account)s) orders
JOIN crm_delivery d ON d.customer_id = orders.customer_id AND d.delivered_at <= orders.occurred_at
JOIN crm_marketingcampaign c ON c.id = d.campaign_id
    AND orders.occurred_at <= d.delivered_at + make_interval(days => c.attribution_days)
ORDER BY orders.order_id, orders.occurred_at, d.delivered_at DESC, d.id DESC
ON CONFLICT (account_id, order_id) DO NOTHING RETURNING delivery_id
"""  # noqa: S608 (no input in it)

REFUNDED = f"""
UPDATE crm_attribution a SET refunded_minor = least(a.value_minor, (
    SELECT coalesce(sum(e.value_minor), 0) FROM crm_event e
    WHERE e.account_id = a.account_id AND e.customer_id = d.customer_id AND e.type = 'order.refunded'
      AND {ORDER_ID} = a.order_id AND e.currency IN ('', %(currency)s)))
FROM crm_delivery d
WHERE d.id = a.delivery_id AND a.account_id = %(account)s AND a.order_id = ANY(%(orders)s::text[])
RETURNING a.delivery_id
"""  # noqa: S608 (no input in it)

HOLD = "SELECT id FROM crm_delivery WHERE id = ANY(%(rows)s::bigint[]) ORDER BY id FOR UPDATE"

SUM = """
UPDATE crm_delivery d SET revenue_minor = a.revenue, converted_at = a.first
FROM (SELECT delivery_id, sum(value_minor - refunded_minor) AS revenue,
             min(ordered_at) FILTER (WHERE value_minor = 0 OR refunded_minor < value_minor) AS first
      FROM crm_attribution WHERE delivery_id = ANY(%(rows)s::bigint[]) GROUP BY 1) a
WHERE d.id = a.delivery_id AND (d.revenue_minor, d.converted_at) IS DISTINCT FROM (a.revenue, a.first)
"""

# Orders of people whom a delivery had reached before, as we learn only now.
ORDERS_SINCE = f"""
SELECT e.id, {ORDER_ID}
FROM crm_delivery d JOIN crm_marketingcampaign c ON c.id = d.campaign_id
JOIN crm_event e ON e.account_id = d.account_id AND e.customer_id = d.customer_id AND e.type = 'order.completed'
    AND e.occurred_at BETWEEN d.delivered_at AND d.delivered_at + make_interval(days => c.attribution_days)
WHERE d.id = ANY(%(rows)s::bigint[]) AND d.account_id = %(account)s
"""  # noqa: S608 (no input in it)


def hear(account: Account, written: Sequence[Written]) -> None:
    """Listener of `crm.events`: credit orders, take refunds back."""
    theirs = [event for event in written if event.customer_id]
    orders = {event.id: order_id(event) for event in theirs if event.type == ORDER}
    _count(account, orders, {order_id(event) for event in theirs if event.type == REFUND})


def after_delivery(account: Account, deliveries: Iterable[int]) -> None:
    """Credit the orders that came before we learnt that these deliveries had arrived."""
    with connection.cursor() as cursor:
        cursor.execute(ORDERS_SINCE, {"account": account.pk, "rows": sorted(deliveries)})
        _count(account, dict(cursor.fetchall()), set())


def _count(account: Account, orders: dict[int, str], refunds: set[str]) -> None:
    """`orders`: order ids by the event that told of them."""
    touched = sorted({*orders.values(), *refunds})
    if not touched:
        return
    names: dict[str, Any] = {"account": account.pk, "currency": account.currency, "orders": touched}
    with connection.cursor() as cursor:
        cursor.execute(LOCK, names)
        cursor.execute(CREDIT, names | {"events": list(orders)})
        rows = {row for (row,) in cursor.fetchall()}
        cursor.execute(REFUNDED, names)
        rows |= {row for (row,) in cursor.fetchall()}
        cursor.execute(HOLD, {"rows": sorted(rows)})
        cursor.execute(SUM, {"rows": sorted(rows)})
