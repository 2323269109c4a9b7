"""The clock's and the queue's door: nudges only. A lost one costs a delay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from celery import shared_task
from celery.signals import worker_ready
from django.conf import settings

from dispatch import inbox, lane, owners, sweeping

# The senders this process started, so that their ends are taken note of.
_started: list[subprocess.Popen[bytes]] = []


@shared_task(expires=10)
def keep_senders(**_later: Any) -> None:
    """Start a sender for each provider that has none alive."""
    _started[:] = [sender for sender in _started if sender.poll() is None]
    # Else one that was killed a moment ago would still count.
    owners.bury_the_dead()
    for provider in lane.providers():
        if not owners.alive(provider) and not _starting(provider):
            # A session of its own, so that a worker's end is not the sender's.
            command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "send", provider]
            _started.append(subprocess.Popen(command, start_new_session=True))  # noqa: S603 (our own program)


@worker_ready.connect
def begin_at_once(**_later: Any) -> None:
    """A worker that starts does not wait for the clock."""
    keep_senders.delay()
    sweep.delay()


@shared_task(expires=10)
def sweep(**_later: Any) -> None:
    sweeping.sweep()


@shared_task(expires=10)
def apply_inbox(**_later: Any) -> None:
    inbox.apply_all()


@shared_task
def forget_old_webhooks(**_later: Any) -> None:
    inbox.forget_old()


def _starting(provider: str) -> bool:
    """A sender process of this provider runs here, but has no database session yet."""
    folder = Path(settings.DATA_DIR) / "senders"
    return any(_sends(int(path.stem.rpartition("-")[2]), provider) for path in folder.glob(f"{provider}-*.pid"))


def _sends(pid: int, provider: str) -> bool:
    try:
        return psutil.Process(pid).cmdline()[-2:] == ["send", provider]
    except psutil.NoSuchProcess:
        return False
