"""Sending WhatsApp messages and SMS through Twilio, and looking up what it has.

https://www.twilio.com/docs/messaging/api/message-resource. The calls are what Twilio's SDK would make, byte for byte;
they are made here because the SDK in threads reaches half the speed. Twilio knows no idempotency key: after an unknown
outcome only the callback or the list can tell.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote_plus, urlencode

from django.conf import settings

from providers.answers import garbled, is_success, json_object, not_sent, plain
from providers.base import Accepted, Found, Outcome, Refused, Unknown, Unreachable
from providers.http import NoAnswer, NotSent, Pool
from providers.twilio.answers import code_of, refused_or_unknown, word

if TYPE_CHECKING:
    from providers.base import Credentials, Outgoing, TextMessage
    from providers.http import Answer

HEADERS = {"Accept": "application/json", "Accept-Charset": "utf-8", "User-Agent": "campaigns"}
# Twilio's clock may be behind ours, and it tells whole seconds.
SKEW = timedelta(seconds=5)
PAGE_SIZE = 1000
MOST_PAGES = 20
_FORM = "application/x-www-form-urlencoded"
_MESSAGE_SID = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}")
_SERVICE_SID = re.compile(r"MG[0-9a-fA-F]{32}")


class _Messages:
    """What both kinds have in common. One per process; `providers.base.Messenger` tells what its figures mean."""

    name = "twilio"
    has_key = False
    can_list = True
    # What stands before a number in this channel.
    _channel = ""

    def __init__(self, url: str, *, timeout: float, slowest: float, quiet: float, connections: int) -> None:
        self.timeout = timeout
        self.slowest = slowest
        self.quiet = quiet
        self._pool = Pool(url, limit=connections, timeout=timeout, headers=HEADERS)

    @classmethod
    def from_settings(cls) -> Self:
        return cls(
            settings.TWILIO_API_URL,
            timeout=settings.TWILIO_TIMEOUT_SECONDS,
            slowest=settings.TWILIO_SLOWEST_SECONDS,
            quiet=settings.TWILIO_QUIET_SECONDS,
            connections=settings.TWILIO_CONNECTIONS,
        )

    async def find(self, to: str, sender: str, since: datetime, credentials: Credentials) -> list[Found]:
        """GET Messages.json for this pair, all pages.

        Not narrowed by DateSent: a message that still waits in Twilio's queue has none, and must not look absent.
        """
        service = bool(_SERVICE_SID.fullmatch(sender))
        query = {"To": self._channel + to, "From": self._channel + sender, "PageSize": PAGE_SIZE}
        if service:
            del query["From"]
        messages = await self._list(f"{_messages(credentials.account_id)}?{urlencode(query)}", credentials)
        if service:
            messages = [each for each in messages if each.get("messaging_service_sid") == sender]
        found = [_found(each, to) for each in messages]
        found = [each for each in found if each.at >= since - SKEW]
        return sorted(found, key=lambda each: each.at, reverse=True)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        await self._pool.close()

    async def _post(self, form: bytes, credentials: Credentials) -> Outcome:
        """POST Messages.json once. Only 201 with a message's SID is acceptance."""
        try:
            answer = await self._pool.request(
                "POST",
                _messages(credentials.account_id),
                headers={"Authorization": basic(credentials), "Content-Type": _FORM},
                body=form,
            )
        except NotSent as error:
            return not_sent(error)
        except NoAnswer as error:
            return Unknown(plain(error))
        if not is_success(answer):
            return refused_or_unknown(answer)
        return _accepted(answer)

    async def _list(self, target: str, credentials: Credentials) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        for _ in range(MOST_PAGES):
            page = await self._page(target, credentials)
            messages += page["messages"]
            following = page.get("next_page_uri")
            if not following:
                return messages
            # The credentials go to the host we know, wherever the page points.
            if not isinstance(following, str) or not following.startswith(_messages(credentials.account_id)):
                raise Unreachable(plain(f"a next page elsewhere: {following!r}"))
            target = following
        raise Unreachable(f"more than {MOST_PAGES} pages")

    async def _page(self, target: str, credentials: Credentials) -> dict[str, Any]:
        try:
            answer = await self._pool.request("GET", target, headers={"Authorization": basic(credentials)})
        except (NotSent, NoAnswer) as error:
            raise Unreachable(str(error)) from None
        if not is_success(answer):
            failure = refused_or_unknown(answer)
            if isinstance(failure, Refused):
                raise Unreachable(failure.message, failure)
            raise Unreachable(failure.detail)
        page = json_object(answer.body) or {}
        listed = page.get("messages")
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise Unreachable(garbled(answer).detail)
        return page


