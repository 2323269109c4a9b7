"""The clock's and the queue's door: nudges only. A lost one costs a delay."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import structlog
from celery import shared_task
from celery.signals import beat_init, worker_ready
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from dispatch import inbox, lane, owners, sweeping

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger(__name__)

# How often a process does housework beside its own work.
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
def begin_with_the_clock(**_later: Any) -> None:
    """Without broker or worker nobody would take the nudges: the clock's process also does the work by itself."""
    beside(sweeping.sweep, keep_senders)


def beside(*works: Callable[[], Any]) -> None:
    """Do blocking housework every few seconds in a thread of this process, as long as it lives."""
    threading.Thread(target=housekeep, args=[threading.Event(), *works], daemon=True).start()


def housekeep(over: threading.Event, *works: Callable[[], Any]) -> None:
    """Until `over`: each work in turn, now and every few seconds. Trouble of any kind is waited out."""
    while not over.is_set():
        try:
            for work in works:
                work()
        except (DatabaseError, InterfaceError) as trouble:
            log.warning("housework waits", trouble=str(trouble))
        except Exception:  # the next round may do better; no round at all would not
            log.exception("housework failed")
        finally:
            connection.close()
        over.wait(LOOK_SECONDS)


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
