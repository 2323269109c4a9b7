"""One message, and where it stands: its status follows from the clock, so nothing has to be kept moving."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from providers.sandbox.twilio.errors import message_of

API = "/2010-04-01"
FAILING = {"failed": ("failed",), "undelivered": ("sent", "undelivered")}
FINAL = frozenset({"delivered", "read", "undelivered", "failed", "canceled", "received"})


@lru_cache(maxsize=4096)
def rfc2822(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC))


def phone_of(address: str) -> str:
    """The bare number of `whatsapp:+1555…` or `+1555…`."""
    return address.rpartition(":")[2]


@dataclass(slots=True)
class Message:
    """`at`, `due` are epoch seconds: accepted, and to be sent (later than `at` only when scheduled)."""

    n: int
    sid: str
    account: str
    to: str
    sender: str | None
    at: float
    due: float
    direction: str = "outbound-api"
    service: str | None = None
    body: str = ""
    media: tuple[str, ...] = ()
    content_sid: str | None = None
    content_variables: str | None = None
    callback: str | None = None
    token: str = ""
    key: str | None = None
    step: float = 0.0  # seconds from one status to the next
    ending: str = "delivered"
    error_code: int | None = None
    outcome: str = "accepted"
    settled: str = ""  # a status that no longer follows the clock
    redacted: bool = False
    deleted: bool = False
    called_back: bool = False

    @classmethod
    def read(cls, record: dict[str, Any]) -> Message:
        known = {each.name: record[each.name] for each in fields(cls)}
        return cls(**(known | {"media": tuple(known["media"])}))

    def as_record(self) -> dict[str, Any]:
        return {"p": "twilio", "k": "message", **{name: getattr(self, name) for name in _NAMES}}

    @property
    def walk(self) -> tuple[str, ...]:
        """The statuses it will pass, in order."""
        if self.ending in FAILING:
            return FAILING[self.ending]
        return ("sent", "delivered", "read") if self.ending == "read" else ("sent", "delivered")

    @property
    def person(self) -> str:
        return phone_of((self.sender or "") if self.direction == "inbound" else self.to)

    @property
    def values(self) -> dict[str, str]:
        given: dict[str, str] = json.loads(self.content_variables or "{}")
        return given

    def status(self, now: float) -> str:
        if self.settled:
            return self.settled
        taken = self._steps(now) if now >= self.due else 0
        return self.walk[taken - 1] if taken else self.initial_status(now)

    def initial_status(self, now: float) -> str:
        """What it is before anything was done about it."""
        if now < self.due:
            return "scheduled"
        return "accepted" if self.service else "queued"

    def _steps(self, now: float) -> int:
        if not self.step:
            return len(self.walk)
        return min(int((now - self.due) / self.step), len(self.walk))

    def as_resource(self, status: str) -> dict[str, Any]:
        """Twilio's JSON of this message in `status`."""
        uri = f"{API}/Accounts/{self.account}/Messages/{self.sid}"
        begun = status not in {"queued", "accepted", "scheduled", "canceled"}
        failed = status in FAILING
        return {
            "account_sid": self.account,
            "api_version": "2010-04-01",
            "body": "" if self.redacted else self.body,
            "date_created": rfc2822(int(self.at)),
            "date_sent": rfc2822(int(self.due)) if begun else None,
            "date_updated": rfc2822(int(self.at)),
            "direction": self.direction,
            "error_code": self.error_code if failed else None,
            "error_message": message_of(self.error_code) if failed and self.error_code else None,
            "from": self.sender,
            "messaging_service_sid": self.service,
            "num_media": str(len(self.media)),
            "num_segments": "0" if status == "scheduled" else "1",
            "price": None,
            "price_unit": None,
            "sid": self.sid,
            "status": status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": self.to,
            "uri": f"{uri}.json",
        }

    def as_log_entry(self, now: float) -> dict[str, Any]:
        """The sandbox's own record: what was asked for, even when it was redacted or deleted since."""
        return {
            "sid": self.sid,
            "account_sid": self.account,
            "to": self.to,
            "from": self.sender,
            "key": self.key,
            "body": self.body,
            "content_sid": self.content_sid,
            "content_variables": self.content_variables,
            "at": self.at,
            "status": self.status(now),
            "outcome": self.outcome,
        }


_NAMES = tuple(each.name for each in fields(Message))
