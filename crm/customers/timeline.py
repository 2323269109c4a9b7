"""What happened to one person, newest first: events, consent and, from floors above, what was sent to them.

Each source is read by its own index, no further than the page asks; the sources are merged in memory.
"""

from __future__ import annotations

import datetime as dt
import heapq
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.core import signing
from django.db.models import Q

from campaigns_project.refusals import Invalid
from crm.customers import consent
from crm.models import ConsentEntry, Customer, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.models import QuerySet


@dataclass(frozen=True)
class Source:
    """One kind of entry: the customer's rows, the column that says when, and one row as
    `{"id", "type", "properties"}`.
    """

    kind: str
    rows: Callable[[Customer], QuerySet[Any]]
    at: str
    told: Callable[[Any], dict[str, Any]]


_sources: list[Source] = []


def tells(source: Source) -> None:
    """Add a source; call this in AppConfig.ready()."""
    _sources.append(source)


def entries(customer: Customer, *, limit: int, cursor: str = "") -> dict[str, Any]:
    """`{"data": [{kind, id, type, at, properties}], "pagination": {"limit", "next_cursor"}}`. Raises Invalid for a
    cursor of somebody else.
    """
    salt = f"timeline:{customer.account_id}:{customer.pk}"
    after = _opened(cursor, salt) if cursor else None
    read = [_read(number, source, customer, after, limit) for number, source in enumerate(_sources)]
    found = list(islice(heapq.merge(*read, key=lambda each: each[0], reverse=True), limit + 1))
    last = found[limit - 1][0] if len(found) > limit else None
    onward = signing.dumps([last[0].isoformat(), *last[1:]], salt=salt) if last else None
    return {"data": [entry for _, entry in found[:limit]], "pagination": {"limit": limit, "next_cursor": onward}}


Key = tuple[dt.datetime, int, int]


def _opened(cursor: str, salt: str) -> Key:
    try:
        at, number, pk = signing.loads(cursor, salt=salt)
    except signing.BadSignature:
        raise Invalid(details={"cursor": ["This cursor does not belong to this list."]}) from None
    return dt.datetime.fromisoformat(at), number, pk


def _read(
    number: int, source: Source, customer: Customer, after: Key | None, limit: int
) -> Iterator[tuple[Key, dict[str, Any]]]:
    """A source's next rows, newest first. Of one moment, the later source and the later row come first."""
    rows = source.rows(customer).order_by(f"-{source.at}", "-pk")
    if after is not None:
        at, of, pk = after
        same = Q(**{source.at: at}, pk__lt=pk) if of == number else Q(**{source.at: at})
        earlier = Q(**{f"{source.at}__lt": at})
        # The first condition alone bounds the index range.
        rows = rows.filter(Q(**{f"{source.at}__lte": at}) & (earlier | same if number <= of else earlier))
    for row in rows[: limit + 1]:
        at = getattr(row, source.at)
        yield (at, number, row.pk), {"kind": source.kind, "at": at, **source.told(row)}


def _events(customer: Customer) -> QuerySet[Event]:
    theirs = Q(customer=customer) | (Q(customer=None, phone=customer.phone) if customer.phone else Q(pk=None))
    return Event.objects.for_account(customer.account_id).filter(theirs)


def _event(event: Event) -> dict[str, Any]:
    value = (
        {"value": {"amount": event.value_minor, "currency": event.currency}} if event.value_minor is not None else {}
    )
    return {"id": event.public_id, "type": event.type, "properties": {**event.properties, **value}}


def _consents(customer: Customer) -> QuerySet[ConsentEntry]:
    hashes = consent.hashes_of(customer).values()
    return ConsentEntry.objects.for_account(customer.account_id).filter(address_hash__in=hashes)


def _consent(entry: ConsentEntry) -> dict[str, Any]:
    properties = {"channel": entry.channel, "purpose": entry.purpose, "source": entry.source}
    return {"id": str(entry.pk), "type": f"consent.{entry.act}", "properties": properties}


tells(Source("event", _events, "occurred_at", _event))
tells(Source("consent", _consents, "at", _consent))
