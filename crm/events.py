"""The one stream of what happened: timelines, funnels and attribution read it, and every domain writes to it.

An event is kept once for its `event_id`. What follows from it (such as what a customer spent) moves in its transaction:
those who listen are told of a row that was really written, once, however often and by however many callers it is told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Account
from crm.models import Customer, new_event_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

ORDER, REFUND = "order.completed", "order.refunded"

# Sorted, so that two callers with the same events wait for each other instead of locking each other out. The conditions
# on '' are those of the unique indexes; the account is said as a query, because statistics know nothing of a new one.
STORE = """
WITH given AS (
    SELECT * FROM unnest(%(event_id)s::text[], %(public_id)s::text[], %(type)s::text[], %(customer_id)s::bigint[],
        %(email)s::text[], %(phone)s::text[], %(occurred_at)s::timestamptz[], %(value_minor)s::bigint[],
        %(currency)s::text[], %(properties)s::jsonb[])
    AS g(event_id, public_id, type, customer_id, email, phone, occurred_at, value_minor, currency, properties)
)
INSERT INTO crm_event (account_id, public_id, event_id, type, customer_id, email, phone, occurred_at, value_minor,
    currency, properties)
SELECT %(account)s, g.public_id, g.event_id, g.type, coalesce(g.customer_id, by_phone.id, by_email.id), g.email,
    g.phone, g.occurred_at, g.value_minor, g.currency, g.properties
FROM given g
LEFT JOIN crm_customer by_phone ON by_phone.account_id = (SELECT %(account)s::bigint) AND by_phone.phone = g.phone
    AND NOT (by_phone.phone = '')
LEFT JOIN crm_customer by_email ON by_email.account_id = (SELECT %(account)s::bigint)
    AND lower(by_email.email) = lower(g.email) AND NOT (by_email.email = '')
ORDER BY g.event_id
ON CONFLICT (account_id, event_id) DO NOTHING
"""

# Of two people, the one with the phone number has it.
CLAIM = """
WITH found AS (
    SELECT event.id AS event, customer.id AS person, 1 AS rank FROM crm_customer customer JOIN crm_event event
        ON event.account_id = customer.account_id AND event.phone = customer.phone AND event.customer_id IS NULL
    WHERE customer.id = ANY (%(customers)s::bigint[]) AND customer.account_id = %(account)s AND customer.phone <> ''
    UNION ALL
    SELECT event.id, customer.id, 2 FROM crm_customer customer JOIN crm_event event
        ON event.account_id = customer.account_id AND lower(event.email) = lower(customer.email)
        AND event.customer_id IS NULL AND NOT (event.email = '')
    WHERE customer.id = ANY (%(customers)s::bigint[]) AND customer.account_id = %(account)s AND customer.email <> ''
)
UPDATE crm_event SET customer_id = first.person
FROM (SELECT DISTINCT ON (event) event, person FROM found ORDER BY event, rank) first
WHERE id = first.event AND customer_id IS NULL
"""

FIND = """
SELECT {columns} FROM crm_event WHERE account_id = %(account)s AND id = ANY(%(ids)s)
"""

# Locks of a transaction, taken in one order by everybody. Few, because the table of locks is small.
BUCKETS = 64
HOLD = "SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS key"
SHARE = "SELECT pg_advisory_xact_lock_shared(key) FROM unnest(%s::bigint[]) AS key"

COUNT = """
UPDATE crm_customer customer SET total_spent_minor = total_spent_minor + spent, order_count = order_count + orders,
    last_order_at = greatest(last_order_at, latest), updated_at = now()
FROM unnest(%(ids)s::bigint[], %(spent)s::bigint[], %(orders)s::int[], %(latest)s::timestamptz[])
    AS moved(id, spent, orders, latest)
WHERE customer.id = moved.id
"""


class Written(NamedTuple):
    """An event as it stands in the stream; its fields are its columns."""

    id: int
    type: str
    customer_id: int | None
    email: str
    phone: str
    occurred_at: datetime
    value_minor: int | None
    currency: str
    properties: dict[str, Any]


def order_id(event: Written) -> str:
    """The merchant's id of the order that an event is about, or ours of the event where they say none."""
    said = event.properties.get("order_id")
    if isinstance(said, int | float) and not isinstance(said, bool):
        said = json.dumps(said)
    return (said[:200] if isinstance(said, str) else "") or f"event:{event.id}"


Listener = Callable[[Account, "Sequence[Written]"], None]
_listeners: list[Listener] = []
_RETURNING = f"RETURNING {', '.join(Written._fields)}"


