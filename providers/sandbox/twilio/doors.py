"""Twilio's routes, apart from the fast one: each reads a request, and says what happens."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from aiohttp import web

from providers.sandbox.exchange import Answer, Entry
from providers.sandbox.twilio import listing
from providers.sandbox.twilio.access import ACCOUNT, caller
from providers.sandbox.twilio.content import (
    CATEGORIES,
    Approval,
    Content,
    ContentError,
    clean_types,
    clean_variables,
    judge,
)
from providers.sandbox.twilio.errors import TwilioError, refuse
from providers.sandbox.twilio.message import FINAL, Message
from providers.sandbox.twilio.messages import new_sid
from providers.sandbox.wire import perform, response

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.sandbox.exchange import Exchange
    from providers.sandbox.twilio.messages import Messages
    from providers.sandbox.twilio.state import State
    from providers.sandbox.wire import Handler

TEMPLATE_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
LONGEST_NAME = 512


@web.middleware
async def in_twilios_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal of these routes, aiohttp's too, in Twilio's JSON."""
    try:
        return await handler(request)
    except TwilioError as error:
        return response(error.answer())
    except web.HTTPException as error:
        if request.path.startswith(("/v1/", "/2010-04-01/")):
            return response(refuse(error.status))
        raise


def _json(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise TwilioError(20001, "The body is not JSON") from None
    if not isinstance(document, dict):
        raise TwilioError(20001, "The body must be a JSON object")
    return document


def _text(document: dict[str, Any], name: str, default: str | None = None) -> str:
    value = document.get(name, default)
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        raise TwilioError(20001, f"{name}: a string is required")
    return value


@dataclass(slots=True)
class Doors:
    exchange: Exchange
    state: State
    messages: Messages

    def routes(self) -> list[web.RouteDef]:
        account = f"/2010-04-01/Accounts/{{account:{ACCOUNT}}}"
        return [
            web.post(f"{account}/Messages.json", self.send),
            web.get(f"{account}/Messages.json", self.list_messages),
            web.get(f"{account}/Messages/{{sid}}.json", self.fetch_message),
            web.post(f"{account}/Messages/{{sid}}.json", self.update_message),
            web.delete(f"{account}/Messages/{{sid}}.json", self.delete_message),
            web.post("/v1/Content", self.create_content),
            web.get("/v1/Content", self.list_contents),
            web.get("/v1/ContentAndApprovals", self.list_contents),
            web.get("/v1/Content/{sid}", self.fetch_content),
            web.put("/v1/Content/{sid}", self.update_content),
            web.delete("/v1/Content/{sid}", self.delete_content),
            web.post("/v1/Content/{sid}/ApprovalRequests/whatsapp", self.submit),
            web.get("/v1/Content/{sid}/ApprovalRequests", self.fetch_approval),
        ]

    # Messages.

    async def send(self, request: web.Request) -> web.Response:
        authorization = request.headers.get("Authorization", "")
        call = self.messages.arrive(request.match_info["account"], authorization, await request.read())
        return await perform(request, self.exchange, call)

    async def list_messages(self, request: web.Request) -> web.Response:
        account = self._caller(request)
        lag = self.exchange.settings.list_lag_ms / 1000
        return web.json_response(listing.page(self.state, account, request.query, time.time(), lag))

    async def fetch_message(self, request: web.Request) -> web.Response:
        message = self._message(request)
        return web.json_response(message.as_resource(message.status(time.time())))

    async def update_message(self, request: web.Request) -> web.Response:
        message = self._message(request)
        form = dict(parse_qsl((await request.read()).decode(errors="replace"), keep_blank_values=True))
        status = message.status(time.time())
        if form.get("Status") == "canceled":
            if status not in {"scheduled", "queued", "accepted"}:
                raise TwilioError(30409)
            self.state.change(message, settled="canceled")
        elif form.get("Body") == "":
            self.state.change(message, redacted=True)
        else:
            raise TwilioError(20001, "Only Status=canceled and an empty Body are possible")
        return self._said(200, message.as_resource(message.status(time.time())))

    async def delete_message(self, request: web.Request) -> web.Response:
        message = self._message(request)
        if message.status(time.time()) not in FINAL:
            raise TwilioError(20009)
        self.state.change(message, deleted=True)
        return self._said(204)

    def _message(self, request: web.Request) -> Message:
        account = self._caller(request)
        message = self.state.messages.get(request.match_info["sid"])
        if not message or message.deleted or message.account != account:
            raise TwilioError(20404)
        return message

    # Templates.

    async def create_content(self, request: web.Request) -> web.Response:
        raw, base = await request.read(), _base(request)

        def create(entry: Entry) -> Answer:
            account, document, now = self._caller(request), _json(raw), time.time()
            content = Content(
                sid=new_sid("HX"), account=account, friendly_name=_text(document, "friendly_name", ""),
                language=_text(document, "language"), created=now, updated=now, **_parts(document),
            )  # fmt: skip
            entry.sid = content.sid
            self.state.save(content)
            return Answer.of(201, content.as_resource(base))

        return await self._call(request, "content", _name(raw, "friendly_name"), create)

    async def submit(self, request: web.Request) -> web.Response:
        raw = await request.read()

        def ask(entry: Entry) -> Answer:
            content, document, now = self._content(request), _json(raw), time.time()
            name, category = _text(document, "name"), _text(document, "category")
            if not name or not TEMPLATE_NAME.issuperset(name):
                raise TwilioError(20001, "name: lower-case letters, digits and _ only")
            if category not in CATEGORIES:
                raise TwilioError(20001, f"category: one of {', '.join(CATEGORIES)} is required")
            if content.approval:
                raise TwilioError(20001, "This content was submitted for approval before")
            after = self.exchange.settings.approve_after_ms / 1000
            content.approval = Approval(name, category, now, after, reason=judge(content, name))
            content.requests += 1
            entry.sid = content.sid
            self.state.save(content)
            return Answer.of(201, content.as_approval(now) | {"status": "received", "rejection_reason": ""})

        return await self._call(request, "approval", _name(raw, "name"), ask)

    async def fetch_content(self, request: web.Request) -> web.Response:
        return web.json_response(self._content(request).as_resource(_base(request)))

    async def update_content(self, request: web.Request) -> web.Response:
        content, document = self._content(request), _json(await request.read())
        if content.approval:
            raise TwilioError(20001, "This content was submitted for approval and cannot be changed")
        parts = _parts(document)
        content.friendly_name = _text(document, "friendly_name", content.friendly_name)
        content.language = _text(document, "language", content.language)
        content.change(now=time.time(), **parts)
        self.state.save(content)
        return self._said(200, content.as_resource(_base(request)))

    async def delete_content(self, request: web.Request) -> web.Response:
        content = self._content(request)
        content.deleted = True
        self.state.save(content)
        return self._said(204)

    async def fetch_approval(self, request: web.Request) -> web.Response:
        content = self._content(request)
        return web.json_response(
            {
                "sid": content.sid,
                "account_sid": content.account,
                "whatsapp": {"type": "whatsapp"} | content.as_approval(time.time()),
                "url": f"{_base(request)}/v1/Content/{content.sid}/ApprovalRequests",
            }
        )

    async def list_contents(self, request: web.Request) -> web.Response:
        account, now, base = self._caller(request), time.time(), _base(request)
        size = listing.number(request.query, "PageSize", listing.USUAL_PAGE, 1, listing.LARGEST_PAGE)
        index = listing.number(request.query, "Page", 0, 0, 10**9)
        mine = [each for each in reversed(self.state.contents.values()) if each.account == account and not each.deleted]
        shown = mine[index * size : (index + 1) * size]

        def url(page: int) -> str:
            return f"{base}{request.path}?PageSize={size}&Page={page}"

        approvals = request.path.endswith("Approvals")
        contents = [
            each.facts() | {"approval_requests": each.as_approval(now)} if approvals else each.as_resource(base)
            for each in shown
        ]
        meta = {
            "page": index,
            "page_size": size,
            "first_page_url": url(0),
            "previous_page_url": url(index - 1) if index else None,
            "url": url(index),
            "next_page_url": url(index + 1) if len(mine) > (index + 1) * size else None,
            "key": "contents",
        }
        return web.json_response({"contents": contents, "meta": meta})

    def _content(self, request: web.Request) -> Content:
        account = self._caller(request)
        content = self.state.contents.get(request.match_info["sid"])
        if not content or content.deleted or content.account != account:
            raise TwilioError(20404)
        return content

    # Both.

    def _caller(self, request: web.Request) -> str:
        """The account that calls; its token is remembered, because callbacks are signed with it."""
        account, token = caller(request.headers.get("Authorization", ""), request.match_info.get("account", ""))
        if token:
            self.state.hear_token(account, token)
        return account

    async def _call(self, request: web.Request, kind: str, name: str, do: Callable[[Entry], Answer]) -> web.Response:
        def act(entry: Entry) -> Answer:
            try:
                return do(entry)
            except TwilioError as error:
                return error.answer()

        call = self.exchange.arrive(
            kind, now=time.time(), to=None, key=None, name=f"{kind}|{name}", act=act, refuse=refuse
        )
        call.entry.key = name or None
        return await perform(request, self.exchange, call)

    def _said(self, status: int, document: dict[str, Any] | None = None) -> web.Response:
        """An answer to a change: on disk first."""
        self.exchange.journal.flush()
        return response(Answer(status, b"") if document is None else Answer.of(status, document))


def _base(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"


def _name(raw: bytes, field: str) -> str:
    """What the caller knows this call by, as far as the body can be read."""
    try:
        name = _json(raw).get(field)
    except TwilioError:
        return ""
    return name if isinstance(name, str) else ""


def _parts(document: dict[str, Any]) -> dict[str, Any]:
    try:
        return {
            "variables": clean_variables(document.get("variables")),
            "types": clean_types(document.get("types")),
        }
    except ContentError as bad:
        raise TwilioError(20001, str(bad)) from None
