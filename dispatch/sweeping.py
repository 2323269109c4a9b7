"""The sweep: what makes everything else optional. Any process may run it, at any time, any number of times."""

from __future__ import annotations

import structlog
from django.db import connection, transaction

from dispatch import owners
from dispatch.crashpoints import crashpoint
from dispatch.lane import Lane, all_lanes
from dispatch.statements import statements

log = structlog.get_logger(__name__)

# One sweep at a time: a second one would only wait for the first one's locks.
SWEEP_LOCK = 7_310_001


def sweep() -> bool:
    """End dead owners, free their leases, mark their open calls unknown, and let every lane tend its rows.

    Returns False when another process is sweeping.
    """
    with transaction.atomic():
        if not _locked():
            return False
        ended = owners.bury_the_dead()
        abandoned = sum(_abandon(lane) for lane in all_lanes())
        if ended or abandoned:
            crashpoint("sweep.before_commit")
    if ended or abandoned:
        log.warning("senders died", owners=ended, attempts_unknown=abandoned)
    for lane in all_lanes():
        lane.tend()
    return True


def oldest_due_seconds() -> float:
    """How long the oldest lease that is due and free has waited: the readiness check shows it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(extract(epoch FROM now() - min(due_at)), 0)::float8 FROM lifecycle_lease "
            "WHERE owner IS NULL AND due_at <= now()"
        )
        return float(cursor.fetchone()[0])


def _locked() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SWEEP_LOCK])
        return bool(cursor.fetchone()[0])


def _abandon(lane: Lane) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statements(lane).abandon)
        return int(cursor.rowcount)