def listens(listener: Listener) -> None:
    """`listener(account, written)` is called in the transaction that writes events down, or that finds out whose they
    were (then they have a customer now). Call this in AppConfig.ready().
    """
    _listeners.append(listener)


@dataclass(frozen=True)
class Happened:
    """One thing that happened; without a `customer_id` its person is found by phone, then by e-mail address."""

    event_id: str
    type: str
    customer_id: int | None = None
    email: str = ""
    phone: str = ""
    occurred_at: datetime = field(default_factory=timezone.now)
    value_minor: int | None = None
    currency: str = ""
    properties: dict[str, Any] = field(default_factory=dict)


def store(account: Account, events: Sequence[Happened]) -> int:
    """Write events down, each once: a second one with the same `event_id` changes nothing. Returns how many are new.

    Orders in the account's currency move what their customer spent; in another one they only count as orders.
    """
    columns: dict[str, Any] = {
        name: [getattr(event, name) for event in events]
        for name in ("event_id", "type", "customer_id", "email", "phone", "occurred_at", "value_minor", "currency")
    }
    columns["account"] = account.pk
    columns["properties"] = [json.dumps(event.properties) for event in events]
    columns["public_id"] = [new_event_id() for _ in events]
    strangers = [each for event in events if event.customer_id is None for each in (event.phone, event.email)]
    with transaction.atomic(), connection.cursor() as cursor:
        hold(account.pk, strangers, SHARE)
        cursor.execute(f"{STORE} {_RETURNING}", columns)
        return len(_told(account, cursor.fetchall()))


def record(account: Account, **said: Any) -> None:
    """Write one event down, once (`Happened` names the fields)."""
    occurred_at = said.pop("occurred_at", None) or timezone.now()
    store(account, [Happened(**said, occurred_at=occurred_at)])


def claim(customer: Customer) -> None:
    """Make the customer's what happened to their phone or e-mail address before they were known."""
    claim_all(customer.account, [customer.pk])


def claim_all(account: Account, customers: Sequence[int]) -> None:
    """Make theirs what happened to their addresses before. Call it with their addresses held."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{CLAIM} {_RETURNING}", {"account": account.pk, "customers": list(customers)})
        _told(account, cursor.fetchall())


def hold(account_id: int, addresses: Iterable[str], statement: str = HOLD) -> None:
    """Until the commit, nobody else writes customers with these addresses, and no event finds out whose it is.

    Call it before any customer is locked. Without it, an event and its customer that are written in one moment would
    not see each other, and the event would stay nobody's.
    """
    buckets = {_digest(address.lower()) % BUCKETS for address in addresses if address}
    keys = sorted({_digest(f"{account_id}:{bucket}") for bucket in buckets})
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(statement, [keys])


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], signed=True)


def announce(told: Mapping[int, Sequence[int]]) -> None:
    """Tell those who listen of events that a statement elsewhere wrote: their ids by account.

    Call it in that statement's transaction, once for each event.
    """
    for account in Account.objects.filter(pk__in=told).order_by("pk"):
        with connection.cursor() as cursor:
            names: dict[str, Any] = {"account": account.pk, "ids": list(told[account.pk])}
            cursor.execute(FIND.format(columns=", ".join(Written._fields)), names)
            _told(account, cursor.fetchall())


def _told(account: Account, rows: Sequence[tuple[Any, ...]]) -> Sequence[Written]:
    written = [Written._make((*row[:-1], json.loads(row[-1]))) for row in rows]
    for listener in _listeners if written else ():
        listener(account, written)
    return written


def _count(account: Account, written: Sequence[Written]) -> None:
    """Move what customers spent by the events that were just written."""
    spent: dict[int, int] = {}
    latest: dict[int, list[datetime]] = {}
    for event in written:
        if event.customer_id is None or event.type not in (ORDER, REFUND):
            continue
        ours = event.currency in ("", account.currency)
        amount = (event.value_minor or 0) * ours * (1 if event.type == ORDER else -1)
        spent[event.customer_id] = spent.get(event.customer_id, 0) + amount
        latest.setdefault(event.customer_id, []).extend([event.occurred_at] * (event.type == ORDER))
    if not spent:
        return
    # All locks in one order, before the first row is written.
    list(Customer.objects.filter(pk__in=spent).select_for_update(no_key=True).order_by("pk").values_list("pk"))
    names: dict[str, Any] = {
        "ids": list(spent),
        "spent": list(spent.values()),
        "orders": [len(latest[each]) for each in spent],
        "latest": [max(latest[each], default=None) for each in spent],
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNT, names)


listens(_count)
