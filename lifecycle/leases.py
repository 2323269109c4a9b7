"""Work over big tables, taken by leases: ranges of ids, or short lists of rows that came back.

Never `ORDER BY id LIMIT n FOR UPDATE SKIP LOCKED` over the big table itself, which is quadratic (measured:
docs/architecture.md). All times are the database's.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from lifecycle.models import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lifecycle.transition import Actor, LifecycleQuerySet

NO_DELAY = dt.timedelta(0)

# A scope that comes later starts where the others are by now, or many newcomers could starve an old one.
_MAKE = """
INSERT INTO lifecycle_lease (account_id, queue, scope_id, turn, lo, hi)
SELECT %(account)s, %(queue)s, %(scope)s, first.turn + part.k, part.lo, part.hi
FROM (SELECT k, min(id) AS lo, max(id) AS hi
      FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1) / %(size)s AS k
            FROM {table} WHERE {where}) numbered
      GROUP BY k) part,
     (SELECT greatest(
         (SELECT max(turn) + 1 FROM lifecycle_lease WHERE queue = %(queue)s AND scope_id = %(scope)s),
         (SELECT min(turn) FROM lifecycle_lease WHERE queue = %(queue)s AND owner IS NULL),
         0) AS turn) first
"""

# Rows that come back were already due: they do not queue up behind what their scope has left.
_PUT_BACK = """
INSERT INTO lifecycle_lease (account_id, queue, scope_id, turn, ids, due_at)
SELECT %(account)s, %(queue)s, %(scope)s, coalesce(min(turn), 0), %(ids)s::bigint[],
       statement_timestamp() + %(delay)s::interval
FROM lifecycle_lease WHERE queue = %(queue)s AND owner IS NULL
"""

_NEXT = """
SELECT id FROM lifecycle_lease
WHERE queue = %(queue)s AND owner IS NULL AND due_at <= statement_timestamp()
ORDER BY turn, id LIMIT %(n)s FOR UPDATE SKIP LOCKED
"""

_TAKE = f"""
UPDATE lifecycle_lease SET owner = %(owner)s, taken_at = statement_timestamp()
WHERE id = ANY(ARRAY({_NEXT})) RETURNING *
"""  # noqa: S608 (no input in it)

_USE_UP = f"DELETE FROM lifecycle_lease WHERE id = ANY(ARRAY({_NEXT})) RETURNING *"  # noqa: S608 (no input in it)


def make(
    queue: str,
    *,
    account_id: int,
    scope_id: int,
    table: str,
    where_sql: str,
    params: Mapping[str, Any],
    size: int = 5000,
) -> int:
    """Lease out the rows of `table` that satisfy `where_sql`, `size` a lease; returns the number of leases.

    `where_sql` is ours, never input, with named parameters (`campaign_id = %(campaign)s`); the names account,
    queue, scope and size are taken.
    """
    statement = _MAKE.format(table=connection.ops.quote_name(table), where=where_sql)
    named = {**params, "account": account_id, "queue": queue, "scope": scope_id, "size": size}
    with connection.cursor() as cursor:
        cursor.execute(statement, named)
        return int(cursor.rowcount)


def put_back(queue: str, *, account_id: int, scope_id: int, ids: Iterable[int], delay: dt.timedelta = NO_DELAY) -> None:
    """Lease out the rows `ids` of one scope again, due after `delay`. Nothing happens without ids."""
    rows = sorted(ids)
    if not rows:
        return
    named: dict[str, Any] = {"account": account_id, "queue": queue, "scope": scope_id, "ids": rows, "delay": delay}
    with connection.cursor() as cursor:
        cursor.execute(_PUT_BACK, named)


def take(queue: str, owner: int, n: int = 1) -> list[Lease]:
    """Take at most `n` due leases for `owner`, round the scopes; they stay taken until finished or released."""
    taken = Lease.objects.raw(_TAKE, {"queue": queue, "owner": owner, "n": n})
    return sorted(taken, key=lambda lease: (lease.turn, lease.pk))


def finish(lease_ids: Iterable[int], *, owner: int) -> int:
    """Done with these leases; returns how many were still `owner`'s. One released meanwhile stays."""
    return Lease.objects.filter(pk__in=list(lease_ids), owner=owner).delete()[0]


def release_owner(owner: int) -> int:
    """Give the leases of a dead owner back; returns how many. No row of a big table is touched."""
    return Lease.objects.filter(owner=owner).update(owner=None, taken_at=None)


def leased(rows: LifecycleQuerySet[Any], lease: Lease) -> LifecycleQuerySet[Any]:
    """Those of `rows` that the lease stands for."""
    if lease.ids is not None:
        return rows.filter(pk__in=lease.ids)
    return rows.filter(pk__range=(lease.lo, lease.hi))


def move_by_leases(
    queue: str,
    rows_of: Callable[[Lease], LifecycleQuerySet[Any]],
    verb: str,
    *,
    by: Actor | None = None,
    reason: str = "",
    **fields: Any,
) -> int:
    """Move the rows of all due leases of `queue` along `verb`, one lease a transaction; returns how many moved.

    `rows_of` gives the rows of a lease's scope; those in its range are moved. Any number of processes may do
    this at once. A lease and its rows are done together or not at all: a killed process leaves nothing behind.
    """
    moved = 0
    while True:
        with transaction.atomic():
            lease = next(iter(Lease.objects.raw(_USE_UP, {"queue": queue, "n": 1})), None)
            if lease is None:
                return moved
            moved += leased(rows_of(lease), lease).transition_all(verb, by=by, reason=reason, **fields)
