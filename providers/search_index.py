"""What may be asked of a search index, and told to it. A call that is not answered raises `Unreachable`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Sought:
    """What somebody of `account` searches for; whatever is given must hold.

    `words` are beginnings of words, in lower case; a document in `named` is found without them. `terms` names allowed
    values, `ranges` the bounds of a moment, both of them included. `order` is a field, with `-` for the last first;
    what has none comes last, and equals stand by id.
    """

    account: int
    words: Sequence[str] = ()
    named: Sequence[str] = ()
    terms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[datetime | None, datetime | None]] = field(default_factory=dict)
    order: str = "-created_at"
    offset: int = 0
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Hits:
    """The ids of one page, in order, and how many there are in all."""

    ids: Sequence[str]
    total: int


class SearchIndex(Protocol):
    """Finds documents of an account by their words."""

    name: str

    def search(self, sought: Sought) -> Hits:
        """May raise `Unreachable`."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """One document as it stands, or its end when there are no `fields`. A lower `version` never replaces a higher."""

    id: str
    version: int
    fields: Mapping[str, Any] | None = None


class FedIndex(SearchIndex, Protocol):
    """A search index that is told what there is. Blocking."""

    def prepare(self) -> bool:
        """Make the index unless it is there; whether it was made, and so is empty. May raise `Unreachable`."""
        ...

    def put(self, documents: Sequence[Document]) -> None:
        """Take documents in; when this returns they are found. Raises `Unreachable` when any was not taken."""
        ...

    def count(self) -> int:
        """How many documents it holds. May raise `Unreachable`."""
        ...
