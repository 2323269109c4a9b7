"""Receipt of many webhooks: what a process gets at the same moment is stored by one statement and one commit.

`take_in` returns when its rows are durable, and raises when they are not; the caller acknowledges after that, and only
then. The tally of a connection moves with the rows that are really new, in the same transaction.
"""

from __future__ import annotations

from contextlib import nullcontext
from itertools import accumulate, chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from django.db import InterfaceError, OperationalError, connection, connections, transaction

from dispatch.combining import Combiner
from dispatch.crashpoints import crashpoint
from dispatch.models import InboxEntry, WebhookConnection, WebhookTally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.backends.base.base import BaseDatabaseWrapper

# What is kept, but is none of the events that a provider's table names: not counted.
UNCOUNTED = "other"
LONGEST_KEY = 200
# Seconds. A statement and a commit cost as much as the Python of several requests.
GATHER = 0.002
# Stands in no key and, unescaped, in no JSON.
_SEPARATOR = "\x1f"

# All bodies are one value, cut up by the server: as JSON or in an array each would be quoted, read and copied by both
# sides. Each session has a tally of its own, so that two that store at one moment do not wait for each other.
_STORE = f"""
WITH stored AS (
    INSERT INTO {InboxEntry._meta.db_table}
        (account_id, provider, kind, dedupe_key, body, headers, context, error)
    SELECT a, p, k, d, substring(%(bodies)b FROM o FOR n), h::jsonb, c::jsonb, ''
    FROM unnest(
        %(accounts)s::bigint[], string_to_array(%(providers)s, '{_SEPARATOR}'),
        string_to_array(%(keys)s, '{_SEPARATOR}'), string_to_array(%(kinds)s, '{_SEPARATOR}'),
        %(offsets)s::int[], %(sizes)s::int[],
        string_to_array(%(headers)s, '{_SEPARATOR}'), string_to_array(%(contexts)s, '{_SEPARATOR}')
    ) AS given (a, p, d, k, o, n, h, c)
    ON CONFLICT (account_id, provider, dedupe_key) DO NOTHING RETURNING id, account_id, provider, kind
), tally AS (
    SELECT account_id, provider, count(*) AS n FROM stored WHERE kind <> '{UNCOUNTED}' GROUP BY 1, 2
), counted AS (
    INSERT INTO {WebhookTally._meta.db_table} AS known (account_id, webhook_id, stripe, events, last_event_at)
    SELECT account_id, w.id, pg_backend_pid() %% {WebhookTally.STRIPES}, t.n, now()
    FROM tally t JOIN {WebhookConnection._meta.db_table} w USING (account_id, provider) ORDER BY w.id
    ON CONFLICT (webhook_id, stripe) DO UPDATE
    SET events = known.events + excluded.events, last_event_at = excluded.last_event_at
)
SELECT array_agg(id) FROM stored
"""  # noqa: S608 (our own tables)


class Arrival(NamedTuple):
    """One verified event: its body as it came, or the value of the JSON array it came in. `headers` and `context` are
    JSON objects.
    """

    account_id: int
    provider: str
    key: str
    kind: str
    body: bytes
    headers: str = "{}"
    context: str = "{}"


def take_in(arrivals: Sequence[Arrival]) -> None:
    """Store events, each once for its key. Raises DatabaseError when they could not be stored."""
    if not connection.in_atomic_block:
        _together("inbox", arrivals)
    else:
        # In somebody's transaction it is part of that one, and lasts with it.
        store(arrivals)


def store(arrivals: Sequence[Arrival], through: BaseDatabaseWrapper = connection) -> list[int]:
    """Store events, in the present transaction if there is one. Returns the ids of those that are new."""
    given = _columns(arrivals)
    # One statement is a transaction already.
    with transaction.atomic() if through.in_atomic_block else nullcontext():
        through.ensure_connection()
        # Past Django's cursor: the server keeps the plan, which costs more than a few rows.
        with through.wrap_database_errors, psycopg.Cursor(through.connection) as cursor:
            found = cursor.execute(_STORE, given, prepare=True).fetchone()
    crashpoint("inbox.stored")
    return found[0] or [] if found else []


def _columns(arrivals: Sequence[Arrival]) -> dict[str, Any]:
    """Sorted, so that two processes with the same events wait for each other instead of locking each other out."""
    accounts, providers, keys, kinds, bodies, headers, contexts = zip(
        *sorted(arrivals, key=itemgetter(0, 1, 2)), strict=True
    )
    sizes = list(map(len, bodies))
    return {
        "accounts": _numbers(accounts),
        "providers": _SEPARATOR.join(providers),
        "keys": _SEPARATOR.join(keys),
        "kinds": _SEPARATOR.join(kinds),
        "bodies": b"".join(bodies),
        "offsets": _numbers(accumulate(sizes[:-1], initial=1)),
        "sizes": _numbers(sizes),
        "headers": _SEPARATOR.join(headers),
        "contexts": _SEPARATOR.join(contexts),
    }


def _numbers(numbers: Any) -> str:
    return f"{{{','.join(map(str, numbers))}}}"


# Who stores for a process uses this session, one at a time: one that knows the statement, instead of one a thread.
_own: list[BaseDatabaseWrapper] = []


def _session() -> BaseDatabaseWrapper:
    if not _own:
        _own.append(connections.create_connection("default"))
        _own[0].inc_thread_sharing()
    return _own[0]


def _store_all(batches: Sequence[Sequence[Arrival]]) -> list[bool]:
    arrivals = list(chain.from_iterable(batches))
    session = _session()
    try:
        store(arrivals, session)
    except (OperationalError, InterfaceError):
        # The server may have been started again since; what was stored all the same is not stored twice.
        session.close()
        store(arrivals, session)
    return [True] * len(batches)


_together: Combiner[Sequence[Arrival], bool] = Combiner(_store_all, gather=GATHER)
