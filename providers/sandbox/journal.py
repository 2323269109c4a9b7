"""What the sandbox must not forget: one file of JSON lines, appended to in groups, read back at the start."""

from __future__ import annotations

import asyncio
import fcntl
import json
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

encode = json.JSONEncoder(separators=(",", ":")).encode

FLUSH_SECONDS = 0.005


class JournalInUseError(RuntimeError):
    """Another process holds this journal."""


class Journal:
    """Append-only records in `folder`/journal.jsonl.

    A record goes to disk at the latest FLUSH_SECONDS after `append`; who answers somebody flushes first.
    There is no fsync: it survives a killed process, not a killed machine.
    """

    def __init__(self, folder: Path) -> None:
        """Open or make the file; raise JournalInUseError when another process has it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "journal.jsonl"
        self._file: BinaryIO = self.path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise JournalInUseError(f"{self.path} belongs to another sandbox") from None
        self._waiting: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def records(self) -> Iterator[dict[str, Any]]:
        """Everything written so far, oldest first. A last line torn by a kill is cut off."""
        self._file.seek(0)
        whole = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            yield json.loads(line)
        self._file.truncate(whole)

    def append(self, record: dict[str, Any]) -> None:
        self._waiting.append(encode(record))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Hand what waits to the operating system."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        self._waiting.append("")
        self._file.write("\n".join(self._waiting).encode())
        self._file.flush()
        self._waiting.clear()

    def empty(self) -> None:
        self.flush()
        self._file.truncate(0)

    def close(self) -> None:
        self.flush()
        self._file.close()
