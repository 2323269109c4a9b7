"""Dynamic segments kept right: counted live, built in full, and brought up to date by what changed.

A refresh of everybody writes a new version of the members beside the old one and then swaps; one by what changed looks
only at customers

* who were written since the last look. `updated_at` is the start of the writing transaction by the database's clock
  (migration 0006). A transaction that the last look could not see yet had begun by then, or later: so the next look
  begins at the oldest transaction that was open at the last one (`changes_from`), not at the last look's own time;
* whose last order or first day became as old as the criteria name, without a change of their row. These lie between two
  moments of the clock, which the last look and this one tell exactly.

Either is one transaction under the segment's lock: readers see the old members or the new ones.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import OperationalError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from psycopg.errors import QueryCanceled

from campaigns_project import jobs
from campaigns_project.refusals import Conflict
from crm.audiences import criteria, segments
from crm.models import Customer, Segment, SegmentMember, SegmentType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from accounts.models import Account
    from campaigns_project.models import Job

KIND = "segment_refresh"
LIVE_MS = 1_000
SAMPLE = 10
MEMBERS = SegmentMember._meta.db_table
_FROM = "FROM crm_customer c WHERE c.account_id = %s AND c.erased_at IS NULL AND"

# Every session of ours runs under one role, so all of them are seen here. Our own is among them: with its start,
# whatever begins while we look is looked at again.
_OLDEST = """
    SELECT now(), least(now(), min(xact_start)) FROM pg_stat_activity
    WHERE datname = current_database()"""
_AGED = "OR (c.{0} > %s - {1} AND c.{0} <= now() - {1})"
# Who moves is found and moved in one statement. Members are looked up one by one, in the order of their index: how many
# changed is known to PostgreSQL only when it sees them, and a subquery of one row is right for any number. Only who
# comes or goes is written; nobody else writes members while we hold the segment's lock.
_MOVE = f"""
    WITH changed AS MATERIALIZED (
        SELECT c.id, c.erased_at IS NULL AND {{fits}} AS fits FROM crm_customer c
        WHERE c.account_id = %s AND ({{since}}) LIMIT %s
    ), looked AS MATERIALIZED (
        SELECT id, fits, (
            SELECT member.ctid FROM {MEMBERS} member
            WHERE member.segment_id = %s AND member.version = %s AND member.customer_id = each.id
        ) AS place
        FROM (SELECT * FROM changed WHERE (SELECT count(*) FROM changed) <= %s ORDER BY id) AS each OFFSET 0
    ), gone AS (
        DELETE FROM {MEMBERS} WHERE ctid = ANY(ARRAY(SELECT place FROM looked WHERE NOT fits AND place IS NOT NULL))
        RETURNING 1
    ), come AS (
        INSERT INTO {MEMBERS} (account_id, segment_id, version, customer_id)
        SELECT %s, %s, %s, id FROM looked WHERE fits AND place IS NULL RETURNING 1
    )
    SELECT (SELECT count(*) FROM changed), (SELECT count(*) FROM come), (SELECT count(*) FROM gone)"""  # noqa: S608
# Beyond so many, building anew is as fast.
MOST_CHANGED = 200_000


class CountCancelled(Conflict):
    code = "count_cancelled"
    message = "The count was cancelled."


@dataclass(frozen=True)
class Counted:
    """How many customers some criteria fit; `exact` is false where counting would have taken too long."""

    size: int
    exact: bool
    sample: Sequence[Customer]


def counted(account: Account, asked: Any, *, by: Any = None, within_ms: int = LIVE_MS) -> Counted:
    """Whom the criteria fit now, with a few of them. Raises InvalidSegmentCriteria, and CountCancelled when `by`
    cancelled it or asked for another one.

    A count that takes longer is replaced by the planner's estimate.
    """
    condition, params = criteria.compiled(asked, account)
    fits, params = f"{_FROM} {condition}", [account.pk, *params]
    name = _name(by) if by is not None else ""
    if name:
        cancel(by)
    begun = time.monotonic()
    try:
        with _limited(within_ms, name), connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) {fits}", params)
            size, exact = int(cursor.fetchone()[0]), True
    except QueryCanceled:
        if (time.monotonic() - begun) * 1000 < within_ms:
            raise CountCancelled from None
        size, exact = _estimate(fits, params), False
    return Counted(size, exact, _sample(fits, params, within_ms))


def cancel(by: Any) -> int:
    """End the counts that a person has running, in whichever process; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity "
            "WHERE application_name = %s AND state = 'active' AND pid <> pg_backend_pid()",
            [_name(by)],
        )
        return int(cursor.fetchone()[0])


def refresh(segment: Segment) -> tuple[int, int]:
    """Bring a dynamic segment up to date; returns how many came and how many left. Raises SegmentIsNotDynamic."""
    begun = time.monotonic()
    with transaction.atomic():
        segment.refresh_from_db(from_queryset=Segment.objects.select_for_update(no_key=True).select_related("account"))
        if not segment.is_dynamic:
            raise segments.SegmentIsNotDynamic
        with connection.cursor() as cursor:
            cursor.execute(_OLDEST)
            moment, changes_from = cursor.fetchone()
        moved = None
        if segment.version and segment.changes_from and segment.refreshed_at:
            moved = _by_changes(segment, segment.changes_from, segment.refreshed_at)
        came, left = moved or (_in_full(segment), segment.size)
        size = segment.size + came - left
        segment.size, segment.refreshed_at, segment.changes_from = size, moment, changes_from
        segment.refresh_ms = int((time.monotonic() - begun) * 1000)
        segment.save(update_fields=["size", "version", "refreshed_at", "changes_from", "refresh_ms"])
    return came, left


