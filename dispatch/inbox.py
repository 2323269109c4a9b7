"""The webhook inbox: stored and deduplicated before it is acknowledged, applied in batches after, replayable.

A domain registers a handler for each (provider, kind). The handler gets entries in the order they came and returns for
each whether it changed anything; it may be called again with the same entries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from dispatch.crashpoints import crashpoint
from dispatch.models import InboxEntry

log = structlog.get_logger(__name__)

Handler = Callable[[Sequence[InboxEntry]], Sequence[bool]]

KEEP_DAYS = 30
MAX_TRIES = 5
BACK_OFF_SECONDS = 2

_handlers: dict[tuple[str, str], Handler] = {}

STORE = """
INSERT INTO dispatch_inboxentry
    (account_id, provider, kind, connection_id, dedupe_key, body, headers, context, error)
VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb, %s::jsonb, '')
ON CONFLICT (account_id, provider, dedupe_key) DO NOTHING RETURNING id
"""


def handles(provider: str, kind: str, handler: Handler) -> None:
    """Register the handler of one kind of webhook."""
    _handlers[provider, kind] = handler


def store(
    *,
    account_id: int,
    provider: str,
    kind: str,
    connection_id: int | None,
    dedupe_key: str,
    body: bytes,
    headers: Mapping[str, str],
    context: Mapping[str, Any],
) -> int | None:
    """Store one verified webhook. Returns its id, or None when the same one is already there.

    The caller acknowledges after this was committed.
    """
    values: list[Any] = [account_id, provider, kind, connection_id, dedupe_key[:200], body]
    with connection.cursor() as cursor:
        cursor.execute(STORE, [*values, json.dumps(dict(headers)), json.dumps(dict(context))])
        row = cursor.fetchone()
    crashpoint("inbox.stored")
    return int(row[0]) if row else None


class _Apart(Exception):  # noqa: N818 (no error: they are taken one by one)
    """Entries that could not be applied together; `args` are their ids."""


def apply(limit: int = 500, *, only: Sequence[int] | None = None) -> int:
    """Apply waiting entries of one kind, the oldest first, or `only` among those with these ids. Returns how many were
    taken; 0 when there is nothing to do.
    """
    try:
        return _apply_waiting(limit, only)
    except _Apart as apart:
        return sum(_apply_waiting(1, [pk]) for pk in apart.args)


def apply_all(rounds: int = 50) -> int:
    """Apply what is waiting, at most `rounds` batches. Returns how many entries were taken."""
    taken = 0
    for _ in range(rounds):
        batch = apply()
        taken += batch
        if not batch:
            break
    return taken


def settle(entry: InboxEntry, *, changed: bool) -> None:
    """Mark an entry applied that its door applied itself, in the transaction that stored it."""
    _settle([entry], [changed])


def replay(entry: InboxEntry) -> None:
    """Put an entry back in line; applying it again has no second effect."""
    InboxEntry.objects.filter(pk=entry.pk).update(
        result=InboxEntry.Result.WAITING, tries=0, error="", next_try_at=Now()
    )


def ignore(entry: InboxEntry) -> bool:
    """Nobody applies this entry any more; False when it was applied meanwhile."""
    open_still = InboxEntry.objects.filter(
        pk=entry.pk, result__in=[InboxEntry.Result.WAITING, InboxEntry.Result.FAILED]
    )
    return bool(open_still.update(result=InboxEntry.Result.NO_EFFECT, applied_at=Now()))


def forget_old() -> int:
    """Delete what is older than KEEP_DAYS and no longer waiting."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM dispatch_inboxentry "
            "WHERE result <> 'waiting' AND received_at < now() - make_interval(days => %s)",
            [KEEP_DAYS],
        )
        return int(cursor.rowcount)


def _apply_waiting(limit: int, only: Sequence[int] | None) -> int:
    # One kind a transaction: handlers lock people in one order, and two handlers' locks would be in none.
    with transaction.atomic():
        waiting = InboxEntry.objects.select_for_update(skip_locked=True).filter(
            result=InboxEntry.Result.WAITING, next_try_at__lte=Now()
        )
        if only is not None:
            waiting = waiting.filter(pk__in=only)
        found = list(waiting.order_by("next_try_at", "id")[:limit])
        alike = [each for each in found if (each.provider, each.kind) == (found[0].provider, found[0].kind)]
        if alike:
            _apply_group(sorted(alike, key=lambda each: each.pk))
            crashpoint("inbox.before_commit")
    return len(alike)


def _apply_group(entries: list[InboxEntry]) -> None:
    handler = _handlers.get((entries[0].provider, entries[0].kind))
    if handler is None:
        _settle(entries, [False] * len(entries))
        return
    try:
        with transaction.atomic():
            changed = handler(entries)
    except Exception as failure:  # one bad entry must not hold up the others
        if connection.connection is None or connection.connection.closed:
            raise  # The database was away: they are as they were, and due.
        log.exception("webhooks not applied", provider=entries[0].provider, count=len(entries))
        if len(entries) > 1:
            raise _Apart(*[each.pk for each in entries]) from failure
        _try_later(entries[0], failure)
    else:
        _settle(entries, changed)


def _settle(entries: Sequence[InboxEntry], changed: Sequence[bool]) -> None:
    for result, wanted in ((InboxEntry.Result.APPLIED, True), (InboxEntry.Result.NO_EFFECT, False)):
        ids = [entry.pk for entry, was in zip(entries, changed, strict=True) if bool(was) is wanted]
        InboxEntry.objects.filter(pk__in=ids).update(result=result, applied_at=Now(), tries=F("tries") + 1)


def _try_later(entry: InboxEntry, failure: Exception) -> None:
    """After MAX_TRIES an entry is a dead letter: shown to operators, who may replay it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE dispatch_inboxentry SET tries = tries + 1, error = %s, "
            "next_try_at = now() + make_interval(secs => %s * power(2, tries)), "
            "result = CASE WHEN tries + 1 >= %s THEN 'failed' ELSE result END WHERE id = %s",
            [f"{type(failure).__name__}: {failure}"[:1000], BACK_OFF_SECONDS, MAX_TRIES, entry.pk],
        )
