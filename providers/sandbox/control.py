"""`/_sandbox/…`: reading the sandbox's own record, and telling it how to misbehave."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from providers.sandbox.faults import SettingError
from providers.sandbox.wire import RefusedError, read_json, whole_number

if TYPE_CHECKING:
    from providers.sandbox.journal import Journal
    from providers.sandbox.provider import Provider
    from providers.sandbox.twilio import Twilio

MOST = 10**9 - 1


def _moment(request: web.Request) -> float:
    try:
        return float(request.query.get("since", "0"))
    except ValueError:
        raise RefusedError("since must be seconds since 1970") from None


def _slice(request: web.Request) -> slice:
    offset = whole_number(request, "offset", 0)
    return slice(offset, offset + whole_number(request, "limit", MOST))


@dataclass(slots=True)
class Control:
    providers: dict[str, Provider]
    twilio: Twilio
    journal: Journal

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/healthz", self.health),
            web.get("/_sandbox/log", self.log),
            web.get("/_sandbox/calls", self.calls),
            web.get("/_sandbox/summary", self.summary),
            web.get("/_sandbox/faults", self.settings),
            web.post("/_sandbox/faults", self.change_settings),
            web.post("/_sandbox/reset", self.reset),
            web.post("/_sandbox/inbound", self.inbound),
            web.post("/_sandbox/templates/{sid}", self.rule),
        ]

    def _provider(self, request: web.Request) -> Provider:
        name = request.query.get("provider", "twilio")
        if name not in self.providers:
            raise RefusedError(f"provider must be one of {', '.join(self.providers)}")
        return self.providers[name]

    async def health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def log(self, request: web.Request) -> web.Response:
        query = request.query
        found = self._provider(request).log(since=_moment(request), to=query.get("to", ""), key=query.get("key", ""))
        return web.json_response({"messages": found[_slice(request)], "total": len(found)})

    async def calls(self, request: web.Request) -> web.Response:
        found = self._provider(request).exchange.since(_moment(request))
        shown = [entry.as_json() for entry in found[_slice(request)]]
        return web.json_response({"calls": shown, "total": len(found)})

    async def summary(self, request: web.Request) -> web.Response:
        return web.json_response(self._provider(request).summary())

    async def settings(self, request: web.Request) -> web.Response:
        return web.json_response(dataclasses.asdict(self._provider(request).exchange.settings))

    async def change_settings(self, request: web.Request) -> web.Response:
        exchange = self._provider(request).exchange
        wanted = await read_json(request)
        try:
            exchange.set(exchange.settings.changed(wanted))
        except SettingError as bad:
            raise RefusedError(str(bad)) from None
        return await self.settings(request)

    async def reset(self, _request: web.Request) -> web.Response:
        for provider in self.providers.values():
            provider.forget()
        self.journal.empty()
        return web.json_response({"status": "empty"})

    async def inbound(self, request: web.Request) -> web.Response:
        return web.json_response(await self.twilio.write_to_us(await read_json(request)))

    async def rule(self, request: web.Request) -> web.Response:
        ruled = self.twilio.rule(request.match_info["sid"], await read_json(request))
        self.journal.flush()
        return web.json_response(ruled)
