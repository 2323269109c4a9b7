"""What Twilio tells us: status callbacks and inbound messages, as forms.

https://www.twilio.com/docs/messaging/guides/webhook-request. Twilio adds and drops parameters as it likes, so the
readers take what they need and leave the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_FIELDS = 500
_SID = re.compile(r"[A-Z]{2}[0-9A-Za-z]{32}")
_WHATSAPP = "whatsapp:"
_CODE = re.compile(r"[0-9]{1,9}")

# Twilio's statuses that say something about the person, in our words. The others (queued, accepted, scheduled, sending)
# only say that Twilio has the message.
OUR_STATUS: Final[Mapping[str, str]] = {
    "sent": "sent",
    "delivered": "delivered",
    "partially_delivered": "delivered",
    "read": "read",
    "failed": "failed",
    "canceled": "failed",
    "undelivered": "undelivered",
}
# Of two statuses the higher is the news, whichever came first. Having reached the phone outweighs a failure.
RANK: Final[Mapping[str, int]] = {
    "queued": 0, "sending": 1, "sent": 2, "failed": 3, "undelivered": 3, "delivered": 4, "read": 5,
}  # fmt: skip

OPT_OUT_WORDS = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit"})
OPT_IN_WORDS = frozenset({"start", "unstop", "yes"})
HELP_WORDS = frozenset({"help", "info"})
OptWord = Literal["stop", "start", "help"]


class Malformed(ValueError):  # noqa: N818  (what the form is)
    """A form without what every such form of Twilio's has."""


class Form(dict[str, str]):
    """The fields of a form: the last value of each by `[]`, all by `getlist` (a signature covers all of them)."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def getlist(self, name: str) -> list[str]:
        return [value for each, value in self._pairs if each == name]


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """How a message of ours fares. `status` is Twilio's word; `error_code` is "" unless it failed."""

    message_sid: str
    status: str
    error_code: str
    account_sid: str
    to: str

    @property
    def ours(self) -> str | None:
        """The status in our words, or None when it moves nothing."""
        return OUR_STATUS.get(self.status)


@dataclass(frozen=True, slots=True)
class Inbound:
    """Somebody wrote to us. Numbers are E.164 without the channel; `opt_out_type` is "" or STOP, START, HELP."""

    message_sid: str
    account_sid: str
    sender: str
    to: str
    body: str
    profile_name: str
    button_payload: str
    opt_out_type: str
    channel: Literal["whatsapp", "sms"] = "whatsapp"
    # Of the messaging service that took it, if one did.
    service: str = ""


def read_form(body: bytes) -> Form:
    """The fields of an `application/x-www-form-urlencoded` body. Malformed when it is none, or has too many."""
    try:
        return Form(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"))
    except ValueError as error:
        raise Malformed(f"not a form: {error}") from None


def parse_status(form: Mapping[str, str]) -> StatusUpdate:
    """Read a status callback. Malformed without a message's SID or a status."""
    status = form.get("MessageStatus") or form.get("SmsStatus") or ""
    if not status.isascii() or not status.isidentifier():
        raise Malformed(f"MessageStatus is {status!r:.80}")
    code = form.get("ErrorCode", "")
    return StatusUpdate(
        message_sid=_message_sid(form),
        status=status.lower(),
        error_code=code if _CODE.fullmatch(code) else "",
        account_sid=_text(form, "AccountSid"),
        to=_number(form, "To"),
    )


def parse_inbound(form: Mapping[str, str]) -> Inbound:
    """Read an inbound message. Malformed without its SID, its sender or whom it is for, both on one channel."""
    sender, to = _number(form, "From"), _number(form, "To")
    if not sender or not to:
        raise Malformed("From or To is missing")
    by_whatsapp = {_text(form, name).startswith(_WHATSAPP) for name in ("From", "To")}
    if len(by_whatsapp) > 1:
        raise Malformed("From and To are on two channels")
    return Inbound(
        message_sid=_message_sid(form),
        account_sid=_text(form, "AccountSid"),
        sender=sender,
        to=to,
        body=_text(form, "Body"),
        profile_name=_text(form, "ProfileName"),
        button_payload=_text(form, "ButtonPayload"),
        opt_out_type=_text(form, "OptOutType").upper(),
        channel="whatsapp" if True in by_whatsapp else "sms",
        service=_text(form, "MessagingServiceSid"),
    )


def opt_word(body: str) -> OptWord | None:
    """Whether a message is, as its only word, one that opts out, opts in, or asks for help."""
    word = body.strip().rstrip(".!?,;:…").rstrip().casefold()
    if word in OPT_OUT_WORDS:
        return "stop"
    if word in OPT_IN_WORDS:
        return "start"
    return "help" if word in HELP_WORDS else None


def _message_sid(form: Mapping[str, str]) -> str:
    sid = form.get("MessageSid") or form.get("SmsSid") or ""
    if not _SID.fullmatch(sid):
        raise Malformed(f"MessageSid is {sid!r:.80}")
    return sid


def _number(form: Mapping[str, str], name: str) -> str:
    return _text(form, name).removeprefix(_WHATSAPP)


def _text(form: Mapping[str, str], name: str) -> str:
    # PostgreSQL keeps no NUL in text, and nobody means one.
    return form.get(name, "").replace("\x00", "")
