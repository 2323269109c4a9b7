"""One call of somebody to a provider: when it came, what became of it, and how the answer leaves."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from providers.sandbox.faults import Fate, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.sandbox.journal import Journal

JSON = "application/json"
HTML = "text/html; charset=utf-8"
GARBAGE = b"<!doctype html><title>Bad gateway</title><h1>Something in between answered instead</h1>"


class Answer(NamedTuple):
    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    hang_up: bool = False

    @classmethod
    def of(cls, status: int, document: Any) -> Answer:
        return cls(status, json.dumps(document).encode())


@dataclass(slots=True)
class Call:
    """`key` is what the caller can find the call by: the attempt in its callback URL, or a template's name."""

    kind: str
    to: str | None
    key: str | None
    arrived_at: float
    fate: Fate
    slow: bool
    act: Callable[[], Answer]
    refuse: Callable[[int], Answer]
    outcome: str = "arrived"
    sid: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "to": self.to,
            "key": self.key,
            "arrived_at": self.arrived_at,
            "outcome": self.outcome,
            "sid": self.sid,
        }


def _gone() -> Answer:
    raise AssertionError("a call read back from the journal is over")


def _refused(_status: int) -> Answer:
    raise AssertionError("a call read back from the journal is over")


@dataclass(slots=True)
class Exchange:
    """All calls to one provider, in order of arrival, and the settings that decide their fate."""

    provider: str
    journal: Journal
    settings: Settings = field(default_factory=Settings)
    calls: list[Call] = field(default_factory=list)
    _tries: Counter[str] = field(default_factory=Counter)

    def arrive(
        self,
        kind: str,
        *,
        now: float,
        to: str | None,
        key: str | None,
        name: str,
        act: Callable[[], Answer],
        refuse: Callable[[int], Answer],
    ) -> Call:
        """Note the start of a call. `act` does what was asked; `refuse` makes the provider's own 429 and 500.

        A call without a key draws by its `name` and by how often that was tried, so that a retry is another draw.
        """
        drawn = key
        if drawn is None:
            self._tries[name] += 1
            drawn = f"{name}|{self._tries[name]}"
        call = Call(
            kind, to, key, now, self.settings.fate_of(drawn), self.settings.is_slow(drawn), act=act, refuse=refuse
        )
        self.calls.append(call)
        return call

    def held_seconds(self, call: Call) -> float:
        """How long the call waits before anything happens."""
        return self.settings.accept_after_ms / 1000 if call.slow else 0.0

    def answer_seconds(self, call: Call) -> float:
        """How long after the arrival (and the hold) the answer leaves."""
        return (self.settings.latency_ms + (self.settings.slow_after_ms if call.slow else 0.0)) / 1000

    def settle(self, call: Call) -> Answer:
        """Do what was asked, unless fate is against it, and write down what happened."""
        answer = self._answer(call)
        self.journal.append({"p": self.provider, "k": "call", **call.as_json()})
        return answer

    def _answer(self, call: Call) -> Answer:
        call.outcome = str(call.fate)
        if call.fate is Fate.STATUS_429:
            refusal = call.refuse(429)
            return refusal._replace(headers=(("Retry-After", str(self.settings.retry_after_s)),))
        if call.fate is Fate.STATUS_500:
            return call.refuse(500)
        answer = call.act()
        if answer.status >= 400:  # noqa: PLR2004  # an HTTP refusal of the provider's own outranks the fault
            call.outcome = f"refused:{json.loads(answer.body)['code']}"
            return answer
        match call.fate:
            case Fate.STATUS_500_ACCEPTED:
                return call.refuse(500)
            case Fate.LOSE_RESPONSE:
                return answer._replace(hang_up=True)
            case Fate.GARBAGE:
                return Answer(200, GARBAGE, HTML)
        return answer

    def remember(self, record: dict[str, Any]) -> None:
        """Take a call back from the journal."""
        self.calls.append(
            Call(
                record["kind"], record["to"], record["key"], record["arrived_at"],
                Fate.ACCEPTED, slow=False, act=_gone, refuse=_refused, outcome=record["outcome"], sid=record["sid"],
            )
        )  # fmt: skip

    def since(self, moment: float) -> list[Call]:
        """Calls that arrived at `moment` (epoch seconds) or later, in order of arrival."""
        return self.calls[bisect_left(self.calls, moment, key=lambda call: call.arrived_at) :]

    def forget(self) -> None:
        self.settings = Settings()
        self.calls.clear()
        self._tries.clear()
