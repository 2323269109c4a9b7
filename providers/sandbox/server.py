"""The sandbox's process: one port, a fast lane for the call that load tests make, aiohttp for the rest."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from providers.sandbox import control, phone
from providers.sandbox.journal import Journal
from providers.sandbox.mail import SendGrid, Smtp
from providers.sandbox.outbox import Outbox
from providers.sandbox.push import Push
from providers.sandbox.shopify import Shopify
from providers.sandbox.twilio import Twilio
from providers.sandbox.twilio.doors import in_twilios_words
from providers.sandbox.wire import EARLY_SECONDS, refusals, reset, same_origin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from providers.sandbox.exchange import Answer, Call
    from providers.sandbox.provider import Provider

HOST = "127.0.0.1"
LARGEST_FAST_REQUEST = 64 * 1024
KEEP_ALIVE_SECONDS = 3600.0
REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}

log = logging.getLogger("providers.sandbox")


class FastLane(asyncio.Protocol):
    """One connection: plain `POST …/Messages.json` is read here; aiohttp gets the rest.

    Only a complete, ordinary request is taken (Content-Length, no pipelining, connection kept), so that whatever
    is unusual or malformed meets a full HTTP parser.
    """

    _LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,6}) *\r\n", re.IGNORECASE)
    _AUTHORIZATION = re.compile(rb"\r\nauthorization: *([^\r\n]*)", re.IGNORECASE)
    _UNUSUAL = re.compile(rb"\r\n(?:transfer-encoding|expect|upgrade|connection: *close)", re.IGNORECASE)

    def __init__(self, twilio: Twilio, server: web.Server, connections: set[asyncio.Transport]) -> None:
        """`connections` holds the open ones, for whoever ends the server."""
        self._connections = connections
        self._twilio = twilio
        self._server = server
        self._path = re.compile(Twilio.fast_path)
        self._prefix = Twilio.fast_path.partition(b"(")[0]
        self._loop = asyncio.get_running_loop()
        self._slow: asyncio.Protocol | None = None
        self._waiting = b""

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self._transport)
        if self._slow:
            self._slow.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._slow:
            self._slow.pause_writing()

    def resume_writing(self) -> None:
        if self._slow:
            self._slow.resume_writing()

    def eof_received(self) -> bool | None:
        return self._slow.eof_received() if self._slow else None

    def data_received(self, data: bytes) -> None:
        data = self._waiting + data if self._waiting else data
        self._waiting = b""
        request = self._path.match(data)
        head_end = data.find(b"\r\n\r\n") + 2
        end = self._end(data, head_end)
        if not request or not len(data) <= end <= LARGEST_FAST_REQUEST:
            self._pass_on(data)
        elif len(data) < end:
            self._waiting = data
        else:
            authorization = self._AUTHORIZATION.search(data, 0, head_end)
            self._take(request[1], authorization[1] if authorization else b"", data[head_end + 2 :])

    def _end(self, data: bytes, head_end: int) -> int:
        """How long the request is; longer than `data` while unknown, 0 when it is none for this lane."""
        if head_end == 1:
            return len(data) + 1
        length = self._LENGTH.search(data, 0, head_end)
        if not length or self._UNUSUAL.search(data, 0, head_end):
            return 0
        return head_end + 2 + int(length[1])

    # What happens to a request.

    def _pass_on(self, data: bytes) -> None:
        if not self._slow:
            self._slow = self._server()
            self._slow.connection_made(self._transport)
        self._slow.data_received(data)

    def _take(self, account: bytes, authorization: bytes, body: bytes) -> None:
        now = self._loop.time()
        call = self._twilio.arrive(account, authorization, body)
        held = self._twilio.exchange.held_seconds(call)
        if held:
            self._loop.call_at(now + held, self._finish, call, now + held)
        else:
            self._finish(call, now)

    def _finish(self, call: Call, begun: float) -> None:
        exchange = self._twilio.exchange
        answer = exchange.settle(call)
        # Even without a delay the answer waits for the others of this turn of the loop: one write for all.
        due = begun + exchange.answer_seconds(call) - EARLY_SECONDS
        if due > self._loop.time():
            self._loop.call_at(due, self._send, answer)
        else:
            self._loop.call_soon(self._send, answer)

    def _send(self, answer: Answer) -> None:
        self._twilio.exchange.journal.flush()
        if self._transport.is_closing():
            return
        if answer.hang_up:
            reset(self._transport)
            return
        headers = b"".join(b"%b: %b\r\n" % (name.encode(), value.encode()) for name, value in answer.headers)
        self._transport.write(
            b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n%b\r\n%b"
            % (
                answer.status,
                REASONS[answer.status],
                answer.content_type.encode(),
                len(answer.body),
                headers,
                answer.body,
            )
        )


@asynccontextmanager
async def serving(folder: Path, port: int, smtp_port: int) -> AsyncIterator[str]:
    """Serve on loopback with the state in `folder` until the context ends; yields the URL of `port`.

    Raises OSError when a port is taken, JournalInUseError when the folder is.
    """
    async with AsyncExitStack() as ending:
        journal = Journal(folder)
        ending.callback(journal.close)
        twilio = Twilio(journal)
        sendgrid, smtp, push = SendGrid(journal), Smtp(journal, smtp_port), Push(journal)
        every: tuple[Provider, ...] = (twilio, sendgrid, smtp, push, Shopify(journal))
        providers = {each.name: each for each in every}
        for record in journal.records():
            providers[record["p"]].replay(record)
        application = _application(providers, twilio, journal)
        application.add_routes(Outbox(sendgrid, smtp, push).routes())
        runner = web.AppRunner(application, access_log=None, keepalive_timeout=KEEP_ALIVE_SECONDS)
        await runner.setup()
        ending.push_async_callback(runner.cleanup)
        assert runner.server
        for provider in providers.values():
            await provider.start()
            ending.push_async_callback(provider.stop)
        connections: set[asyncio.Transport] = set()
        lane = partial(FastLane, twilio, runner.server, connections)
        server = await asyncio.get_running_loop().create_server(lane, HOST, port, backlog=1024)
        ending.callback(_close, server, connections)
        yield f"http://{HOST}:{port}"


def _application(providers: dict[str, Provider], twilio: Twilio, journal: Journal) -> web.Application:
    app = web.Application(middlewares=[same_origin, refusals, in_twilios_words])
    for provider in providers.values():
        app.add_routes(provider.routes())
    app.add_routes(control.Control(providers, twilio, journal).routes())
    app.add_routes(phone.Phone(twilio).routes())
    return app


def _close(server: asyncio.Server, connections: set[asyncio.Transport]) -> None:
    server.close()
    for transport in connections:
        transport.close()


async def _serve_until_stopped(folder: Path, port: int, smtp_port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with serving(folder, port, smtp_port) as url:
        log.info("the providers' sandbox answers at %s, its phone at %s/phone", url, url)
        await stopped.wait()


def main() -> None:
    """Serve as the environment says (SANDBOX_PORT, SANDBOX_SMTP_PORT, DATA_DIR, PUBLIC_BASE_URL) until a signal."""
    # Nearly all objects here live as long as the process; looking through them stops the answers.
    gc.set_threshold(100_000, 50, 100)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    here = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("DATA_DIR") or here / ".data") / "sandbox"
    port = int(os.environ.get("SANDBOX_PORT", "8100"))
    asyncio.run(_serve_until_stopped(folder, port, int(os.environ.get("SANDBOX_SMTP_PORT", port + 25))))
