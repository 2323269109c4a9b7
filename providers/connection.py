"""One kept-alive HTTP/1.1 connection that makes one call at a time, and knows exactly what became of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httptools
from multidict import CIMultiDict

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_WAIT = 3600.0
BODY_CAP = 4 * 1024 * 1024
_FINAL = 200


class NoAnswer(Exception):  # noqa: N818  (an outcome that is told, not a mistake)
    """The call left; whether it took effect is unknown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer as it came, nothing unpacked. `headers` ignore case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after(self) -> float | None:
        """The wait it asks for in seconds, an hour at most; None when it does not say."""
        text = self.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text), LONGEST_WAIT)
        try:
            wait = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):  # TypeError: a date without a zone
            return None
        return min(max(wait, 0.0), LONGEST_WAIT)


class Connection(asyncio.Protocol):
    """Made by `create_connection`. While `free`, a call may be made; after one, if its answer allows it."""

    def __init__(self, cap: int = BODY_CAP) -> None:
        """`cap`: an answer of more bytes is none."""
        self.free = False
        self._cap = cap
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Answer] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._begin()

    async def ask(self, request: bytes, within: float) -> Answer:
        """Send the bytes of one request and wait for its answer, `within` seconds at most. Raises NoAnswer."""
        self.free = False
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        timer = self._loop.call_later(within, self._fail, f"no answer within {within:.1f} s")
        try:
            self._transport.write(request)
            return await answer
        finally:
            timer.cancel()
            self._answer = None
            if not self.free:
                self._transport.abort()

    def close(self) -> None:
        """Say goodbye; whoever waits for an answer has none."""
        self.free = False
        self._transport.close()

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.free = True

    def data_received(self, data: bytes) -> None:
        if self._answer is None:  # nobody asked
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(f"{type(error).__name__}: {error}")

    def eof_received(self) -> None:
        """Nothing more will come; `connection_lost` follows."""

    def connection_lost(self, exc: Exception | None) -> None:
        self.free = False
        if exc is None and self._until_the_end:
            self._finish()
        self._fail(f"{type(exc).__name__}: {exc}" if exc else "the connection was closed before the answer was whole")

    # The parser calls these.

    def on_message_begin(self) -> None:
        if self._waits():
            self._begin()
        else:
            self.free = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.add(name.decode("latin-1"), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        # Without a length the body ends with the connection.
        measured = "Content-Length" in self._headers or "Transfer-Encoding" in self._headers
        self._until_the_end = not measured and self._parser.get_status_code() >= _FINAL

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > self._cap:
            self._fail(f"an answer of more than {self._cap} bytes")

    def on_message_complete(self) -> None:
        # An interim answer (100 Continue, 103 Early Hints) is none.
        if self._waits() and self._parser.get_status_code() >= _FINAL:
            self.free = self._parser.should_keep_alive()
            self._finish()

    # What they have in common.

    def _begin(self) -> None:
        self._headers: CIMultiDict[str] = CIMultiDict()
        self._body = bytearray()
        self._until_the_end = False

    def _waits(self) -> bool:
        return self._answer is not None and not self._answer.done()

    def _finish(self) -> None:
        self._until_the_end = False
        if self._answer and self._waits():
            self._answer.set_result(Answer(self._parser.get_status_code(), self._headers, bytes(self._body)))

    def _fail(self, reason: str) -> None:
        self.free = False
        if self._answer and self._waits():
            self._answer.set_exception(NoAnswer(reason))
