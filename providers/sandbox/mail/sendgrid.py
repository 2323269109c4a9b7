"""SendGrid's API: mail/send, and where its events go. Every key of the form `SG.…` opens its own account."""

from __future__ import annotations

import json
import os
import re
import time
from base64 import urlsafe_b64encode
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from providers.sandbox.exchange import Answer, Entry, Exchange
from providers.sandbox.mail.events import PUBLIC_KEY, Teller
from providers.sandbox.mail.letters import Letter, Letters, story_of, tag_of
from providers.sandbox.wire import perform, response

if TYPE_CHECKING:
    from providers.sandbox.journal import Journal

MOST_ARGS = 10_000
TOO_LARGE = "The message is too large"  # here above 1 MB, at SendGrid above 30
_KEY = re.compile(r"Bearer (SG\.[\w.-]{1,120})")
_ADDRESS = re.compile(r"[^@\s<>]{1,64}@[^@\s<>]+\.[^@\s<>]+")


class NotTaken(Exception):  # noqa: N818  (SendGrid's answer)
    """A refusal: its HTTP status, what it says, and about which field."""

    def __init__(self, status: int, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.field = status, message, field

    def answer(self) -> Answer:
        error = {"message": self.message, "field": self.field, "help": None}
        return Answer.of(self.status, {"errors": [error]})


def _busy(status: int) -> Answer:
    return NotTaken(
        status, "too many requests" if status == HTTPStatus.TOO_MANY_REQUESTS else "internal error"
    ).answer()


class SendGrid:
    """One provider of the sandbox."""

    name = "sendgrid"

    def __init__(self, journal: Journal) -> None:
        self.exchange = Exchange(self.name, journal)
        self.letters = Letters(self.exchange)
        self.teller = Teller(self.exchange, self.letters)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v3/mail/send", self.send),
            web.patch("/v3/user/webhooks/event/settings", self.hook),
            web.patch("/v3/user/webhooks/event/settings/signed", self.signed),
        ]

    async def send(self, request: web.Request) -> web.Response:
        try:
            account, document, wrong = _account(request), await _document(request), None
        except NotTaken as refusal:
            account, document, wrong = "", {}, refusal
        key, to = _key_of(document), _first_to(document)

        def act(entry: Entry) -> Answer:
            try:
                if wrong:
                    raise wrong
                return self._accept(entry, account, _letter(document, account, to or ""))
            except NotTaken as refusal:
                return refusal.answer()

        name = f"{account}|{to}|{document.get('subject')}"
        call = self.exchange.arrive("mail", now=time.time(), to=to, key=key, name=name, act=act, refuse=_busy)
        return await perform(request, self.exchange, call)

    async def hook(self, request: web.Request) -> web.Response:
        """Where this account's events go: {"enabled", "url"}."""
        try:
            account, wanted = _account(request), await _document(request)
        except NotTaken as refusal:
            return response(refusal.answer())
        url = str(wanted.get("url") or "") if wanted.get("enabled", True) else ""
        self.teller.listens(account, url)
        return web.json_response({"enabled": bool(url), "url": url, "delivered": True, "open": True, "click": True})

    async def signed(self, request: web.Request) -> web.Response:
        """The key with which events are verified; here they always are signed."""
        try:
            _account(request)
        except NotTaken as refusal:
            return response(refusal.answer())
        return web.json_response({"public_key": PUBLIC_KEY})

    def _accept(self, entry: Entry, account: str, letter: Letter) -> Answer:
        settings = self.exchange.settings
        letter.id, letter.account, letter.at = urlsafe_b64encode(os.urandom(16)).decode()[:22], account, time.time()
        letter.story, letter.step = story_of(letter, settings), settings.callback_delay_ms / 1000
        letter.outcome, entry.sid = entry.outcome, letter.id
        self.letters.accept(letter)
        self.teller.follow(letter)
        return Answer(HTTPStatus.ACCEPTED, b"", headers=(("X-Message-Id", letter.id),))

    def replay(self, record: dict[str, Any]) -> None:
        if record["k"] in {"call", "settings"}:
            self.exchange.remember(record)
        elif record["k"] == "hook":
            self.teller.hooks[record["account"]] = record["url"]
        else:
            self.letters.replay(record)

    async def start(self) -> None:
        self.exchange.sort()
        await self.teller.start()

    async def stop(self) -> None:
        await self.teller.stop()

    def forget(self) -> None:
        self.teller.forget()
        self.exchange.forget()
        self.letters.all.clear()

    def log(self, *, since: float, to: str, key: str) -> list[dict[str, Any]]:
        return self.letters.log(since=since, to=to, key=key)

    def summary(self) -> dict[str, Any]:
        return self.letters.summary() | {"events": dict(self.teller.tally) | {"pending": self.teller.pending}}


def _account(request: web.Request) -> str:
    found = _KEY.fullmatch(request.headers.get("Authorization", ""))
    if not found:
        raise NotTaken(401, "The provided authorization grant is invalid, expired, or revoked")
    return ".".join(found[1].split(".")[:2])


async def _document(request: web.Request) -> dict[str, Any]:
    try:
        document = json.loads(await request.read())
    except web.HTTPRequestEntityTooLarge:
        raise NotTaken(413, TOO_LARGE) from None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise NotTaken(400, "Bad Request")
    return document


def _first_to(document: dict[str, Any]) -> str | None:
    try:
        return str(document["personalizations"][0]["to"][0]["email"])
    except (KeyError, IndexError, TypeError):
        return None


def _key_of(document: dict[str, Any]) -> str | None:
    args = document.get("custom_args")
    return str(args["attempt"]) if isinstance(args, dict) and "attempt" in args else None


def _letter(document: dict[str, Any], account: str, to: str) -> Letter:
    """What is asked for, checked as SendGrid checks it."""
    sender, args = _sender(document), document.get("custom_args", {})
    if not _ADDRESS.fullmatch(to):
        raise NotTaken(400, "Does not contain a valid address.", "personalizations.0.to.0.email")
    if not isinstance(document.get("subject"), str) or not document["subject"]:
        raise NotTaken(400, "The subject is required.", "subject")
    parts = _parts(document.get("content"))
    if not all(isinstance(value, str) for value in args.values()) or len(json.dumps(args)) > MOST_ARGS:
        raise NotTaken(400, "The custom_args must be strings of 10000 bytes in all.", "custom_args")
    _magic(tag_of(to))
    return Letter(
        id="", account=account, at=0.0, to=to, sender=sender, subject=document["subject"],
        text=parts["text/plain"], html=parts.get("text/html", ""), headers=document.get("headers", {}), args=args,
        key=args.get("attempt"),
    )  # fmt: skip


def _sender(document: dict[str, Any]) -> str:
    sender = document.get("from")
    if not isinstance(sender, dict) or not _ADDRESS.fullmatch(str(sender.get("email"))):
        raise NotTaken(400, "The from object must be provided for every email send.", "from.email")
    return str(sender["email"])


def _parts(content: Any) -> dict[str, str]:
    """The texts by type."""
    if not isinstance(content, list) or not content or content[0].get("type") != "text/plain":
        raise NotTaken(400, "The content must begin with text/plain.", "content")
    return {part["type"]: str(part["value"]) for part in content}


def _magic(tag: str) -> None:
    if tag == "refused":
        raise NotTaken(400, "Does not contain a valid address.", "personalizations.0.to.0.email")
    if tag == "forbidden":
        raise NotTaken(403, "The from address does not match a verified Sender Identity.", "from")
    if tag == "large":
        raise NotTaken(413, TOO_LARGE)
