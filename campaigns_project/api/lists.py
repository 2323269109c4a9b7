"""Lists: by page, or by cursor at constant cost; tables without bound stop counting at 10,000."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from django.core import signing
from django.db.models import Q, QuerySet

from campaigns_project.refusals import Invalid

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
COUNTED = 10_000

Shape = Callable[[Any], Any]
Counted = Literal["exact", "capped"]


def page_of(
    queryset: QuerySet[Any],
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
    `read` fetches a slice of the queryset: rows that have at least the columns of `order`.
    """
    pages = _Pages(queryset, query, scope, [*order, *([] if order[-1].lstrip("-") in ("id", "pk") else ["id"])])
    total = pages.count(counted)
    rows = list(read(pages.rows(total, counted)))
    shown = rows[: pages.limit]
    return {
        "data": [shape(row) for row in shown],
        "pagination": {
            "page": pages.number,
            "limit": pages.limit,
            "total": total,
            "total_pages": -(-total // pages.limit),
            "next_cursor": pages.cursor_after(shown[-1], total) if len(rows) > pages.limit else None,
            **({"total_is_estimate": True} if counted == "capped" and total > COUNTED else {}),
        },
    }


class _Pages:
    def __init__(self, queryset: QuerySet[Any], query: Mapping[str, Any], scope: str, order: Sequence[str]) -> None:
        self.queryset = queryset.order_by(*order)
        self.order = order
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
        unordered = self.queryset.order_by()
        return unordered[: COUNTED + 1].count() if counted == "capped" else unordered.count()

    def rows(self, total: int, counted: Counted) -> QuerySet[Any]:
        """The rows of this page and, when there is one, the row after it."""
        if self.after:
            return self.queryset.filter(self._beyond())[: self.limit + 1]
        start = (self.number - 1) * self.limit
        if counted == "capped" and start >= COUNTED:
            raise Invalid(details={"page": ["Beyond 10,000 rows a list is continued by cursor."]})
        return self.queryset[start : start + self.limit + 1] if start < total else self.queryset.none()

    def cursor_after(self, row: Any, total: int) -> str:
        values = [self._field(name).value_to_string(row) for name in self.order]
        return signing.dumps([self.number + 1, total, *values], salt=self.salt)

    def _open(self, cursor: str) -> list[Any]:
        try:
            values: list[Any] = signing.loads(cursor, salt=self.salt)
        except signing.BadSignature as error:
            raise Invalid(details={"cursor": ["This cursor does not belong to this list."]}) from error
        return values

    def _beyond(self) -> Q:
        """(a, b) after (x, y), column by column, because directions may differ."""
        beyond, same, bound = Q(), Q(), Q()
        for name, text in zip(self.order, self.after, strict=True):
            column, side = self._field(name).attname, "lt" if name.startswith("-") else "gt"
            value = self._field(name).to_python(text)
            # The first column alone bounds the index range; the alternatives only cut its edge.
            if len(self.order) > 1:
                bound = bound or Q(**{f"{column}__{side}e": value})
            beyond |= same & Q(**{f"{column}__{side}": value})
            same &= Q(**{column: value})
        return bound & beyond

    def _field(self, name: str) -> Any:
        plain = name.lstrip("-")
        return self.queryset.model._meta.pk if plain == "pk" else self.queryset.model._meta.get_field(plain)
