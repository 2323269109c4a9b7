"""Who is alive: a heartbeat row for each database session of a sender, all by the database's clock."""

from __future__ import annotations

import os
import socket

import psutil
from django.db import connection

HEARTBEAT_SECONDS = 1.0
DEAD_AFTER_SECONDS = 3.0

REGISTER = """
INSERT INTO dispatch_owner (provider, pid, host, started_at, seen_at)
VALUES (%(provider)s, %(pid)s, %(host)s, now(), now()) RETURNING id
"""

# No row back means that somebody declared this owner dead: it must let go of everything.
BEAT = "UPDATE dispatch_owner SET seen_at = now() WHERE id = %(owner)s AND ended_at IS NULL RETURNING id"

END = "UPDATE dispatch_owner SET ended_at = now() WHERE id = %(owner)s AND ended_at IS NULL"

BURY = """
UPDATE dispatch_owner SET ended_at = now()
WHERE ended_at IS NULL AND (seen_at < now() - make_interval(secs => %(dead_after)s) OR id = ANY(%(gone)s::bigint[]))
RETURNING id
"""

FREE_LEASES = """
UPDATE lifecycle_lease l SET owner = NULL WHERE owner IS NOT NULL
  AND NOT EXISTS (SELECT FROM dispatch_owner o WHERE o.id = l.owner AND o.ended_at IS NULL)
"""


def identity(provider: str) -> dict[str, object]:
    """What this process calls itself in `dispatch_owner`."""
    return {"provider": provider, "pid": os.getpid(), "host": socket.gethostname()}


def bury_the_dead() -> int:
    """End owners that stopped beating or whose process is gone from this host, and free what they leased.

    Returns how many were ended. A second burial is harmless.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, pid FROM dispatch_owner WHERE ended_at IS NULL AND host = %s", [socket.gethostname()]
        )
        gone = [owner for owner, pid in cursor.fetchall() if not _runs(pid)]
        cursor.execute(BURY, {"dead_after": DEAD_AFTER_SECONDS, "gone": gone})
        ended = len(cursor.fetchall())
        cursor.execute(FREE_LEASES)
    return ended


def alive(provider: str) -> int:
    """How many senders of this provider are alive."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM dispatch_owner WHERE provider = %s AND ended_at IS NULL "
            "AND seen_at > now() - make_interval(secs => %s)",
            [provider, DEAD_AFTER_SECONDS],
        )
        return int(cursor.fetchone()[0])


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
