"""HTTP to a provider whose calls must never happen twice: pooled, timed, and exact about what is known afterwards.

A call that certainly never left raises `NotSent`; one that left without a whole answer coming back, `NoAnswer`.
Nothing is retried and no redirect is followed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_WAIT = 3600.0
BODY_CAP = 4 * 1024 * 1024
_IDLE_SECONDS = 10
# A new connection, or a turn in the queue for one, may take this share of the timeout. Below 1, so that running out
# of it is always seen as such, and never taken for a call that may have left.
_CONNECT_SHARE = 0.5
_SHORTEST = 0.001  # 0 would be no limit


class NotSent(Exception):  # noqa: N818  (an outcome that is told, not a mistake)
    """No connection was had, so the call cannot have taken effect."""


class NoAnswer(Exception):  # noqa: N818  (an outcome that is told, not a mistake)
    """The call left; whether it took effect is unknown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer. `headers` ignore case."""

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


class Pool:
    """At most `limit` kept-alive connections to `base_url`; a call takes `timeout` seconds at most, queueing included.

    Belongs to the event loop of its first call. `headers` go with every call.
    """

    def __init__(self, base_url: str, *, limit: int, timeout: float, headers: Mapping[str, str]) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._headers = headers
        self._session: aiohttp.ClientSession | None = None
        # First come, first served. In aiohttp's own queue a new call can overtake a waiting one again and again.
        self._turns = asyncio.Semaphore(limit)

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Call once. `target` is path and query, encoded. Raises NotSent or NoAnswer, and nothing else."""
        begun = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._timeout * _CONNECT_SHARE):
                await self._turns.acquire()
        except TimeoutError:
            raise NotSent("no connection came free in time") from None
        try:
            url = URL(self._base_url + target, encoded=True)
            return await self._call(method, url, headers, body, self._left(begun))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(f"no connection: {_told(error)}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoAnswer(_told(error)) from None
        finally:
            self._turns.release()

    async def close(self) -> None:
        """Close all connections; a later call opens new ones."""
        session, self._session = self._session, None
        if session:
            await session.close()
            # The transports say goodbye one turn of the loop later.
            await asyncio.sleep(0)

    async def _call(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, within: aiohttp.ClientTimeout
    ) -> Answer:
        async with self._open_session().request(
            method, url, headers=headers, data=body, timeout=within, allow_redirects=False
        ) as response:
            return Answer(response.status, response.headers, await _read(response))

    def _left(self, begun: float) -> aiohttp.ClientTimeout:
        gone = asyncio.get_running_loop().time() - begun
        return aiohttp.ClientTimeout(
            total=self._timeout - gone,
            connect=max(self._timeout * _CONNECT_SHARE - gone, _SHORTEST),
            # Otherwise aiohttp rounds up to whole seconds.
            ceil_threshold=self._timeout,
        )

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS),
                headers={**self._headers, "Accept-Encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                # What we did not ask for is not unpacked: a few bytes cannot become gigabytes.
                auto_decompress=False,
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts = bytearray()
    async for chunk in response.content.iter_any():
        parts += chunk
        if len(parts) > BODY_CAP:
            response.close()
            raise NoAnswer(f"an answer of more than {BODY_CAP} bytes")
    return bytes(parts)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]
