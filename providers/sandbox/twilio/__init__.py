"""Twilio as the sandbox plays it: Messages and Content, signed callbacks, inbound messages."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from providers.sandbox.exchange import Exchange
from providers.sandbox.twilio import inbound
from providers.sandbox.twilio.access import ACCOUNT
from providers.sandbox.twilio.callbacks import Postman
from providers.sandbox.twilio.content import STATUSES, Approval
from providers.sandbox.twilio.doors import Doors
from providers.sandbox.twilio.messages import Messages
from providers.sandbox.twilio.state import State
from providers.sandbox.wire import RefusedError

if TYPE_CHECKING:
    from aiohttp import web

    from providers.sandbox.exchange import Call
    from providers.sandbox.journal import Journal
    from providers.sandbox.twilio.content import Content


class Twilio:
    """One provider of the sandbox; others look the same from outside (see `server.PROVIDERS`)."""

    name = "twilio"
    fast_path = rb"POST /2010-04-01/Accounts/(" + ACCOUNT.encode() + rb")/Messages\.json HTTP/1\.1\r\n"

    def __init__(self, journal: Journal) -> None:
        self.exchange = Exchange(self.name, journal)
        self.state = State(journal)
        self.postman = Postman(self.exchange, self.state)
        self.messages = Messages(self.exchange, self.state, self.postman)

    # Being part of the server.

    def routes(self) -> list[web.RouteDef]:
        return Doors(self.exchange, self.state, self.messages).routes()

    def arrive(self, account: bytes, authorization: bytes, body: bytes) -> Call:
        """A request on the fast path."""
        return self.messages.arrive(account.decode(), authorization.decode("latin-1"), body)

    def replay(self, record: dict[str, Any]) -> None:
        if record["k"] in {"call", "settings"}:
            self.exchange.remember(record)
        else:
            self.state.replay(record)

    async def start(self) -> None:
        self.exchange.sort()
        self.messages.count_on()
        await self.postman.start()

    async def stop(self) -> None:
        await self.postman.stop()

    def forget(self) -> None:
        self.postman.forget()
        self.exchange.forget()
        self.state.forget()

    # Being looked at and steered.

    def log(self, *, since: float, to: str, key: str) -> list[dict[str, Any]]:
        """Messages accepted at `since` (epoch seconds) or later, oldest first; narrowed by `to` and `key`."""
        now = time.time()
        return [
            message.as_log_entry(now)
            for message in self.state.messages.values()
            if message.direction != "inbound"
            and message.at >= since
            and (not to or message.to == to)
            and (not key or message.key == key)
        ]

    def summary(self) -> dict[str, Any]:
        """Counts since the last reset; `doubled` counts acceptances too many of one content to one person."""
        sent = [message for message in self.state.messages.values() if message.direction != "inbound"]
        pairs = {(message.to, message.content_sid or message.body) for message in sent}
        keys = {message.key for message in sent if message.key}
        return {
            "accepted": len(sent),
            "people": len({message.to for message in sent}),
            "doubled": len(sent) - len(pairs),
            "keys": len(keys),
            "calls": len(self.exchange.entries),
            "outcomes": dict(Counter(f"{entry.kind}:{entry.outcome}" for entry in self.exchange.entries)),
            "contents": len(self.state.contents),
            "approval_requests": sum(content.requests for content in self.state.contents.values()),
            "inbound": len(self.state.messages) - len(sent),
            "opted_out": len(self.state.opted_out),
            "callbacks": {name: self.state.callbacks[name] for name in ("sent", "lost", "failed")}
            | {"pending": self.postman.pending},
        }

    async def write_to_us(self, request: dict[str, Any]) -> dict[str, Any]:
        return await inbound.deliver(request, messages=self.messages, state=self.state, postman=self.postman)

    def rule(self, sid: str, ruling: dict[str, Any]) -> dict[str, Any]:
        """Meta sets a template's status: {"status", "rejection_reason"}."""
        content = self.state.contents.get(sid)
        status, reason = ruling.get("status"), ruling.get("rejection_reason", "")
        if not content:
            raise RefusedError("there is no such template")
        if status not in STATUSES or not isinstance(reason, str):
            raise RefusedError(f"status must be one of {', '.join(STATUSES)}, rejection_reason a string")
        self._rule(content, status, reason)
        return content.as_approval(time.time())

    def _rule(self, content: Content, status: str, reason: str) -> None:
        asked = content.approval or Approval(name="", category="", at=time.time(), after=0.0)
        asked.ruling, asked.reason = status, reason
        content.approval = None if status == "unsubmitted" else asked
        self.state.save(content)
