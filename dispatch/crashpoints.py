"""Named places between two effects. With CRASHPOINT=name:n the n-th passage of one kills the process there.

With STOPPOINT=name:n it is stopped there instead, until somebody continues it (SIGCONT).
"""

from __future__ import annotations

import os
import signal
from collections import Counter

CRASHPOINTS = (
    "lease.taken",
    "open.before_commit",
    "open.committed",
    "call.before",
    "call.answered",
    "record.before_commit",
    "record.committed",
    "reconcile.found",
    "sweep.before_commit",
    "inbox.stored",
    "inbox.before_commit",
    "start.before_commit",
    "submission.content_made",
)

ACTS = {"CRASHPOINT": signal.SIGKILL, "STOPPOINT": signal.SIGSTOP}

_passed: Counter[str] = Counter()
# Looked up once: a crash point is passed several times for every call that is made.
_chosen = {variable: os.environ[variable] for variable in ACTS if variable in os.environ}


def crashpoint(name: str) -> None:
    """Do nothing, unless this very passage was chosen to be the process's last act."""
    for variable, point in _chosen.items():
        _act(name, point, ACTS[variable])


def _act(name: str, chosen: str, number: signal.Signals) -> None:
    wanted, _, nth = chosen.partition(":")
    _passed[name] += 1
    if name == wanted and _passed[name] == int(nth or 1):
        os.kill(os.getpid(), number)
