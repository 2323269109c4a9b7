"""A streamed answer that breaks off is seen to have broken off: its connection is ended.

Granian 2.8.7 closes a chunked answer in good order when its iterator raises, so that half a file looks like a whole
one, and it tells nobody which socket is whose. So the socket is found by what it carries: a few blanks of a length of
their own are sent after the data, and the one socket that has taken exactly as many is shut.
"""

from __future__ import annotations

import os
import secrets
import socket
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog
from django.http import StreamingHttpResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

log = structlog.get_logger(__name__)
TRIES = 3
FLUSHED_S = 0.2
PATIENCE_S = 1.0
_OPEN_FILES = "/proc/self/fd"
# In Linux's tcp_info: bytes waiting to be sent; bytes sent, and those of them that were sent again.
_WAITING, _SENT = struct.Struct("I"), struct.Struct("QQ")
_WAITING_AT, _SENT_AT, _SIZE = 144, 200, 216


def whole_or_cut(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: what is streamed without a length arrives whole, or in a connection that ends too early."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if isinstance(response, StreamingHttpResponse) and not response.has_header("Content-Length"):
            pieces: Any = response.streaming_content
            response.streaming_content = _whole_or_cut(pieces, int(request.META["SERVER_PORT"]))
        return response

    return answer


def _whole_or_cut(pieces: Iterable[bytes], port: int) -> Iterator[bytes]:
    try:
        yield from pieces
    except Exception:
        log.exception("a streamed answer broke off")
        yield from cut(port)
        raise


def cut(port: int) -> Iterator[bytes]:
    """Shut the connection, of those to our `port`, that carries what is yielded here."""
    for _ in range(TRIES):
        time.sleep(FLUSHED_S)
        before = {link.fileno(): (link, _written(link)) for link in _connections(port)}
        size = 1_000 + secrets.randbelow(30_000)
        yield b" " * size
        grown = _grown(before, {size, size + len(f"{size:x}\r\n\r\n")})
        if len(grown) == 1:
            grown[0].shutdown(socket.SHUT_RDWR)
        for link, _ in before.values():
            link.close()
        if len(grown) == 1:
            return


def _grown(before: dict[int, tuple[socket.socket, int]], by: set[int]) -> list[socket.socket]:
    """Those that have taken so much more than before, as soon as there is any."""
    end = time.monotonic() + PATIENCE_S
    grown: list[socket.socket] = []
    while before and not grown and time.monotonic() < end:
        time.sleep(PATIENCE_S / 100)
        grown = [link for link, written in before.values() if _written(link) - written in by]
    return grown


def _connections(port: int) -> Iterator[socket.socket]:
    """A second handle of each connection that somebody has to `port` of this process."""
    names = os.listdir(_OPEN_FILES) if os.path.isdir(_OPEN_FILES) else []  # noqa: PTH112, PTH208 (numbers, not paths)
    for name in names:
        link = None
        with suppress(OSError):
            link = socket.socket(fileno=os.dup(int(name)))
            if (
                link.family in (socket.AF_INET, socket.AF_INET6)
                and link.getsockname()[1] == port
                and link.getpeername()
            ):
                yield link
                continue
        if link is not None:
            link.close()


def _written(link: socket.socket) -> int:
    """How many bytes the application gave this connection so far."""
    told = link.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE).ljust(_SIZE, b"\0")
    sent, again = _SENT.unpack_from(told, _SENT_AT)
    return int(_WAITING.unpack_from(told, _WAITING_AT)[0] + sent - again)