class Twilio(_Messages):
    """A Messenger: WhatsApp templates."""

    _channel = "whatsapp:"

    async def send(self, outgoing: Outgoing, credentials: Credentials) -> Outcome:
        """Send once."""
        return await self._post(_form(outgoing), credentials)


class TwilioTexts(_Messages):
    """A Texter: SMS."""

    async def send(self, text: TextMessage, credentials: Credentials) -> Outcome:
        """Send once."""
        return await self._post(_sms_form(text), credentials)


@lru_cache(maxsize=256)
def basic(credentials: Credentials) -> str:
    """The Authorization header of these credentials."""
    return "Basic " + base64.b64encode(f"{credentials.account_id}:{credentials.secret}".encode()).decode()


def _messages(account_sid: str) -> str:
    return f"/2010-04-01/Accounts/{account_sid}/Messages.json"


def _form(outgoing: Outgoing) -> bytes:
    """The fields in the SDK's order. Never a Body: with one, Twilio would not send the template (error 63016)."""
    fields = {"To": quote_plus(f"whatsapp:{outgoing.to}"), "StatusCallback": quote_plus(outgoing.callback_url)}
    if outgoing.variables:
        fields["ContentVariables"] = quote_plus(json.dumps(dict(outgoing.variables)))
    if _SERVICE_SID.fullmatch(outgoing.sender):
        fields["MessagingServiceSid"] = outgoing.sender
    else:
        fields["From"] = _quoted_once(f"whatsapp:{outgoing.sender}")
    fields["ContentSid"] = _quoted_once(outgoing.content_sid)
    # Not urlencode(), which quotes the names as well: a fifth of all time in here.
    return "&".join([f"{name}={value}" for name, value in fields.items()]).encode()


def _sms_form(text: TextMessage) -> bytes:
    """The fields in the SDK's order."""
    sender = "MessagingServiceSid" if _SERVICE_SID.fullmatch(text.sender) else "From"
    fields = {"To": text.to, "StatusCallback": text.callback_url, sender: text.sender, "Body": text.body}
    return urlencode({name: value for name, value in fields.items() if value}).encode()


_quoted_once = lru_cache(maxsize=1024)(quote_plus)


def _accepted(answer: Answer) -> Outcome:
    message = json_object(answer.body) or {}
    sid, status = message.get("sid"), word(message.get("status"))
    if not isinstance(sid, str) or not _MESSAGE_SID.fullmatch(sid) or status is None:
        return garbled(answer)
    return Accepted(provider_id=sid, status=status)


def _found(message: dict[str, Any], to: str) -> Found:
    sid, status, code = message.get("sid"), word(message.get("status")), code_of(message.get("error_code"))
    if not isinstance(sid, str) or not _MESSAGE_SID.fullmatch(sid) or status is None:
        raise Unreachable(plain(f"a list with something else in it: {sid!r}"))
    return Found(
        provider_id=sid, status=status, error_code=str(code or ""), at=_date(message.get("date_created")), to=to
    )


def _date(text: object) -> datetime:
    try:
        at = parsedate_to_datetime(str(text))
    except (ValueError, TypeError, OverflowError):
        at = None
    # Without a zone it could be hours off, and a message would be taken for absent.
    if at is None or at.tzinfo is None:
        raise Unreachable(plain(f"a list with a date that is none: {text!r}"))
    return at
