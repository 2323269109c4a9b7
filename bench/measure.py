"""How every bench measures: pairs in alternating order, ratios within a pair, the median of them, and its bar."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PAIRS = 5


@dataclass(frozen=True)
class Figure:
    """The ratios of one comparison. `at_least` is the bar of a rate, `at_most` that of a cost."""

    name: str
    ratios: list[float]
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.ratios)

    @property
    def holds(self) -> bool:
        enough = self.at_least is None or self.median >= self.at_least
        return enough and (self.at_most is None or self.median <= self.at_most)

    def __str__(self) -> str:
        bar = f"≥ {self.at_least:.2f}" if self.at_least is not None else ""
        bar = f"≤ {self.at_most:.2f}" if self.at_most is not None else bar
        spread = f"{min(self.ratios):.2f}–{max(self.ratios):.2f}"
        verdict = ("holds" if self.holds else "MISSED") if bar else ""
        return f"{self.name:<58} {self.median:>6.3f}  {spread:<11} {bar:<7} {verdict:<7} {self.note}".rstrip()


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternate(limit: Callable[[], float], ours: Callable[[], float], pairs: int = PAIRS) -> list[tuple[float, float]]:
    """Run both `pairs` times in alternating order; each returns its own seconds, set-up left out.

    One round before that is not counted: it warms caches and plans.
    """
    limit(), ours()
    found = []
    for number in range(pairs):
        if number % 2:
            mine = ours()
            found.append((limit(), mine))
        else:
            found.append((limit(), ours()))
    return found


def rates(timed: list[tuple[float, float]]) -> list[float]:
    """Our rate as a multiple of the limit's, pair by pair."""
    return [limit / ours for limit, ours in timed]


def costs(timed: list[tuple[float, float]]) -> list[float]:
    """The time we take beyond the limit's, as a share of it, pair by pair."""
    return [ours / limit - 1 for limit, ours in timed]


def report(title: str, figures: list[Figure]) -> int:
    """Print the figures; returns how many missed their bar."""
    print(f"\n{title}")
    for figure in figures:
        print(f"  {figure}")
    return sum(not figure.holds for figure in figures)
