"""HTTP to a provider whose calls must never happen twice: pooled, timed, and exact about what is known afterwards.

A call that certainly never left raises `NotSent`; one that left without a whole answer coming back, `NoAnswer`.
Nothing is retried and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from providers.connection import BODY_CAP, LONGEST_WAIT, Answer, Connection, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    # Host and port to an IP address. Raises OSError.
    LookUp = Callable[[str, int], Awaitable[str]]

__all__ = ["BODY_CAP", "LONGEST_WAIT", "Answer", "NoAnswer", "NotSent", "Pool"]

_IDLE_SECONDS = 10
# A new connection, or a turn in the queue for one, may take this share of the timeout. Below 1, so that running out
# of it is always seen as such, and never taken for a call that may have left.
_CONNECT_SHARE = 0.5
# The second address of a host is tried when the first has not answered after so long (RFC 8305).
_HAPPY_EYEBALLS_SECONDS = 0.25
_TARGET = re.compile(r"/[!-~]*")
_FIELD = re.compile(r"[!-9;-~]+: [ -~]*")


class NotSent(Exception):  # noqa: N818  (an outcome that is told, not a mistake)
    """No connection was had, so the call cannot have taken effect."""


class Pool:
    """At most `limit` kept-alive connections to `base_url`; a call takes `timeout` seconds at most, queueing included.

    Belongs to the event loop of its first call. `headers` go with every call.
    """

    def __init__(
        self, base_url: str, *, limit: int, timeout: float, headers: Mapping[str, str], look_up: LookUp | None = None
    ) -> None:
        """`look_up` tells to which IP address a connection leads; without one the system does, wherever that is."""
        place = urlsplit(base_url)
        self._host, self._port, self._prefix = place.hostname or "", place.port, place.path.rstrip("/")
        self._look_up = look_up
        self._tls = ssl.create_default_context() if place.scheme == "https" else None
        self._timeout = timeout
        self._headers = {"Host": place.netloc.rpartition("@")[2], **headers, "Accept-Encoding": "identity"}
        # The one used last on top, with the time of its answer.
        self._free: list[tuple[Connection, float]] = []
        # First come, first served.
        self._turns = asyncio.Semaphore(limit)
        self._head = lru_cache(maxsize=1024)(self._make_head)

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Call once. `target` is path and query, encoded. Raises NotSent or NoAnswer, and nothing else."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        head, body = self._head(method, target, tuple(headers.items())), body or b""
        if self._turns.locked():
            await self._wait_in_turn()
        else:
            await self._turns.acquire()
        try:
            connection = self._kept(begun) or await self._connect(self._timeout * _CONNECT_SHARE + begun - loop.time())
            request = b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
            try:
                return await connection.ask(request, self._timeout + begun - loop.time())
            finally:
                # Also when the caller gave up in the moment the answer came.
                if connection.free:
                    self._free.append((connection, loop.time()))
        finally:
            self._turns.release()

    async def close(self) -> None:
        """Close the free connections; a later call opens new ones."""
        while self._free:
            self._free.pop()[0].close()
        # The transports say goodbye one turn of the loop later.
        await asyncio.sleep(0)

    async def _wait_in_turn(self) -> None:
        try:
            async with asyncio.timeout(self._timeout * _CONNECT_SHARE):
                await self._turns.acquire()
        except TimeoutError:
            raise NotSent("no connection came free in time") from None

    def _kept(self, now: float) -> Connection | None:
        """A connection that was used a moment ago. One that lay idle may be closed at its other end by now."""
        while self._free:
            connection, since = self._free.pop()
            if connection.free and now - since < _IDLE_SECONDS:
                return connection
            connection.close()
        return None

    async def _connect(self, within: float) -> Connection:
        port = self._port or (443 if self._tls else 80)
        try:
            async with asyncio.timeout(within):
                _, connection = await asyncio.get_running_loop().create_connection(
                    Connection,
                    await self._look_up(self._host, port) if self._look_up else self._host,
                    port,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls else None,
                    happy_eyeballs_delay=_HAPPY_EYEBALLS_SECONDS,
                )
        except (OSError, TimeoutError) as error:
            raise NotSent(f"no connection: {type(error).__name__}: {error}"[:300]) from None
        if not connection.free:
            raise NotSent("the connection was closed at once")
        return connection

    def _make_head(self, method: str, target: str, headers: tuple[tuple[str, str], ...]) -> bytes:
        """Request line and headers. Raises NotSent for what would end a line early."""
        fields = [f"{name}: {value}" for name, value in {**self._headers, **dict(headers)}.items()]
        if not _TARGET.fullmatch(target) or not all(_FIELD.fullmatch(field) for field in fields):
            raise NotSent("an address or a header that HTTP cannot carry")
        return "\r\n".join([f"{method} {self._prefix}{target} HTTP/1.1", *fields, ""]).encode()
