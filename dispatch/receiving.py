"""Receipt of many webhooks: what a process gets at the same moment is stored by one statement and one commit.

`take_in` returns when its rows are durable, and raises when they are not; the caller acknowledges after that, and only
then. The counters of a connection move with the rows that are really new, in the same transaction.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from django.db import InterfaceError, OperationalError, connection, transaction

from dispatch.combining import Combiner
from dispatch.crashpoints import crashpoint
from dispatch.models import InboxEntry, WebhookConnection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What is kept, but is none of the events that a provider's table names: not counted.
UNCOUNTED = "other"
LONGEST_KEY = 200

# One JSON document, because lists of parameters cost more than their rows. Sorted, so that two processes with the same
# events wait for each other instead of locking each other out.
_STORE = f"""
WITH given AS (
    SELECT * FROM json_to_recordset(%(arrivals)s::json)
        AS g(a bigint, p text, k text, d text, b text, e json, h jsonb, c jsonb)
), stored AS (
    INSERT INTO {InboxEntry._meta.db_table}
        (account_id, provider, kind, dedupe_key, body, headers, context, error)
    SELECT a, p, k, d, convert_to(coalesce(b, e::text), 'UTF8'), h, c, '' FROM given ORDER BY a, p, d
    ON CONFLICT (account_id, provider, dedupe_key) DO NOTHING RETURNING id, account_id, provider, kind
), tally AS (
    SELECT account_id, provider, count(*) AS n FROM stored WHERE kind <> '{UNCOUNTED}' GROUP BY 1, 2
), locked AS (
    SELECT w.id, t.n FROM {WebhookConnection._meta.db_table} w JOIN tally t USING (account_id, provider)
    ORDER BY w.id FOR NO KEY UPDATE OF w
), counted AS (
    UPDATE {WebhookConnection._meta.db_table} w SET events_received = events_received + l.n, last_event_at = now()
    FROM locked l WHERE w.id = l.id
)
SELECT id FROM stored
"""  # noqa: S608 (our own tables)


class Arrival(NamedTuple):
    """One verified event. Its body is `text` as it came, or `item`, a value of the JSON array it came in."""

    account_id: int
    provider: str
    kind: str
    key: str
    text: str | None = None
    item: Any = None
    headers: Mapping[str, str] = {}
    context: Mapping[str, str] = {}


def take_in(arrivals: Sequence[Arrival]) -> None:
    """Store events, each once for its key. Raises DatabaseError when they could not be stored."""
    if not connection.in_atomic_block:
        _together("inbox", arrivals)
    else:
        # In somebody's transaction it is part of that one, and lasts with it.
        store(arrivals)


def store(arrivals: Sequence[Arrival]) -> list[int]:
    """Store events, in the present transaction if there is one. Returns the ids of those that are new."""
    given = {"arrivals": json.dumps([_row(each) for each in arrivals])}
    # One statement is a transaction already.
    with transaction.atomic() if connection.in_atomic_block else nullcontext():
        connection.ensure_connection()
        # Past Django's cursor: the server keeps the plan, which costs more than a few rows.
        with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
            found = [row[0] for row in cursor.execute(_STORE, given, prepare=True)]
    crashpoint("inbox.stored")
    return found


def _row(arrival: Arrival) -> dict[str, Any]:
    row: dict[str, Any] = {"a": arrival.account_id, "p": arrival.provider, "k": arrival.kind, "d": arrival.key}
    row |= {"b": arrival.text} if arrival.text is not None else {"e": arrival.item}
    return row | {"h": arrival.headers, "c": arrival.context}


def _store_all(batches: Sequence[Sequence[Arrival]]) -> list[bool]:
    arrivals = list(chain.from_iterable(batches))
    try:
        store(arrivals)
    except (OperationalError, InterfaceError):
        # The server may have been started again since; what was stored all the same is not stored twice.
        connection.close()
        store(arrivals)
    return [True] * len(batches)


_together: Combiner[Sequence[Arrival], bool] = Combiner(_store_all)
