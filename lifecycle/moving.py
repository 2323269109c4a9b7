"""The one statement that moves rows: guard in the WHERE, update, stamp, history, ids.

PostgreSQL 18 tells the state a row came from (`RETURNING old.status`); older servers get one statement per source,
which costs less than locking the rows first (measured: docs/architecture.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet
from django.db import connections, models, transaction
from django.db.models import sql
from django.db.models.functions import Now

if TYPE_CHECKING:
    from lifecycle.transition import Actor, Edge, LifecycleQuerySet

TELLS_THE_OLD_ROW = 180000


def move(
    queryset: LifecycleQuerySet[Any], edge: Edge, *, by: Actor | None, reason: str, fields: Mapping[str, Any]
) -> list[int]:
    """Move the rows of `queryset` along `edge`; returns the ids moved."""
    found = _run(queryset, edge, "array_agg(id)", by=by, reason=reason, fields=fields)
    return sorted(row_id for ids in found for row_id in ids or [])


def move_all(
    queryset: LifecycleQuerySet[Any], edge: Edge, *, by: Actor | None, reason: str, fields: Mapping[str, Any]
) -> int:
    """Move the rows of `queryset` along `edge`; returns how many moved."""
    return sum(_run(queryset, edge, "count(*)", by=by, reason=reason, fields=fields))


def _run(
    queryset: LifecycleQuerySet[Any],
    edge: Edge,
    answer: str,
    *,
    by: Actor | None,
    reason: str,
    fields: Mapping[str, Any],
) -> list[Any]:
    connection = connections[queryset.db]
    connection.ensure_connection()
    knows_old = connection.pg_version >= TELLS_THE_OLD_ROW  # type: ignore[attr-defined]
    batches = [edge.sources] if knows_old else [(source,) for source in edge.sources]
    found = []
    with transaction.atomic(using=queryset.db), connection.cursor() as cursor:
        for sources in batches:
            try:
                statement, params = _statement(queryset, edge, sources, fields, knows_old=knows_old)
            except EmptyResultSet:
                continue
            cursor.execute(
                f"{statement} SELECT {answer} FROM moved",  # noqa: S608 (`answer` is one of two constants above)
                [*params, edge.verb, edge.target, by.pk if by else None, reason],
            )
            found.append(cursor.fetchone()[0])
    return found


def _statement(
    queryset: LifecycleQuerySet[Any], edge: Edge, sources: tuple[str, ...], fields: Mapping[str, Any], *, knows_old: bool
) -> tuple[str, list[Any]]:
    model = queryset.model
    update, params = _update(queryset, edge, sources, fields)
    old = "old.status" if knows_old else "%s::text"
    history = model.machine.moves._meta.db_table  # type: ignore[union-attr]
    returning = f'"{model._meta.db_table}"."id" AS id, "{model._meta.db_table}"."{model.owner_column}" AS account_id'
    statement = (
        f"WITH moved AS ({update} RETURNING {returning}, {old} AS source), "  # noqa: S608 (names come from models)
        f'written AS (INSERT INTO "{history}" (account_id, row_id, verb, source, target, at, by_id, reason) '
        "SELECT account_id, id, %s, source, %s, now(), %s, %s FROM moved)"
    )
    return statement, params if knows_old else [*params, sources[0]]


def _update(
    queryset: LifecycleQuerySet[Any], edge: Edge, sources: tuple[str, ...], fields: Mapping[str, Any]
) -> tuple[str, list[Any]]:
    rows = queryset.order_by().filter(status__in=sources)
    query = rows.query.chain(sql.UpdateQuery)
    query.add_update_values({"status": edge.target, "status_at": Now(), **fields})  # type: ignore[attr-defined]
    query.annotations = {}
    compiler = query.get_compiler(using=queryset.db)
    statement, params = compiler.as_sql()
    table = queryset.model._meta.db_table
    # With joins Django selects the rows in a subquery; the state must be asked of the row itself, after its lock.
    return f'{statement} AND "{table}"."status" = ANY(%s)', [*params, list(sources)]


def rows_moved(model: type[models.Model], row_id: int) -> models.QuerySet[Any]:
    """The history of one row, oldest first."""
    return model.machine.moves.objects.filter(row_id=row_id).order_by("id")  # type: ignore[attr-defined,no-any-return]
