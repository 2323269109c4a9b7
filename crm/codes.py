"""Codes for people: each gets one of their own out of a pool, and the same one whenever somebody asks again.

Who has pools registers here in `AppConfig.ready()`; whoever writes to people asks here and knows nobody above.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from campaigns_project.refusals import Conflict

if TYPE_CHECKING:
    from collections.abc import Sequence


class NoCodes(Conflict):
    code = "no_codes"
    message = "Nobody has codes to give out here."


class Pool(NamedTuple):
    """A pool as people know it; `closed` says why its codes would be refused now, "" when they count."""

    id: str
    name: str
    closed: str
    sample: str


class CodeSource(Protocol):
    """Pools of codes. A holder is a customer's public id, or the keyed hash of who else it is."""

    def pool(self, account_id: int, pool: str) -> Pool | None:
        """The account's pool of this id, or None."""
        ...

    def pools(self, account_id: int) -> list[Pool]:
        """The account's pools that may be chosen, the newest first."""
        ...

    def stock(self, account_id: int, pool: str, *, at_most: int) -> int:
        """How many codes nobody has yet, counted up to `at_most`."""
        ...

    def hand_out(self, account_id: int, pool: str, holders: Sequence[str], *, purpose: str) -> int:
        """Give each holder one code unless they have one; returns how many got a new one. Part of the caller's
        transaction. When the pool is empty the last of them get none.
        """
        ...

    def give_back(self, account_id: int, pool: str, holders: Sequence[str], *, purpose: str) -> int:
        """Take back what was handed out for this purpose and never used; returns how many."""
        ...

    def held_sql(self, pool: str, holder: str) -> str:
        """SQL of the code that a holder has and may still use, or null; both arguments are SQL expressions."""
        ...


_sources: list[CodeSource] = []


def register(source: CodeSource) -> None:
    """Who gives out codes. Call this in AppConfig.ready()."""
    _sources[:] = [source]


def source() -> CodeSource:
    """Whoever gives out codes. Raises NoCodes."""
    if not _sources:
        raise NoCodes
    return _sources[0]
