"""What providers say in their webhooks, read into our words.

At the door only the name and the identity of each event are read; what it says is read when it is applied. Besides its
own payload each provider may be spoken for in the generic one: {"event_type": "email.opened", "email", "campaign_id",
"timestamp"}.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from accounts.connections import NAMES
from campaigns_project.api import parse_json
from campaigns_project.refusals import InvalidJSON, Refusal
from crm.customers.feedback import Feedback
from crm.events import Happened
from crm.models import Channel
from crm.phones import normalise
from providers.twilio import Malformed, read_form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MIB = 1024 * 1024
FORM = "application/x-www-form-urlencoded"
LONGEST_IDENTITY = 100
LONGEST_ADDRESS = 254
# No stricter: the provider has written to it.
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
MILLISECONDS = 1000
BLOCKED = "blocked"


class Unreadable(ValueError):  # noqa: N818 (what the payload is)
    """A genuine webhook that does not say what its kind must say; it becomes a dead letter."""


@dataclass(frozen=True)
class Provider:
    """`events` are those that are counted (the seed's table); `words` what the provider itself calls ours."""

    name: str
    channel: str
    events: tuple[str, ...]
    words: Mapping[str, str]
    largest: int = MIB


PROVIDERS = {
    "sendgrid": Provider(
        NAMES["sendgrid"],
        Channel.EMAIL,
        ("delivered", "opened", "clicked", "bounced", "unsubscribed"),
        {"open": "opened", "click": "clicked", "bounce": "bounced", "dropped": "bounced", "spamreport": "spam",
         "unsubscribe": "unsubscribed", "group_unsubscribe": "unsubscribed"},
        5 * MIB,
    ),
    "twilio": Provider(
        NAMES["twilio"],
        Channel.SMS,
        ("delivered", "failed"),
        {"undelivered": "failed", "canceled": "failed", "partially_delivered": "delivered"},
    ),
    "mailchimp": Provider(
        NAMES["mailchimp"],
        Channel.EMAIL,
        ("subscribed", "unsubscribed", "campaign_sent"),
        {"subscribe": "subscribed", "unsubscribe": "unsubscribed", "campaign": "campaign_sent"},
    ),
    "hubspot": Provider(
        NAMES["hubspot"],
        Channel.EMAIL,
        ("contact_created", "form_submitted"),
        {"contact.creation": "contact_created", "form.submission": "form_submitted"},
    ),
}  # fmt: skip
# What providers say, by the field that holds the name of the event.
_NAMED_BY = {"sendgrid": "event", "twilio": "MessageStatus", "mailchimp": "type", "hubspot": "subscriptionType"}
# Of a form in HubSpot's contact: our name for what it says, and what of that is kept.
_OF_FORMS = {"event_id": "conversion-id", "form_id": "form-id", "form": "title", "page": "page-url"}
ABOUT = ("form_id", "form", "page")
# Of nobody we wrote to: they are kept in the stream as they are.
_NO_FEEDBACK = {"campaign_sent", "contact_created", "form_submitted"}
_FEEDBACK = {
    "sent",
    "delivered",
    "opened",
    "clicked",
    "bounced",
    "failed",
    "unsubscribed",
    "subscribed",
    "spam",
    "dropped",
}


def items_of(body: bytes, *, form: bool) -> list[Any]:
    """The events of a body: an object or a form is one, an array has many. Raises InvalidJSON."""
    if form:
        if b"\x00" in body:
            raise InvalidJSON("The body is not a form.")
        try:
            return [dict(read_form(body))]
        except Malformed:
            raise InvalidJSON("The body is not a form.") from None
    found = parse_json(body, any_value=True)
    return found if isinstance(found, list) else [found]


def said_by(provider: str, item: Any) -> Any:
    """The item, or what it says in the generic payload.

    HubSpot has no webhook for a form: a workflow sends the contact (https://legacydocs.hubspot.com/docs/methods/contacts,
    `vid`, `properties`, `form-submissions`), and the latest submission in it is what has happened.
    """
    if provider != "hubspot" or not isinstance(item, dict) or "event_type" in item:
        return item
    sent = [
        form for form in map(_object, _list(item.get("form-submissions"))) if isinstance(form.get("timestamp"), int)
    ]
    if not sent:
        return item
    last = max(sent, key=itemgetter("timestamp"))
    said = {name: last.get(key) for name, key in _OF_FORMS.items()}
    said["email"] = _object(_object(item.get("properties")).get("email")).get("value")
    told: dict[str, Any] = {name: value for name, value in said.items() if isinstance(value, str)}
    return told | {"event_type": "form_submitted", "timestamp": last["timestamp"] // MILLISECONDS}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def name_of(provider: str, item: Any) -> str:
    """What happened, in our word where we have one: `opened`. "" when the item does not say."""
    item = said_by(provider, item)
    if not isinstance(item, dict):
        return ""
    generic = item.get("event_type")
    said = generic if isinstance(generic, str) else item.get(_NAMED_BY[provider])
    if not isinstance(said, str) or not said.isascii():
        return ""
    word = said.rpartition(".")[2] if generic == said else said.lower()
    return PROVIDERS[provider].words.get(word, word)[:40]


def is_counted(provider: str, item: Any) -> bool:
    """Whether the event is one of the provider's table."""
    return name_of(provider, item) in PROVIDERS[provider].events


def identity_of(provider: str, item: Any, attempt: str = "") -> str:
    """What makes two deliveries the same event: the provider's own id, else all that it says."""
    item = said_by(provider, item)
    if isinstance(item, dict):
        said = _IDENTIFIED_BY[provider](item, attempt) or item.get("event_id")
        if said and isinstance(said, (str, int)):
            own = str(said)
            return own if len(own) <= LONGEST_IDENTITY and own.isascii() and own.isprintable() else _digest(own)
    return _digest(json.dumps(item, sort_keys=True))


def _message_and_status(item: Mapping[str, Any], attempt: str) -> str:
    return ":".join(map(str, filter(None, (item.get("MessageSid"), item.get("MessageStatus"), attempt))))


_IDENTIFIED_BY: Mapping[str, Callable[[Mapping[str, Any], str], Any]] = {
    "sendgrid": lambda item, _: item.get("sg_event_id"),
    "twilio": _message_and_status,
    "mailchimp": lambda _item, _attempt: None,
    "hubspot": lambda item, _: item.get("eventId"),
}


def read(provider: str, item: Any, *, received_at: datetime, attempt: str = "") -> Feedback | Happened | None:
    """What an item says; None when it is nothing that we act on. Raises Unreadable."""
    item = said_by(provider, item)
    name = name_of(provider, item)
    if not name:
        raise Unreadable("It does not name its event.")
    # Nothing that was reported has happened later than we heard of it.
    at = min(_moment(provider, item, received_at), received_at)
    key = f"{provider}:{identity_of(provider, item, attempt)}"
    if name in _NO_FEEDBACK:
        about = {each: item[each] for each in ABOUT if isinstance(item.get(each), str)}
        email = _email(item) if _known(item) else ""
        return Happened(key, f"{provider}.{name}", email=email, occurred_at=at, properties=about)
    if name not in _FEEDBACK:
        return None
    channel = channel_of(provider, item)
    return Feedback(
        channel=channel,
        event=_event(provider, item, name),
        address=_address(item, channel),
        at=at,
        key=key,
        attempt=_attempt(attempt or item.get("attempt")),
        provider_id=_text(item, "sg_message_id", "MessageSid"),
        campaign=_text(item, "campaign_id", "data[campaign_id]"),
        url=_text(item, "url"),
        bot=item.get("sg_machine_open") is True,
        code=_text(item, "ErrorCode", "status", "reason", "data[reason]")[:40],
    )


def _event(provider: str, item: Mapping[str, Any], name: str) -> str:
    """A bounce that is only a block, or a letter that was never tried, says nothing of the address."""
    if provider == "sendgrid" and (item.get("event") == "dropped" or item.get("type") == BLOCKED):
        return "dropped"
    return name


def channel_of(provider: str, item: Mapping[str, Any]) -> str:
    """The channel an event is about: the generic payload names it, a provider has one."""
    said = str(item.get("event_type", "")).partition(".")[0]
    return said if said in (Channel.EMAIL, Channel.SMS, Channel.PUSH) else PROVIDERS[provider].channel


def _known(item: Mapping[str, Any]) -> bool:
    return "email" in item or "data[email]" in item


def _address(item: Mapping[str, Any], channel: str) -> str:
    if channel == Channel.EMAIL:
        return _email(item)
    try:
        return normalise(_text(item, "To", "phone"))
    except Refusal as refusal:
        raise Unreadable("It has no phone number.") from refusal


def _email(item: Mapping[str, Any]) -> str:
    address = _text(item, "email", "data[email]").strip()
    if len(address) > LONGEST_ADDRESS or not address.isprintable() or not _ADDRESS.fullmatch(address):
        raise Unreadable("It has no e-mail address.")
    return address


def _text(item: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that holds a text."""
    return next((str(item[name])[:2000] for name in names if isinstance(item.get(name), str | int)), "")


def _attempt(said: Any) -> UUID | None:
    with suppress(ValueError):
        return UUID(said) if isinstance(said, str) else None
    return None


def _moment(provider: str, item: Mapping[str, Any], received_at: datetime) -> datetime:
    """When it happened, by what the item says; when it came, if it does not say."""
    said = item.get("timestamp", item.get("occurredAt", item.get("fired_at")))
    if said in (None, ""):
        return received_at
    try:
        at = _read_moment(said, MILLISECONDS if provider == "hubspot" and "occurredAt" in item else 1)
    except (ValueError, OverflowError, OSError) as error:
        raise Unreadable("It does not say when it happened.") from error
    if not EARLIEST <= at < LATEST:
        raise Unreadable("It says a time that cannot be.")
    return at


def _read_moment(said: Any, unit: int) -> datetime:
    if isinstance(said, int | float):
        return datetime.fromtimestamp(said / unit, UTC)
    if isinstance(said, str) and said.isascii() and said.isdigit():
        return datetime.fromtimestamp(int(said[:15]) / unit, UTC)
    at = datetime.fromisoformat(str(said))
    # Mailchimp's clock is in UTC and does not say so.
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _digest(text: str) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()
