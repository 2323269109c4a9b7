"""Lists: by page, or by cursor at constant cost; tables without bound stop counting at 10,000."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

from django.core import signing
from django.db.models import Model, Q, QuerySet

from campaigns_project.refusals import Invalid

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
COUNTED = 10_000

Shape = Callable[[Any], Any]
Counted = Literal["exact", "capped"]


class Rows(Protocol):
    """Where a list's rows come from, in the order that `page_of` was told."""

    model: type[Model]

    def count(self, at_most: int | None) -> int:
        """How many there are; counting stops at `at_most`."""

    def at(self, start: int, limit: int) -> Iterable[Any]:
        """The rows from that place on."""

    def after(self, values: Sequence[Any], limit: int) -> Iterable[Any]:
        """The rows after the one that has these values in the columns of the order."""


def page_of(
    rows: QuerySet[Any] | Rows,
    query: Mapping[str, Any],
    *,
    shape: Shape,
    scope: str = "",
    order: Sequence[str] = ("-id",),
    counted: Counted = "exact",
    read: Callable[[Any], Iterable[Any]] = list,
) -> dict[str, Any]:
    """One page as {"data", "pagination"}, in two statements for any length.

    `query` holds page or cursor, limit, and the filters that were applied; `shape` makes one row's JSON; `order` names
    columns of the model that are never null (the primary key is added). A cursor is good only for the same `scope`
    (account and address), filters and order; any other is Invalid. It carries the total on, as it was counted at first.
    `read` fetches a slice of a queryset. Rows have at least the columns of `order`.
    """
    order = [*order, *([] if order[-1].lstrip("-") in ("id", "pk") else ["id"])]
    source = _Queried(rows, order, read) if isinstance(rows, QuerySet) else rows
    pages = _Pages(source, query, scope, order)
    total = pages.count(counted)
    found = list(pages.rows(total, counted))
    shown = found[: pages.limit]
    return {
        "data": [shape(row) for row in shown],
        "pagination": {
            "page": pages.number,
            "limit": pages.limit,
            "total": total,
            "total_pages": -(-total // pages.limit),
            "next_cursor": pages.cursor_after(shown[-1], total) if len(found) > pages.limit else None,
            **({"total_is_estimate": True} if counted == "capped" and total > COUNTED else {}),
        },
    }


class _Pages:
    def __init__(self, source: Rows, query: Mapping[str, Any], scope: str, order: Sequence[str]) -> None:
        self.source = source
        self.columns = [_column(source.model, name) for name in order]
        self.limit: int = query.get("limit", DEFAULT_LIMIT)
        filters = {name: value for name, value in query.items() if name not in ("page", "limit", "cursor")}
        named = json.dumps([scope, list(order), filters], sort_keys=True, default=str)
        self.salt = "cursor:" + hashlib.sha256(named.encode()).hexdigest()
        self.number: int = query.get("page", 1)
        self.after: list[str] = []
        self.total: int | None = None
        if "cursor" in query:
            self.number, self.total, *self.after = self._open(query["cursor"])

    def count(self, counted: Counted) -> int:
        if self.total is not None:
            return self.total
        return self.source.count(COUNTED + 1 if counted == "capped" else None)

    def rows(self, total: int, counted: Counted) -> Iterable[Any]:
        """The rows of this page and, when there is one, the row after it."""
        if self.after:
            pairs = zip(self.columns, self.after, strict=True)
            return self.source.after([column.to_python(text) for column, text in pairs], self.limit + 1)
        start = (self.number - 1) * self.limit
        if counted == "capped" and start >= COUNTED:
            raise Invalid(details={"page": ["Beyond 10,000 rows a list is continued by cursor."]})
        return self.source.at(start, self.limit + 1) if start < total else []

    def cursor_after(self, row: Any, total: int) -> str:
        values = [column.value_to_string(row) for column in self.columns]
        return signing.dumps([self.number + 1, total, *values], salt=self.salt)

    def _open(self, cursor: str) -> list[Any]:
        try:
            values: list[Any] = signing.loads(cursor, salt=self.salt)
        except signing.BadSignature as error:
            raise Invalid(details={"cursor": ["This cursor does not belong to this list."]}) from error
        return values


class _Queried:
    """The rows of a queryset."""

    def __init__(self, queryset: QuerySet[Any], order: Sequence[str], read: Callable[[Any], Iterable[Any]]) -> None:
        self.model = queryset.model
        self.queryset = queryset.order_by(*order)
        self.order = order
        self.read = read

    def count(self, at_most: int | None) -> int:
        return self.queryset.order_by()[:at_most].count()

    def at(self, start: int, limit: int) -> Iterable[Any]:
        return self.read(self.queryset[start : start + limit])

    def after(self, values: Sequence[Any], limit: int) -> Iterable[Any]:
        return self.read(self.queryset.filter(self._beyond(values))[:limit])

    def _beyond(self, values: Sequence[Any]) -> Q:
        """(a, b) after (x, y), column by column, because directions may differ."""
        beyond, same, bound = Q(), Q(), Q()
        for name, value in zip(self.order, values, strict=True):
            column, side = _column(self.model, name).attname, "lt" if name.startswith("-") else "gt"
            # The first column alone bounds the index range; the alternatives only cut its edge.
            if len(self.order) > 1:
                bound = bound or Q(**{f"{column}__{side}e": value})
            beyond |= same & Q(**{f"{column}__{side}": value})
            same &= Q(**{column: value})
        return bound & beyond


def _column(model: type[Model], name: str) -> Any:
    plain = name.lstrip("-")
    return model._meta.pk if plain == "pk" else model._meta.get_field(plain)
