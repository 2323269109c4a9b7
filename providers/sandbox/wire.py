"""Between aiohttp and the providers: answers to responses, refusals to JSON, calls at their own pace."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from providers.sandbox.exchange import Answer, Call, Exchange

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# An event loop wakes up to a millisecond late, so that we aim half of one early.
EARLY_SECONDS = 0.0005


class RefusedError(ValueError):
    """A request to the control routes that makes no sense; becomes a 400 with `{"error": …}`."""


def reset(transport: asyncio.Transport) -> None:
    """End a connection the rude way: the other side sees a reset, not an end."""
    endpoint = transport.get_extra_info("socket")
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def response(answer: Answer) -> web.Response:
    kind, _, charset = answer.content_type.partition("; charset=")
    return web.Response(
        status=answer.status,
        body=answer.body or None,
        content_type=kind,
        charset=charset or None,
        headers=dict(answer.headers),
    )


async def perform(request: web.Request, exchange: Exchange, call: Call) -> web.Response:
    """Let `call` happen and answer it, both in the settings' own time."""
    begun = time.monotonic()
    if held := exchange.held_seconds(call):
        await asyncio.sleep(held)
    answer = exchange.settle(call)
    exchange.journal.flush()
    left = begun + held + exchange.answer_seconds(call) - time.monotonic()
    if left > 0:
        await asyncio.sleep(left)
    transport = request.transport
    if answer.hang_up and isinstance(transport, asyncio.Transport):
        reset(transport)
    return response(answer)


async def read_json(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body; RefusedError when there is none."""
    try:
        document = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise RefusedError("the body must be JSON") from None
    if not isinstance(document, dict):
        raise RefusedError("the body must be a JSON object")
    return document


def whole_number(request: web.Request, name: str, default: int) -> int:
    """A query parameter that counts; RefusedError unless it is 0 or more."""
    text = request.query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 9:  # noqa: PLR2004  # nine digits are plenty
        raise RefusedError(f"{name} must be a whole number")
    return int(text)


@web.middleware
async def same_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A page of somebody else's in the operator's browser may not press our buttons."""
    origin = request.headers.get("Origin")
    if request.method != "GET" and origin and origin.partition("://")[2] != request.host:
        raise web.HTTPForbidden(text="cross-origin")
    return await handler(request)


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RefusedError as refused:
        return web.json_response({"error": str(refused)}, status=400)
