"""POST Messages.json: the one call that has to be fast, because the load tests measure against it."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from providers.sandbox.exchange import Answer, Call, Entry, Exchange
from providers.sandbox.twilio.access import caller
from providers.sandbox.twilio.errors import TwilioError, refuse
from providers.sandbox.twilio.message import Message, phone_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from providers.sandbox.twilio.callbacks import Postman
    from providers.sandbox.twilio.content import Content
    from providers.sandbox.twilio.state import State

LONGEST_BODY = 1600
MOST_MEDIA = 10
MOST_FIELDS = 200
_ADDRESS = re.compile(r"(?:whatsapp:)?\+[1-9][0-9]{6,14}")
_SENDER = re.compile(r"(?:whatsapp:)?\+[1-9][0-9]{6,14}|[0-9]{3,8}|[A-Za-z0-9 ]{1,11}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
_CONTENT = re.compile(r"HX[0-9a-fA-F]{32}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MAGIC = re.compile(r"\+1500([567])0([0-9]{5})")
_TEST_NUMBERS = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
_REFUSED_NOW, _UNDELIVERED, _FAILED = "567"
# What WhatsApp does with a template in this state, when the person has not written within 24 h.
_STATE_CODES = {"rejected": 63040, "paused": 63041, "disabled": 63042}


def new_sid(prefix: str) -> str:
    return prefix + os.urandom(16).hex()


def _form(raw: bytes) -> tuple[dict[str, str], tuple[str, ...]]:
    """The fields of a form, and its media; TwilioError when it is none."""
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise TwilioError(20001, "The request body is not a form") from None
    return dict(pairs), tuple(value for name, value in pairs if name == "MediaUrl")


def _key(callback: str | None) -> str | None:
    found = _UUID.search(callback) if callback else None
    return found[0] if found else None


def _variables(text: str) -> dict[str, str]:
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError):
        raise TwilioError(21656) from None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise TwilioError(21656)
    return given


def _callback(form: dict[str, str]) -> str | None:
    callback = form.get("StatusCallback") or None
    if callback and not callback.startswith(("http://", "https://")):
        raise TwilioError(21609)
    return callback


def _due(form: dict[str, str], now: float) -> float:
    """When the message is to go: `now`, or its SendAt."""
    if "SendAt" not in form and "ScheduleType" not in form:
        return now
    if form.get("ScheduleType") != "fixed" or not form.get("MessagingServiceSid"):
        raise TwilioError(35114, "SendAt needs ScheduleType=fixed and a MessagingServiceSid")
    try:
        due = datetime.fromisoformat(form.get("SendAt", "")).timestamp()
    except (ValueError, OverflowError):
        raise TwilioError(35114) from None
    return max(due, now)


@dataclass(slots=True)
class Messages:
    exchange: Exchange
    state: State
    postman: Postman
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def count_on(self) -> None:
        """Number new messages on from those that are there."""
        self._numbers = count(max((message.n for message in self.state.messages.values()), default=0) + 1)

    def number(self) -> int:
        return next(self._numbers)

    def arrive(self, account: str, authorization: str, raw: bytes) -> Call:
        """A call to send one message: HTTP Basic header and form as they came."""
        try:
            form, media = _form(raw)
            wrong = None
        except TwilioError as error:
            form, media, wrong = {}, (), error
        to, key = form.get("To"), _key(form.get("StatusCallback"))

        def act(entry: Entry) -> Answer:
            try:
                if wrong:
                    raise wrong
                _, token = caller(authorization, account)
                return self._accept(entry, account, token, form, media)
            except TwilioError as refusal:
                return refusal.answer()

        name = f"{account}|{to}|{form.get('ContentSid') or form.get('Body')}"
        return self.exchange.arrive("message", now=time.time(), to=to, key=key, name=name, act=act, refuse=refuse)

    def _accept(self, entry: Entry, account: str, token: str, form: dict[str, str], media: tuple[str, ...]) -> Answer:
        now = time.time()
        to, sender, service = self._addresses(account, form)
        content, body = self._words(account, form, media)
        callback = _callback(form)
        if token:
            self.state.hear_token(account, token)
        sid = new_sid("MM" if to.startswith("whatsapp:") or media else "SM")
        ending, code = self._ending(account, to, form, content, now, entry.key or sid)
        message = Message(
            n=self.number(), sid=sid, account=account, to=to, sender=sender, service=service, at=now,
            due=_due(form, now), body=body, media=media, content_sid=form.get("ContentSid") or None,
            content_variables=form.get("ContentVariables") or None, callback=callback,
            token=token or self.state.tokens.get(account, ""), key=entry.key,
            step=self.exchange.settings.callback_delay_ms / 1000,
            ending=ending, error_code=code, outcome=entry.outcome,
        )  # fmt: skip
        entry.sid = sid
        self.state.accept(message)
        self.postman.follow(message)
        return Answer.of(201, message.as_resource(message.initial_status(now)))

    def _addresses(self, account: str, form: dict[str, str]) -> tuple[str, str | None, str | None]:
        to, sender, service = (
            form.get("To", ""),
            form.get("From") or None,
            form.get("MessagingServiceSid") or None,
        )
        if not to:
            raise TwilioError(21604)
        if not _ADDRESS.fullmatch(to):
            raise TwilioError(21211, f"The 'To' number {to[:40]} is not a valid phone number.")
        person = phone_of(to)
        if person in _TEST_NUMBERS:
            raise TwilioError(_TEST_NUMBERS[person])
        magic = _MAGIC.fullmatch(person)
        if magic and magic[1] == _REFUSED_NOW:
            raise TwilioError(int(magic[2]))
        self._check_sender(to, sender, service)
        if (account, to) in self.state.opted_out:
            raise TwilioError(21610)
        return to, sender, service

    def _check_sender(self, to: str, sender: str | None, service: str | None) -> None:
        if not sender and not service:
            raise TwilioError(21603)
        if service and not _SERVICE.fullmatch(service):
            raise TwilioError(21703)
        if sender and not _SENDER.fullmatch(sender):
            raise TwilioError(21212)
        if sender and sender.startswith("whatsapp:") != to.startswith("whatsapp:"):
            raise TwilioError(21910)

    def _words(self, account: str, form: dict[str, str], media: tuple[str, ...]) -> tuple[Content | None, str]:
        """The template, if there is one, and the text the person will read."""
        if len(media) > MOST_MEDIA:
            raise TwilioError(21623)
        values = _variables(form.get("ContentVariables", ""))
        if content_sid := form.get("ContentSid"):
            content = self._content(account, content_sid)
            return content, content.read_with(values) if content else ""
        body = form.get("Body", "")
        if not body and not media:
            raise TwilioError(21602)
        if len(body) > LONGEST_BODY:
            raise TwilioError(21617)
        return None, body

    def _content(self, account: str, sid: str) -> Content | None:
        content = self.state.contents.get(sid)
        if content and not content.deleted and content.account == account:
            return content
        if self.exchange.settings.strict_content or not _CONTENT.fullmatch(sid):
            raise TwilioError(21655)
        return None

    def _ending(
        self, account: str, to: str, form: dict[str, str], content: Content | None, now: float, key: str
    ) -> tuple[str, int | None]:
        """How the story of this message ends, and with which error."""
        magic = _MAGIC.fullmatch(phone_of(to))
        if magic:
            return ("undelivered" if magic[1] == _UNDELIVERED else "failed"), int(magic[2])
        if not to.startswith("whatsapp:"):
            return "delivered", None
        if not self.state.window_is_open(account, to, now):
            status = content.status(now) if content else "approved" if form.get("ContentSid") else "none"
            if status != "approved":
                return "failed", _STATE_CODES.get(status, 63016)
        settings = self.exchange.settings
        return ("read" if settings.draw("read", key) < settings.read_share else "delivered"), None