def create(account: Account, **terms: Any) -> Segment:
    """A new segment, as `segments.create`; a dynamic one is filled at once if that does not take long, else by the
    clock. Raises SegmentTooLarge, too.
    """
    with transaction.atomic():
        segment = segments.create(account, **terms)
        if segment.is_dynamic:
            _refresh_at_once(segment)
        segments.refuse_too_large(segment)
    return segment


def change(segment: Segment, **terms: Any) -> Segment:
    """As `segments.change`, with the members that new criteria ask for, as `create` fills them."""
    segments.change(segment, **terms)
    if segment.is_dynamic and segment.changes_from is None:
        _refresh_at_once(segment)
    segments.refuse_too_large(segment)
    return segment


def refresh_soon(segment: Segment, *, by: Any = None) -> Job:
    """Refresh as a job. Raises SegmentIsNotDynamic."""
    if not segment.is_dynamic:
        raise segments.SegmentIsNotDynamic
    return jobs.create(KIND, account=segment.account, by=by, total=1, params={"segment": segment.pk})


def rebuild_soon(segment: Segment, *, by: Any) -> Job:
    """Build a segment anew as a job, whatever is known of it. Raises SegmentIsNotDynamic."""
    Segment.objects.filter(pk=segment.pk).update(changes_from=None)
    return refresh_soon(segment, by=by)


@jobs.runs(KIND)
def run_refresh(job: Job) -> bool:
    """The whole of a refresh: it is one transaction."""
    segment = Segment.objects.for_account(job.account_id).filter(pk=job.params["segment"]).first()
    if segment is not None:
        came, left = refresh(segment)
        jobs.progress(job, done=1)
        jobs.finish(job, result={"came": came, "left": left, "size": segment.size})
    return True


def refresh_due(every_s: float, at_most: int = 100) -> int:
    """Refresh the segments that were not looked at for so long, the longest first; returns how many."""
    late = Q(changes_from=None) | Q(refreshed_at__lt=Now() - timedelta(seconds=every_s))
    dynamic = Segment.objects.filter(type=SegmentType.DYNAMIC)
    due = list(dynamic.filter(late).order_by(F("refreshed_at").asc(nulls_first=True))[:at_most])
    for segment in due:
        refresh(segment)
    return len(due)


def _refresh_at_once(segment: Segment) -> None:
    try:
        with _limited(LIVE_MS):
            refresh(segment)
    except QueryCanceled:
        # As it was: the clock will do it.
        segment.refresh_from_db()


def _in_full(segment: Segment) -> int:
    condition, params = criteria.compiled(segment.criteria, segment.account)
    segment.version += 1
    given: list[Any] = [segment.pk, segment.version, segment.account_id, *params]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {MEMBERS} (account_id, segment_id, version, customer_id) "
            f"SELECT c.account_id, %s, %s, c.id {_FROM} {condition}",
            given,
        )
        size = int(cursor.rowcount)
        cursor.execute(
            f"DELETE FROM {MEMBERS} WHERE segment_id = %s AND version < %s",  # noqa: S608 (names of ours)
            [segment.pk, segment.version],
        )
    return size


def _by_changes(segment: Segment, since: datetime, last: datetime) -> tuple[int, int] | None:
    """How many came and left; None when so many changed that building anew is better."""
    condition, params = criteria.compiled(segment.criteria, segment.account)
    changed = "c.updated_at >= %s"
    asked: list[Any] = [*params, segment.account_id, since]
    for column, days in sorted(criteria.boundaries(segment.criteria)):
        changed += " " + _AGED.format(column, f"make_interval(hours => {days * criteria.HOURS_A_DAY:d})")
        asked += [last]
    here = [segment.pk, segment.version]
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE.format(fits=condition, since=changed),
            [*asked, MOST_CHANGED + 1, *here, MOST_CHANGED, segment.account_id, *here],
        )
        found, came, left = cursor.fetchone()
    return (came, left) if found <= MOST_CHANGED else None


def _sample(fits: str, params: Sequence[Any], within_ms: int) -> Sequence[Customer]:
    sql = f"SELECT c.* {fits} ORDER BY c.id DESC LIMIT {SAMPLE}"
    try:
        with _limited(within_ms):
            return list(Customer.objects.raw(sql, params))
    except QueryCanceled:
        return []


def _estimate(fits: str, params: Sequence[Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) SELECT 1 {fits}", params)
        return int(cursor.fetchone()[0][0]["Plan"]["Plan Rows"])


@contextmanager
def _limited(within_ms: int, name: str = "") -> Iterator[None]:
    """A statement in here ends with QueryCanceled after so long; `name` is how others find its session."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true), set_config('application_name', %s, true)",
                [f"{within_ms}ms", name],
            )
            yield
            cursor.execute(
                "SELECT set_config('statement_timeout', '0', true), set_config('application_name', '', true)"
            )
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise error.__cause__ from None
        raise


def _name(by: Any) -> str:
    return f"segment count of {by.pk if by else 0}"
