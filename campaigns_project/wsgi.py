"""The WSGI application, behind a deadline for request bodies, which the server does not have."""

from __future__ import annotations

import itertools
import os
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from django.core.wsgi import get_wsgi_application

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SECONDS = 10.0
# A long upload has this much time for each started piece of this size.
PIECE = 16 * 1024 * 1024
# So many bodies may be stalled at once, about half of the server's threads; the next ones are refused at once.
READERS = 8
PATIENCE = 0.1


class TimedBody:
    """`wsgi.input` whose reads raise TimeoutError after `deadline` (time.monotonic); then `late` is true.

    `reading` is the read that is still under way: the server's own read cannot be interrupted.
    """

    def __init__(self, body: Any, deadline: float, readers: Readers) -> None:
        self._body = body
        self._deadline = deadline
        self._readers = readers
        self.late = False
        self.reading: Reading | None = None

    def read(self, *size: int) -> bytes:
        return self._timed(self._body.read, *size)

    def readline(self, *size: int) -> bytes:
        return self._timed(self._body.readline, *size)

    def _timed(self, read: Callable[..., bytes], *size: int) -> bytes:
        if not self.late:
            self.reading = self._readers.start(read, *size)
            try:
                if self.reading is not None:
                    return self.reading.result(timeout=max(0.0, self._deadline - time.monotonic()))
            except TimeoutError:
                pass
        self.late = True
        raise TimeoutError("The body did not arrive in time.")


class Reading:
    """A read under way in another thread. `over` is locked until then; futures of the library cost ten times that."""

    def __init__(self, read: Callable[..., bytes], size: tuple[int, ...]) -> None:
        self._read, self._size = read, size
        self.over = Lock()
        self.over.acquire()
        self._outcome: bytes | BaseException = b""

    def run(self) -> None:
        try:
            self._outcome = self._read(*self._size)
        except BaseException as trouble:  # noqa: BLE001 (it is raised where the body is read)
            self._outcome = trouble
        finally:
            self.over.release()

    def result(self, timeout: float) -> bytes:
        """What was read. Raises what the read did, TimeoutError when it is not over by then."""
        if not self.over.acquire(timeout=timeout):
            raise TimeoutError
        # Whoever asks later does not wait either.
        self.over.release()
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome


class Reader(Thread):
    """A thread that reads what it is given, one body after the other."""

    def __init__(self, idle: SimpleQueue[Reader]) -> None:
        super().__init__(name="body", daemon=True)
        self._idle = idle
        self._given = Lock()
        self._given.acquire()
        self._reading: Reading | None = None

    def read(self, reading: Reading) -> None:
        self._reading = reading
        self._given.release()

    def run(self) -> None:
        while self._given.acquire():
            if self._reading is not None:
                self._reading.run()
            self._idle.put(self)


class Readers:
    """A few threads that read bodies, so that nobody else waits for a client that has stalled."""

    def __init__(self, most: int = READERS) -> None:
        self._most = most
        self._idle: SimpleQueue[Reader] = SimpleQueue()
        self._made = itertools.count()

    def start(self, read: Callable[..., bytes], *size: int) -> Reading | None:
        """The read under way, or None when all readers are held by stalled clients."""
        try:
            reader = self._free()
        except Empty:
            return None
        reading = Reading(read, size)
        reader.read(reading)
        return reading

    def _free(self) -> Reader:
        with suppress(Empty):
            return self._idle.get_nowait()
        # Only now: the server's processes are made after this module was loaded.
        if next(self._made) < self._most:
            reader = Reader(self._idle)
            reader.start()
            return reader
        return self._idle.get(timeout=PATIENCE)


class LateAnswer:
    """The answer to a late body. It ends when the stalled read does, with the client's connection.

    Granian 2.8.7 stops the whole process when an application returns while a thread of its own still reads the body.
    """

    def __init__(self, answer: Iterable[bytes], reading: Reading) -> None:
        self._answer = answer
        self._reading = reading

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer
        with self._reading.over:
            pass

    def close(self) -> None:
        close = getattr(self._answer, "close", None)
        if close is not None:
            close()


class BodyDeadline:
    """WSGI middleware: a request whose body is late is answered with 408, whatever the application makes of it."""

    def __init__(self, application: Callable[..., Iterable[bytes]], *, seconds: float = SECONDS) -> None:
        self._application = application
        self._seconds = seconds
        self._readers = Readers()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = str(environ.get("CONTENT_LENGTH") or "0")
        if length == "0":
            return self._application(environ, start_response)
        body = TimedBody(environ["wsgi.input"], time.monotonic() + self._allowed(length), self._readers)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if body.late:
                status, headers = "408 Request Timeout", [*headers, ("Connection", "close")]
            return start_response(status, headers, exc_info)

        answer = self._application({**environ, "wsgi.input": body}, start)
        return LateAnswer(answer, body.reading) if body.late and body.reading is not None else answer

    def _allowed(self, length: str) -> float:
        size = int(length) if length.isascii() and length.isdigit() and len(length) < len(str(100 * PIECE)) else 0
        return self._seconds * (1 + size // PIECE)


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")

django_application = get_wsgi_application()
application = BodyDeadline(django_application)
