"""The one statement that moves rows: guard in the WHERE, update, stamp, history, ids.

PostgreSQL 18 tells the state a row came from (`RETURNING old.status`); older servers get one statement per
source, which costs less than locking the rows first (measured: docs/architecture.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet
from django.db import connections, models, transaction
from django.db.models import sql
from django.db.models.functions import Now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lifecycle.transition import Actor, Edge, Lifecycle, LifecycleQuerySet

TELLS_THE_OLD_ROW = 180000


def move(
    queryset: LifecycleQuerySet[Any], edge: Edge, *, by: Actor | None, reason: str, fields: Mapping[str, Any]
) -> list[Any]:
    """Move the rows of `queryset` along `edge`; returns the ids moved, in order."""
    told = [edge.verb, edge.target, by.pk if by else None, reason]
    found = _run(queryset, edge, "array_agg(id)", told, fields)
    return sorted(row_id for ids in found for row_id in ids or [])


def move_all(
    queryset: LifecycleQuerySet[Any], edge: Edge, *, by: Actor | None, reason: str, fields: Mapping[str, Any]
) -> int:
    """Move the rows of `queryset` along `edge`; returns how many moved."""
    told = [edge.verb, edge.target, by.pk if by else None, reason]
    return sum(_run(queryset, edge, "count(*)", told, fields))


def rows_moved(model: type[Lifecycle], row_id: Any) -> models.QuerySet[Any]:
    """The history of one row, oldest first."""
    return model.machine.moves._default_manager.filter(row_id=row_id).order_by("id")


def _run(
    queryset: LifecycleQuerySet[Any], edge: Edge, answer: str, told: list[Any], fields: Mapping[str, Any]
) -> list[Any]:
    found = []
    with transaction.atomic(using=queryset.db, savepoint=False), connections[queryset.db].cursor() as cursor:
        for statement, params in _statements(queryset, edge, fields):
            cursor.execute(f"{statement} SELECT {answer} FROM moved", [*params, *told])  # noqa: S608 (our words)
            found.append(cursor.fetchone()[0])
    return found


def _statements(
    queryset: LifecycleQuerySet[Any], edge: Edge, fields: Mapping[str, Any]
) -> Iterator[tuple[str, list[Any]]]:
    """What makes the move, each without the final SELECT from `moved`. Nothing when no row can match."""
    connection: Any = connections[queryset.db]
    connection.ensure_connection()
    knows_old = connection.pg_version >= TELLS_THE_OLD_ROW
    # A source that is also the target goes first, or rows that just arrived there would be moved again.
    one_by_one = [(source,) for source in sorted(edge.sources, key=lambda source: source != edge.target)]
    batches = [edge.sources] if knows_old else one_by_one
    for sources in batches:
        try:
            update, params = _update(queryset, edge, sources, fields)
        except EmptyResultSet:
            return
        old, extra = ("old.status", []) if knows_old else ("%s::text", list(sources))
        yield _with_history(queryset.model, update, old), [*params, *extra]


def _with_history(model: type[Lifecycle], update: str, old: str) -> str:
    table, history = model._meta.db_table, model.machine.moves._meta.db_table
    return (
        f'WITH moved AS ({update} RETURNING "{table}"."id" AS id, '  # noqa: S608 (names come from models)
        f'"{table}"."{model.owner_column}" AS account_id, {old} AS source), '
        f'written AS (INSERT INTO "{history}" (account_id, row_id, verb, source, target, at, by_id, reason) '
        "SELECT account_id, id, %s, source, %s, statement_timestamp(), %s::bigint, %s FROM moved)"
    )


def _update(
    queryset: LifecycleQuerySet[Any], edge: Edge, sources: tuple[str, ...], fields: Mapping[str, Any]
) -> tuple[str, list[Any]]:
    query: Any = queryset.order_by().filter(status__in=sources).query.chain(sql.UpdateQuery)
    query.add_update_values({"status": edge.target, "status_at": Now(), **fields})
    # As QuerySet.update() does: what was annotated has no place in the subquery of an UPDATE.
    query.annotations = {}
    joined = query.count_active_tables() > 1
    statement, params = query.get_compiler(using=queryset.db).as_sql()
    if not joined:
        return statement, list(params)
    # Django selects the rows in a subquery; the state must be asked of the row itself, once it is locked.
    return f'{statement} AND "{queryset.model._meta.db_table}"."status" = ANY(%s)', [*params, list(sources)]
