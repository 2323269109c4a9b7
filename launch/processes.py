"""Our processes, found again by what they wrote down: started, looked at and ended, whoever their parent was."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import psutil

PATIENCE = 10.0
LARGEST_LOG = 5_000_000


class Child:
    """A program of ours in a session of its own, so that Ctrl-C reaches only the supervisor."""

    def __init__(
        self, name: str, command: list[str], data_dir: Path, *, cwd: Path | None = None, stdin: BinaryIO | None = None
    ) -> None:
        """Nothing starts yet. The log is `data_dir`/logs/`name`.log, the record `data_dir`/run/`name`.pid."""
        self.name, self.command, self.cwd, self.stdin = name, command, cwd, stdin
        self.log = data_dir / "logs" / f"{name}.log"
        self.record = data_dir / "run" / f"{name}.pid"
        self._process: subprocess.Popen[bytes] | None = None
        for path in (self.log, self.record):
            path.parent.mkdir(parents=True, exist_ok=True)
        if self.log.is_file() and self.log.stat().st_size > LARGEST_LOG:
            self.log.rename(self.log.with_suffix(".log.1"))

    def start(self) -> None:
        """Start it; what a dead predecessor left running (a pool's workers) is killed first. Raises OSError."""
        end(session(self.record), patience=0)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=self.stdin or subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.cwd,
                start_new_session=True,
            )
        with contextlib.suppress(psutil.Error):  # It may be over already.
            self.record.write_text(f"{self._process.pid} {psutil.Process(self._process.pid).create_time()}")

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process and self.alive() else None


def session(record: Path) -> list[psutil.Process]:
    """The living processes of a recorded session, leader first; empty when the number is a stranger's by now."""
    try:
        pid, created = record.read_text().split()
    except (OSError, ValueError):
        return []
    leader = list(_living([int(pid)]))
    if leader and abs(leader[0].create_time() - float(created)) > 1:
        return []
    return leader + [process for process in _living(psutil.pids()) if _session_of(process) == int(pid) != process.pid]


def senders(data_dir: Path) -> list[psutil.Process]:
    """The living senders. The worker starts them in sessions of their own; each writes senders/*.pid."""
    found = []
    for record in (data_dir / "senders").glob("*.pid"):
        with contextlib.suppress(OSError, ValueError):
            found += [process for process in _living([int(record.read_text())]) if _is_sender(process)]
    return found


def end(processes: list[psutil.Process], *, patience: float = PATIENCE) -> None:
    """End processes: ask the first of each session, wait `patience` seconds, then kill whatever is left."""
    for process in processes:
        # Only leaders are asked: a pool's worker that is asked too drops the work its leader waits for.
        if _session_of(process) == process.pid and patience:
            with contextlib.suppress(psutil.Error):
                process.terminate()
    for process in _still_living(processes, patience):
        with contextlib.suppress(psutil.Error):
            process.kill()
    _still_living(processes, PATIENCE)


def end_everything(data_dir: Path) -> None:
    """End all that runs on this data folder but PostgreSQL, in an order in which nobody starts anybody again."""
    records = {path.stem: path for path in (data_dir / "run").glob("*.pid")}
    starters = [records.pop(name) for name in ("watch", "beat", "worker") if name in records]
    last = [records.pop("broker")] if "broker" in records else []
    _end_recorded(starters)
    # After the worker, which keeps them alive; before the sandbox, which owes them answers.
    end(senders(data_dir))
    _end_recorded(records.values())
    _end_recorded(last)


def _end_recorded(records: Iterable[Path]) -> None:
    found = {record: session(record) for record in records}
    end([process for processes in found.values() for process in processes if process.pid != os.getpid()])
    for record in found:
        record.unlink(missing_ok=True)


def _still_living(processes: list[psutil.Process], patience: float) -> list[psutil.Process]:
    # Not psutil.wait_procs: an orphan that nobody reaps would seem to live for ever.
    end = time.monotonic() + patience
    while (left := [process for process in processes if _lives(process)]) and time.monotonic() < end:
        time.sleep(0.02)
    return left


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _living(pids: Iterable[int]) -> Iterator[psutil.Process]:
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if _lives(process):
                yield process


def _session_of(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def _is_sender(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        command = process.cmdline()
        return "send" in command and any(word.endswith("manage.py") for word in command)
    return False
