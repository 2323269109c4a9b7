"""The clock's and the queue's door: nudges only. A lost one costs a delay."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import structlog
from celery import shared_task
from celery.signals import beat_init, worker_ready
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from dispatch import inbox, lane, owners, sweeping

log = structlog.get_logger(__name__)

# How often the clock looks by itself.
LOOK_SECONDS = 2.0
# From a sender's start to its first heartbeat, on a machine that is busy.
STARTING_SECONDS = 15.0
# The senders this process started, so that their ends are taken note of.
_started: list[subprocess.Popen[bytes]] = []


@shared_task(expires=10)
def keep_senders(**_later: Any) -> None:
    """Start a sender for each provider that has none alive."""
    _started[:] = [sender for sender in _started if sender.poll() is None]
    # Else one that was killed a moment ago would still count.
    owners.bury_the_dead()
    folder = Path(settings.DATA_DIR) / "senders"
    folder.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        # Of two nudges at once the second finds what the first one started.
        fcntl.flock(lock, fcntl.LOCK_EX)
        for provider in lane.providers():
            if not owners.alive(provider) and not _starting(provider, folder):
                _start(provider, folder)


@worker_ready.connect
def begin_at_once(**_later: Any) -> None:
    """A worker that starts does not wait for the clock."""
    keep_senders.delay()
    sweep.delay()


@beat_init.connect
def look_beside_the_clock(**_later: Any) -> None:
    """Without broker or worker nobody would take the nudges: the clock's process also looks by itself."""
    threading.Thread(target=look_after_senders, args=[threading.Event()], daemon=True).start()


def look_after_senders(over: threading.Event) -> None:
    """Until `over`: free what dead senders held, start one where none is alive. An absent database is waited out."""
    while not over.wait(LOOK_SECONDS):
        try:
            sweeping.sweep()
            keep_senders()
        except (DatabaseError, InterfaceError) as trouble:
            log.warning("senders not looked after", trouble=str(trouble))
        finally:
            connection.close()


@shared_task(expires=10)
def sweep(**_later: Any) -> None:
    sweeping.sweep()


@shared_task(expires=10)
def apply_inbox(**_later: Any) -> None:
    inbox.apply_all()


@shared_task
def forget_old_webhooks(**_later: Any) -> None:
    inbox.forget_old()


def _start(provider: str, folder: Path) -> None:
    # A session of its own, so that a worker's end is not the sender's.
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "send", provider]
    sender = subprocess.Popen(command, start_new_session=True)  # noqa: S603 (our own program)
    (folder / f"{provider}-{sender.pid}.pid").write_text(str(sender.pid))
    _started.append(sender)


def _starting(provider: str, folder: Path) -> bool:
    """A sender was started here so lately that it may have no database session yet. One that hangs does not count."""
    pids = [int(path.stem.rpartition("-")[2]) for path in folder.glob(f"{provider}-*.pid")]
    return any(_started_lately(pid, provider) for pid in pids)


def _started_lately(pid: int, provider: str) -> bool:
    try:
        process = psutil.Process(pid)
        return time.time() - process.create_time() < STARTING_SECONDS and process.cmdline()[-2:] == ["send", provider]
    except psutil.NoSuchProcess:
        return False
