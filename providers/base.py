"""What the rest of the house knows of any provider: what is asked, what may be answered, and in which words.

Every call that has an effect ends in one of three outcomes (`Outcome`) and raises nothing: done, not done,
unknown. A look-up has no effect; it answers, or raises `Unreachable`, after which nothing may be concluded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# What a refusal means beyond this one row. `opt_out`: the person wants no messages. `suppress`: the address
# cannot be reached on this channel. `pause_campaign`: everybody else of this campaign would be refused too.
# `pause_connection`: every call with these credentials would be. `slower`: we go faster than we may.
Effect: TypeAlias = Literal["none", "opt_out", "suppress", "pause_campaign", "pause_connection", "slower"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who calls. `account_id` and `secret` open the door; `sender` is the address messages come from."""

    account_id: str
    secret: str = field(repr=False)
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One templated message. `to` and `sender` are E.164; `sender` may be the provider's id of many senders.

    `variables` is numbered from "1". `key` is our attempt's id, sent as the idempotency key where the
    provider has one. `callback_url` is told what became of the message.
    """

    to: str
    sender: str
    content_sid: str
    variables: Mapping[str, str]
    key: str
    callback_url: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """Done: the provider has it, under its own id. `status` is in the provider's words."""

    provider_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Certainly not done. `retry`: the same call may succeed later, after `retry_after` seconds at least."""

    code: str
    message: str
    retry: bool = False
    retry_after: float | None = None
    effect: Effect = "none"


@dataclass(frozen=True, slots=True)
class Unknown:
    """Perhaps done: the call left, and no answer that can be trusted came back."""

    detail: str


Outcome: TypeAlias = Accepted | Refused | Unknown


class Unreachable(Exception):  # noqa: N818  (it is what happened, like TimeoutError's "timed out")
    """A look-up was not answered: nothing is known. `refused` when the provider said why."""

    def __init__(self, detail: str, refused: Refused | None = None) -> None:
        super().__init__(detail)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Found:
    """One thing the provider has, as it lists it. `at`: when it was taken; `key`: ours, if it keeps one."""

    provider_id: str
    status: str
    error_code: str
    at: datetime
    to: str
    key: str | None = None


class Messenger(Protocol):
    """Sends messages one at a time over pooled connections. `timeout`, `slowest` and `quiet` are seconds.

    `slowest` is the longest after which a call we gave up on may still take effect; `quiet` how long a
    message must be absent from the list before its absence is believed. `has_key`: the provider drops a
    second call with the same key. `can_list`: `find` works.
    """

    name: str
    timeout: float
    slowest: float
    quiet: float
    has_key: bool
    can_list: bool

    async def send(self, outgoing: Outgoing, credentials: Credentials) -> Outcome:
        """Send once, without any retry. Raises nothing; a cancelled call may have been sent."""
        ...

    async def find(self, to: str, sender: str, since: datetime, credentials: Credentials) -> list[Found]:
        """Every message from `sender` to `to` taken since `since` (aware), newest first.

        Clocks differ, so the list reaches a few seconds further back: leave out the ids you already know.
        May raise `Unreachable`.
        """
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


@dataclass(frozen=True, slots=True)
class TextMessage:
    """One SMS. `to` and `sender` are E.164; `sender` may be the provider's id of many senders, or letters.

    `key` is our attempt's id. `callback_url` is told what became of the message; "" for nobody.
    """

    to: str
    sender: str
    body: str
    key: str
    callback_url: str


class Texter(Protocol):
    """Sends SMS as a `Messenger` sends templates, with the same figures, and is asked in the same way."""

    name: str
    timeout: float
    slowest: float
    quiet: float
    has_key: bool
    can_list: bool

    async def send(self, text: TextMessage, credentials: Credentials) -> Outcome:
        """Send once, without any retry. Raises nothing; a cancelled call may have been sent."""
        ...

    async def find(self, to: str, sender: str, since: datetime, credentials: Credentials) -> list[Found]:
        """Every SMS from `sender` to `to` taken since `since` (aware), newest first; may raise `Unreachable`."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


@dataclass(frozen=True, slots=True)
class SendGridKey:
    """Who sends e-mail through SendGrid."""

    api_key: str = field(repr=False)


Security: TypeAlias = Literal["none", "starttls", "tls"]


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Who sends e-mail through a mail server. No username: no log-in."""

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    security: Security = "starttls"


MailCredentials: TypeAlias = SendGridKey | SmtpServer


@dataclass(frozen=True, slots=True)
class Email:
    """One e-mail to one person. `html` may be empty, `text` may not.

    `key` is our attempt's id. `headers` are further ones (List-Unsubscribe, List-Unsubscribe-Post). `metadata` comes
    back with every event where the provider reports any; the key is in it as `attempt`.
    """

    to: str
    to_name: str
    sender: str
    sender_name: str
    reply_to: str
    subject: str
    html: str
    text: str
    key: str
    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


class Mailer(Protocol):
    """Sends e-mail for any account. `timeout` (seconds) is the longest that `send` takes.

    No provider of e-mail can be asked afterwards: what is unknown stays unknown, and is never sent again by itself.
    """

    name: str
    timeout: float

    async def send(self, email: Email, credentials: MailCredentials) -> Outcome:
        """Hand over once, without any retry. Raises nothing; a cancelled call may have been sent."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


@dataclass(frozen=True, slots=True)
class Subscription:
    """One browser that takes our pushes, in the words of its `PushSubscription`: keys are base64url."""

    endpoint: str
    p256dh: str
    auth: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Push:
    """One notification to one browser. `url` opens on a click. `ttl`: seconds that a browser may be away."""

    subscription: Subscription
    title: str
    body: str
    url: str
    key: str
    ttl: int = 24 * 3600


class Pusher(Protocol):
    """Sends Web Push (RFC 8030). `timeout` (seconds) is the longest that `send` takes. It cannot be asked afterwards.

    A subscription that is gone is refused with the effect `suppress`: it alone is forgotten, not the person.
    """

    name: str
    timeout: float

    async def send(self, push: Push) -> Outcome:
        """Encrypt and send once, without any retry. Raises nothing; a cancelled call may have been sent."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


@dataclass(frozen=True, slots=True)
class ApprovalState:
    """What WhatsApp says of a template. `status` in its lower-case words (unsubmitted … disabled)."""

    status: str
    rejection_reason: str
    category: str


class TemplateReviewer(Protocol):
    """Hands templates to a provider and asks what became of them, for one account. Blocking."""

    def create_content(
        self, friendly_name: str, language: str, variables: Mapping[str, str], types: Mapping[str, Any]
    ) -> Outcome:
        """Create the template. `Accepted.provider_id` is its id; calling again makes a second one."""
        ...

    def find_content(self, friendly_name: str) -> str | None:
        """The id of the template of this name, or None; may raise `Unreachable`."""
        ...

    def request_approval(self, sid: str, name: str, category: str) -> Outcome:
        """Ask for a review under `name` (lower case, digits, `_`). `Accepted.status` is the review's."""
        ...

    def approval(self, sid: str) -> ApprovalState:
        """Where the review stands; may raise `Unreachable`."""
        ...

    def delete_content(self, sid: str) -> Outcome:
        """Remove the template; one that is already gone counts as removed."""
        ...
