"""Lists over tables of any size: counts that stop, searches that use an index, filters by age and by account."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Q, UUIDField
from django.db.models.functions import Now
from django.utils.functional import cached_property

from campaigns_project.admin.walls import within

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.db.models import Model, QuerySet
    from django.http import HttpRequest

CAP = 10_000
# Of the largest bigint.
DIGITS = 19
MOST_TERMS = 200
MOST_ACCOUNTS = 20
AGES = {"1m": ("1 minute", 60), "15m": ("15 minutes", 900), "1h": ("1 hour", 3600), "2d": ("2 days", 172_800)}
_BETWEEN_TERMS = re.compile(r"[,;\n\t]+")


class EstimatedPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs only
    """Counts at most CAP rows and pages through those; what lies beyond is found by filter or search."""

    @cached_property
    def count(self) -> int:
        return min(self._found, CAP)

    @cached_property
    def _found(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: CAP + 1].count())

    @property
    def counted(self) -> str:
        """The count for people: exact, "10,000+", or PostgreSQL's estimate of a whole table."""
        if self._found <= CAP:
            return f"{self._found:,}"
        rows: Any = self.object_list
        return f"{CAP:,}+" if rows.query.where else f"about {max(_estimate(rows.model), CAP):,}"


def search(rows: QuerySet[Any], paths: Iterable[str], typed: str) -> QuerySet[Any]:
    """Rows that match any of the terms in `typed`, which commas, semicolons, tabs or line ends part.

    A path is compared whole (`=id`), from its beginning in the same case (`^phone`), or from its beginning in any case.
    """
    terms = [term for part in _BETWEEN_TERMS.split(typed) if (term := part.strip())][:MOST_TERMS]
    found = Q(pk__in=[])
    for path in paths:
        found |= _matching(rows.model, path, terms)
    return rows.filter(found) if terms else rows


def _matching(model: type[Model], path: str, terms: Sequence[str]) -> Q:
    name = path.lstrip("=^")
    if path.startswith("="):
        field: Any = get_fields_from_path(model, name.replace("pk", model._meta.pk.name))[-1]
        return Q(**{f"{name}__in": [value for term in terms if (value := _value(field, term)) is not None]})
    lookup = "startswith" if path.startswith("^") else "istartswith"
    found = Q()
    for term in terms:
        found |= Q(**{f"{name}__{lookup}": term})
    return found


def _value(field: Any, term: str) -> Any:
    try:
        return field.to_python(term)
    except ValidationError:
        return None


def ids_in(model: type[Model], text: str) -> list[Any]:
    """The ids of `model` that a page gave with commas: whole numbers or UUIDs; what is neither is left out."""
    parts = text.split(",")
    if isinstance(model._meta.pk, UUIDField):
        return [found for part in parts if (found := _value(model._meta.pk, part)) is not None]
    return [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < DIGITS]


def _estimate(model: type[Model]) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table])
        return int(cursor.fetchone()[0])


class AccountFilter(admin.SimpleListFilter):
    """By account, for operators who see several."""

    title = "account"
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        accounts = model_admin.model._meta.get_field("account").related_model._default_manager.order_by("name", "pk")
        shown = list(within(request, accounts, "id").values_list("pk", "name")[:MOST_ACCOUNTS])
        return [(str(pk), name) for pk, name in shown] if len(shown) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002 (Django's signature)
        value = self.value() or ""
        if not value:
            return queryset
        return queryset.filter(account=value) if value.isascii() and value.isdigit() else queryset.none()


def older(field: str, title: str) -> type[admin.SimpleListFilter]:
    """A filter by how long ago `field` was; the parameter is `age`, its values the keys of AGES."""

    class AgeFilter(admin.SimpleListFilter):
        parameter_name = "age"

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002 (Django's signature)
            return [(key, f"over {words}") for key, (words, _) in AGES.items()]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002 (Django's signature)
            if self.value() not in AGES:
                return queryset
            return queryset.filter(**{f"{field}__lt": Now() - age(str(self.value()))})

    AgeFilter.title = title
    return AgeFilter


def age(key: str) -> timedelta:
    """How long one of AGES is."""
    return timedelta(seconds=AGES[key][1])


def chosen(title: str, parameter: str, choices: dict[str, tuple[str, Q]]) -> type[admin.SimpleListFilter]:
    """A filter whose `choices` are named conditions: `{"stuck": ("Stuck", Q(…))}`."""

    class NamedFilter(admin.SimpleListFilter):
        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002 (Django's signature)
            return [(key, words) for key, (words, _) in choices.items()]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002 (Django's signature)
            found = choices.get(str(self.value()))
            return queryset.filter(found[1]) if found else queryset

    NamedFilter.title, NamedFilter.parameter_name = title, parameter
    return NamedFilter
