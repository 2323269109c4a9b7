"""Keeps programs running: what ends is started again, sooner at first and later when it keeps ending."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SHORTEST, LONGEST = 0.2, 5.0
TICK = 0.1
# Having lived this long, the next end counts as the first.
PROVEN = 10.0
TELL_AFTER = 4
TAIL = 15


class Program(Protocol):
    """What can be kept running."""

    name: str
    log: Path

    def start(self) -> object:
        """Start it, or raise an OSError or RuntimeError that says why not."""

    def alive(self) -> bool:
        """Whether it runs."""


class Stopped(Exception):  # noqa: N818 - it is no error: somebody asked us to end
    """Ctrl-C or SIGTERM came while something was being waited for."""


@dataclass
class _Kept:
    program: Program
    started: float
    ends: int = 0
    again_at: float | None = None


class Supervisor:
    """Watches programs from one loop, without threads, so that the kill of anything leaves a clear picture."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """`say` takes a line for the person at the terminal; `clock` counts seconds."""
        self._say, self._clock = say, clock
        self._kept: list[_Kept] = []
        self.stopping = False

    def stop_on_signals(self) -> None:
        """From now on Ctrl-C and SIGTERM only raise a flag, which `tick` and `wait_until` look at."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: setattr(self, "stopping", True))

    def keep(self, program: Program) -> None:
        """Start a program and keep it running. Its first start may raise."""
        program.start()
        self._kept.append(_Kept(program, self._clock()))

    def tick(self) -> None:
        """Look at every program once. Raises Stopped when somebody asked us to end."""
        if self.stopping:
            raise Stopped
        for kept in self._kept:
            if kept.again_at is not None:
                self._maybe_start(kept)
            elif not kept.program.alive():
                self._ended(kept, "ended")

    def wait_until(self, ready: Callable[[], bool], *, within: float, what: str) -> None:
        """Tick until `ready()`. Raises TimeoutError naming `what` after `within` seconds, and Stopped."""
        end = self._clock() + within
        while not ready():
            if self._clock() > end:
                raise TimeoutError(f"{what} took longer than {within:.0f} s")
            self.tick()
            time.sleep(TICK)

    def run(self) -> None:
        """Tick until somebody asks us to end."""
        try:
            while True:
                self.tick()
                time.sleep(TICK)
        except Stopped:
            return

    def _maybe_start(self, kept: _Kept) -> None:
        if self._clock() < (kept.again_at or 0):
            return
        try:
            kept.program.start()
        except (OSError, RuntimeError) as refused:
            self._ended(kept, f"did not start ({refused})")
        else:
            kept.started, kept.again_at = self._clock(), None

    def _ended(self, kept: _Kept, how: str) -> None:
        now = self._clock()
        if kept.again_at is None and now - kept.started > PROVEN:
            kept.ends = 0
        pause = min(SHORTEST * 2**kept.ends, LONGEST)
        kept.ends, kept.again_at = kept.ends + 1, now + pause
        self._say(f"{kept.program.name} {how}; again in {pause:.1f} s")
        if kept.ends % TELL_AFTER == 0:
            self._say(
                f"{kept.program.name} keeps ending; the last lines of {kept.program.log}:\n{tail(kept.program.log)}"
            )


def tail(log: Path) -> str:
    """The last lines of a log, indented; empty when there is none."""
    lines = log.read_text(errors="replace").splitlines()[-TAIL:] if log.is_file() else []
    return "\n".join(f"    {line}" for line in lines)
