"""One call of somebody to a provider: when it came, what became of it, and how the answer leaves."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from providers.sandbox.faults import Fate, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.sandbox.journal import Journal

JSON = "application/json"
HTML = "text/html; charset=utf-8"
_arrival = attrgetter("arrived_at")
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
class Entry:
    """What is kept of a call.

    `key` is what the caller knows it by: the attempt in its callback URL, or a template's name.
    """

    kind: str
    to: str | None
    key: str | None
    arrived_at: float
    outcome: str = "arrived"
    sid: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in Entry.__slots__}


class Call(NamedTuple):
    """A call under way. `act` does what was asked; `refuse` makes the provider's own 429 and 500."""

    entry: Entry
    fate: Fate
    slow: bool
    act: Callable[[Entry], Answer]
    refuse: Callable[[int], Answer]


@dataclass(slots=True)
class Exchange:
    """All calls to one provider, in order of arrival, and the settings that decide their fate."""

    provider: str
    journal: Journal
    settings: Settings = field(default_factory=Settings)
    entries: list[Entry] = field(default_factory=list)
    _tries: Counter[str] = field(default_factory=Counter)

    def arrive(
        self,
        kind: str,
        *,
        now: float,
        to: str | None,
        key: str | None,
        name: str,
        act: Callable[[Entry], Answer],
        refuse: Callable[[int], Answer],
    ) -> Call:
        """Note the start of a call.

        A call without a key draws by its `name` and by how often that was tried: a retry is another draw.
        """
        drawn = key
        if drawn is None:
            self._tries[name] += 1
            drawn = f"{name}|{self._tries[name]}"
        entry = Entry(kind, to, key, now)
        self.entries.append(entry)
        return Call(entry, self.settings.fate_of(drawn), self.settings.is_slow(drawn), act, refuse)

    def held_seconds(self, call: Call) -> float:
        """How long the call waits before anything happens."""
        return self.settings.accept_after_ms / 1000 if call.slow else 0.0

    def answer_seconds(self, call: Call) -> float:
        """How long after the arrival (and the hold) the answer leaves."""
        return (self.settings.latency_ms + (self.settings.slow_after_ms if call.slow else 0.0)) / 1000

    def settle(self, call: Call) -> Answer:
        """Do what was asked, unless fate is against it, and write down what happened."""
        answer = self._answer(call)
        self.journal.append({"p": self.provider, "k": "call", **call.entry.as_json()})
        return answer

    def _answer(self, call: Call) -> Answer:
        call.entry.outcome = str(call.fate)
        if call.fate is Fate.STATUS_429:
            refusal = call.refuse(429)
            return refusal._replace(headers=(("Retry-After", str(self.settings.retry_after_s)),))
        if call.fate is Fate.STATUS_500:
            return call.refuse(500)
        answer = call.act(call.entry)
        if answer.status >= 400:  # noqa: PLR2004  # an HTTP refusal of the provider's own outranks the fault
            call.entry.outcome = f"refused:{json.loads(answer.body).get('code', answer.status)}"
            return answer
        match call.fate:
            case Fate.STATUS_500_ACCEPTED:
                return call.refuse(500)
            case Fate.LOSE_RESPONSE:
                return answer._replace(hang_up=True)
            case Fate.GARBAGE:
                return Answer(200, GARBAGE, HTML)
        return answer

    def set(self, settings: Settings) -> None:
        self.settings = settings
        self.journal.append({"p": self.provider, "k": "settings", "settings": asdict(settings)})
        self.journal.flush()

    def remember(self, record: dict[str, Any]) -> None:
        """Take an entry, or settings, back from the journal."""
        if record["k"] == "settings":
            self.settings = Settings().changed(record["settings"])
            return
        self.entries.append(Entry(**{name: record[name] for name in Entry.__slots__}))

    def sort(self) -> None:
        """The journal is in the order of the answers; we list in the order of arrival."""
        self.entries.sort(key=_arrival)

    def since(self, moment: float) -> list[Entry]:
        """Calls that arrived at `moment` (epoch seconds) or later, in order of arrival."""
        return self.entries[bisect_left(self.entries, moment, key=_arrival) :]

    def forget(self) -> None:
        self.settings = Settings()
        self.entries.clear()
        self._tries.clear()
