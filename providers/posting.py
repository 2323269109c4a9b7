"""Posting to an address that somebody else chose: once, within limits, and never into our own network.

What the name stands for is looked up once, checked, and exactly that is connected to; a redirect is an answer like any
other and leads nowhere.
"""

from __future__ import annotations

import asyncio
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from campaigns_project.refusals import Invalid
from providers.connection import Connection, NoAnswer
from providers.urls import Resolver, check_url, is_public, plain_host, resolve, target_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    # Address, port and the name its certificate must bear ("" for none) to an open connection.
    Connector = Callable[[str, int, str], Awaitable[Connection]]

SECONDS = 10.0
# Of these, looking up the name and connecting may take so many.
CONNECT_SECONDS = 5.0
LARGEST_ANSWER = 64 * 1024
# Look-ups that hang are left behind; so many may before others wait.
LOOK_UPS = 64


class NotPosted(Exception):  # noqa: N818  (an outcome that is told, not a mistake)
    """No whole answer came; the text says why, in words for the merchant. It may have arrived."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What was answered: the status and the body, up to LARGEST_ANSWER bytes."""

    status: int
    body: bytes


async def connect(address: str, port: int, name: str) -> Connection:
    """A connection to an IP address, with TLS when `name` is given. Raises OSError."""
    secured = {"ssl": _tls(), "server_hostname": name} if name else {}
    _, connection = await asyncio.get_running_loop().create_connection(_short, address, port, **secured)  # type: ignore[call-overload]
    made: Connection = connection
    return made


async def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    resolver: Resolver = resolve,
    connector: Connector = connect,
    seconds: float = SECONDS,
    trusted: Collection[str] = (),
) -> Posted:
    """Post once to an https address within `seconds` in all. Raises NotPosted.

    `trusted` names origins (`http://127.0.0.1:9000`) that may be anywhere and without TLS: for tests and development.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    parts = checked(url, trusted)
    try:
        async with asyncio.timeout(min(seconds, CONNECT_SECONDS)):
            connection = await _connected(parts, resolver, connector, anywhere=_is_trusted(url, trusted))
    except TimeoutError:
        raise NotPosted("No connection within five seconds.") from None
    try:
        answer = await connection.ask(_request(parts, body, headers), begun + seconds - loop.time())
    except NoAnswer as trouble:
        raise NotPosted(f"No whole answer: {trouble}.") from None
    finally:
        connection.close()
    return Posted(answer.status, answer.body)


def checked(url: str, trusted: Collection[str] = ()) -> SplitResult:
    """The parts of an address that may be posted to. Raises NotPosted."""
    if not _is_trusted(url, trusted):
        try:
            check_url(url, schemes=("https",))
        except Invalid as refusal:
            raise NotPosted(" ".join(refusal.details["url"])) from None
    return urlsplit(url)


def _is_trusted(url: str, trusted: Collection[str]) -> bool:
    return any(url.startswith(f"{origin}/") for origin in trusted)


async def _connected(parts: SplitResult, resolver: Resolver, connector: Connector, *, anywhere: bool) -> Connection:
    host = plain_host(parts)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = await _looked_up(resolver, host, port)
    if not anywhere and not all(map(is_public, addresses)):
        raise NotPosted("The host is not a public one.")
    trouble: OSError | None = None
    for address in addresses:
        try:
            return await connector(address, port, host if parts.scheme == "https" else "")
        except OSError as error:
            trouble = error
    raise NotPosted(f"No connection: {type(trouble).__name__}.")


async def _looked_up(resolver: Resolver, host: str, port: int) -> Sequence[str]:
    """At least one address. Raises NotPosted."""
    try:
        found = await asyncio.get_running_loop().run_in_executor(_look_ups(), resolver, host, port)
    except (OSError, UnicodeError):
        found = ()
    if not found:
        raise NotPosted("The host has no address.")
    return found


def _request(parts: SplitResult, body: bytes, headers: Mapping[str, str]) -> bytes:
    # The address was checked: no spaces, no line breaks; what is not ASCII is quoted.
    host = plain_host(parts)
    named = (f"[{host}]" if ":" in host else host) + (f":{parts.port}" if parts.port else "")
    fields = {"Host": named, **headers, "Content-Length": str(len(body))}
    fields |= {"Connection": "close", "Accept-Encoding": "identity"}
    head = "\r\n".join([f"POST {target_of(parts)} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())])
    return f"{head}\r\n\r\n".encode() + body


def _short() -> Connection:
    return Connection(cap=LARGEST_ANSWER)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


@cache
def _look_ups() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=LOOK_UPS, thread_name_prefix="look-up")
