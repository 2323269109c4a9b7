"""The sender process: sessions that begin anew when the database goes away, reconcilers, and a sweep of its own."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from dispatch import inbox, owners, sweeping
from dispatch.database import in_thread
from dispatch.lane import Turned, lanes_of, others_of, providers
from dispatch.reconciling import Reconciler
from dispatch.sending import FencedError, LaneSender, Session

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger(__name__)

RETRY_SECONDS = 0.5
SWEEP_SECONDS = 1.0
INBOX_SECONDS = 0.5


class Process:
    """Everything one `manage.py send PROVIDER` does until it is told to stop."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.lanes = lanes_of(provider)
        self.stop = asyncio.Event()
        self.answered = asyncio.Event()
        self.senders: list[Turned] = [LaneSender(lane, provider, self.answered) for lane in self.lanes]
        self.senders += others_of(provider, self.answered)
        self.session = Session(provider, self.senders, self.answered)

    async def run(self) -> None:
        """Send until SIGTERM or SIGINT; then finish the open calls, record them and leave."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        housework = [self._again(Reconciler(lane, lane.find).run) for lane in self.lanes if lane.find]
        housework += [self._every(SWEEP_SECONDS, sweeping.sweep), self._every(INBOX_SECONDS, inbox.apply_all)]
        background = [asyncio.create_task(each) for each in housework]
        for task in background:
            task.add_done_callback(self._missed)
        try:
            await self._again(self.session.run)
        finally:
            await self._end(background)

    def continued(self, *_: object) -> None:
        """SIGCONT, between two steps of ours. Whoever stood still for so long was declared dead meanwhile.

        Others settle its open calls and may have called again, so a call that was about to leave must not leave now.
        """
        if time.monotonic() - self.session.beat_at > owners.DEAD_AFTER_SECONDS:
            os.kill(os.getpid(), signal.SIGKILL)

    def _missed(self, task: asyncio.Task[None]) -> None:
        """A sender without its reconciler would go on half blind: it ends, and a whole one is started."""
        if not task.cancelled() and task.exception() is not None:
            log.error("background work died", provider=self.provider, exc_info=task.exception())
            self.stop.set()

    async def _again(self, work: Callable[[asyncio.Event], Any]) -> None:
        """Run `work` until it returns; begin anew when the database went away or this owner was declared dead."""
        while True:
            try:
                await work(self.stop)
            except (psycopg.Error, DatabaseError, InterfaceError, FencedError) as trouble:
                log.warning("begins anew", provider=self.provider, trouble=str(trouble) or type(trouble).__name__)
                await asyncio.sleep(RETRY_SECONDS)
                if self.stop.is_set():
                    return
            else:
                return

    async def _every(self, seconds: float, work: Callable[[], Any]) -> None:
        """Blocking housework in a thread; trouble with the database is waited out."""
        while not self.stop.is_set():
            try:
                await in_thread(work)
            except (DatabaseError, InterfaceError) as trouble:
                log.warning("housework waits", work=work.__name__, trouble=str(trouble))
            except Exception:  # one broken row must not end the sweeps
                log.exception("housework failed", work=work.__name__)
            await asyncio.sleep(seconds)

    async def _end(self, background: list[asyncio.Task[None]]) -> None:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        for sender in self.senders:
            await sender.close()


@contextlib.contextmanager
def pid_file(provider: str) -> Any:
    """`DATA_DIR/senders/{provider}-{pid}.pid` while the process lives: how the supervisor finds it at the end."""
    path = Path(settings.DATA_DIR) / "senders" / f"{provider}-{os.getpid()}.pid"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(os.getpid()))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def run(provider: str) -> None:
    """Send for one provider until told to stop. Raises KeyError for one that nothing is sent through."""
    if provider not in providers():
        raise KeyError(provider)
    worker = Process(provider)
    before = signal.signal(signal.SIGCONT, worker.continued)
    try:
        with pid_file(provider):
            # What was loaded stays: looking through all of it for garbage would hold up calls for 50 ms each time.
            gc.collect()
            gc.freeze()
            asyncio.run(worker.run())
    finally:
        signal.signal(signal.SIGCONT, before)
