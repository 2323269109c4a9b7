"""The e-mails a provider took: kept in memory and in the journal; what becomes of each follows from its address."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from html import unescape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from providers.sandbox.exchange import Exchange
    from providers.sandbox.faults import Settings

_TAG = re.compile(r"\+([a-z]+)@")
_LINK = re.compile(r"https?://[^\s\"'<>]+")
# What happens to an e-mail to `…+word@…`; to others nobody objects.
STORIES = {
    "bounce": ("processed", "bounce"),
    "blocked": ("processed", "blocked"),
    "dropped": ("dropped",),
    "deferred": ("processed", "deferred", "delivered"),
    "delivered": ("processed", "delivered"),
    "open": ("processed", "delivered", "open"),
    "click": ("processed", "delivered", "open", "click"),
    "unsubscribe": ("processed", "delivered", "open", "unsubscribe"),
    "spamreport": ("processed", "delivered", "spamreport"),
}


def tag_of(address: str) -> str:
    """The word after the plus of an address, or ""."""
    found = _TAG.search(address)
    return found[1] if found else ""


@dataclass(slots=True)
class Letter:
    """One e-mail that was taken. `story` are the events it will have; `told` how many of them were told."""

    id: str
    account: str
    at: float
    to: str
    sender: str
    subject: str
    text: str
    html: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    key: str | None = None
    story: tuple[str, ...] = ()
    step: float = 0.0  # seconds between two events
    told: int = 0
    outcome: str = "accepted"

    @property
    def link(self) -> str:
        """The first address that a person could click on."""
        found = _LINK.search(self.html or self.text)
        return unescape(found[0]) if found else ""

    def as_log_entry(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name not in {"step", "told"}}


def story_of(letter: Letter, settings: Settings) -> tuple[str, ...]:
    """What its address says; else it is delivered, perhaps read, and perhaps somebody clicks."""
    if letter.story:
        return letter.story
    if story := STORIES.get(tag_of(letter.to)):
        return story
    key = letter.key or letter.id
    story = ("processed", "delivered")
    if settings.draw("read", key) < settings.read_share:
        story += ("open",)
        if letter.link and settings.draw("click", key) < settings.click_share:
            story += ("click",)
    return story


@dataclass(slots=True)
class Letters:
    """All e-mails of one provider, oldest first."""

    exchange: Exchange
    all: dict[str, Letter] = field(default_factory=dict)

    def accept(self, letter: Letter) -> None:
        self.all[letter.id] = letter
        self.exchange.journal.append({"p": self.exchange.provider, "k": "letter", **asdict(letter)})

    def told(self, letter: Letter) -> None:
        """One more event of `letter` was told."""
        letter.told += 1
        self.exchange.journal.append({"p": self.exchange.provider, "k": "told", "id": letter.id, "told": letter.told})

    def replay(self, record: dict[str, Any]) -> None:
        if record["k"] == "told":
            self.all[record["id"]].told = record["told"]
        else:
            known = {name: value for name, value in record.items() if name not in {"p", "k"}}
            self.all[record["id"]] = Letter(**(known | {"story": tuple(known["story"])}))

    def log(self, *, since: float, to: str, key: str) -> list[dict[str, Any]]:
        return [letter.as_log_entry() for letter in self._found(since, to, key)]

    def _found(self, since: float, to: str, key: str) -> Iterator[Letter]:
        for letter in self.all.values():
            if letter.at >= since and to in ("", letter.to) and key in ("", letter.key):
                yield letter

    def summary(self) -> dict[str, Any]:
        """Counts since the last reset; `doubled` counts acceptances too many of one subject by one person."""
        letters = list(self.all.values())
        return {
            "accepted": len(letters),
            "people": len({letter.to for letter in letters}),
            "doubled": len(letters) - len({(letter.to, letter.subject) for letter in letters}),
            "keys": len({letter.key for letter in letters if letter.key}),
            "calls": len(self.exchange.entries),
            "outcomes": dict(Counter(f"{entry.kind}:{entry.outcome}" for entry in self.exchange.entries)),
        }
