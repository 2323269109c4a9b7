"""Slots: how many calls may start in the next moment, and when each. A GCRA without burst, shared by all senders.

`dispatch_pace.next_slot` is the time of the next free slot of one sender (or one scope). Taking k slots moves it by
k / rate under the row's lock, so any number of processes together never exceed the rate.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import tuple_row

if TYPE_CHECKING:
    from psycopg import AsyncConnection

# Slots are given out this far ahead: long enough to bridge a turn, short enough for a pause.
WINDOW_SECONDS = 0.1
# No slot is nearer than this: a call that is opened late (a slow commit) still starts in its own slot, not in a bunch.
LEAD_SECONDS = 0.05
# So that no window of one second, wherever it is laid, holds more than the rate.
SAFETY = 0.985
# How fast two clocks may drift apart, in seconds a second.
DRIFT = 0.0001

ENSURE = """
INSERT INTO dispatch_pace (provider, sender, next_slot) VALUES (%(provider)s, %(key)s, now()) ON CONFLICT DO NOTHING
"""

TAKE = """
WITH pace AS (
    SELECT id, greatest(next_slot, clock_timestamp() + make_interval(secs => %(lead)s)) AS base FROM dispatch_pace
    WHERE provider = %(provider)s AND sender = %(key)s FOR UPDATE
), share AS (
    SELECT id, base, greatest(0, least(%(want)s, ceil(
        extract(epoch FROM clock_timestamp() + make_interval(secs => %(window)s) - base) * %(rate)s)))::int AS n
    FROM pace
)
UPDATE dispatch_pace d SET next_slot = share.base + make_interval(secs => share.n / %(rate)s::float8)
FROM share WHERE d.id = share.id
RETURNING share.n, extract(epoch FROM share.base)::float8, extract(epoch FROM clock_timestamp())::float8
"""

RETURN = """
UPDATE dispatch_pace SET next_slot = next_slot - make_interval(secs => %(n)s / %(rate)s::float8)
WHERE provider = %(provider)s AND sender = %(key)s
"""


@dataclass(frozen=True, slots=True)
class Slots:
    """`n` slots, the first at `first` (local monotonic seconds), `step` seconds apart; with n = 0, when the next is."""

    n: int
    first: float
    step: float

    def at(self, index: int) -> float:
        return self.first + index * self.step


@dataclass(frozen=True, slots=True)
class Rate:
    """One schedule: `key` names it, `per_second` is its rate."""

    key: str
    per_second: float


class Clock:
    """What our own monotonic clock shows at a moment of the database's clock.

    An answer takes its time, so ours always seems late; the least that was ever seen is nearest to the truth.
    """

    def __init__(self) -> None:
        self._ahead = math.inf
        self._seen_at = 0.0

    def see(self, theirs: float) -> None:
        """`theirs` (seconds since 1970) was read a moment before now."""
        now = time.monotonic()
        self._ahead = min(self._ahead + DRIFT * (now - self._seen_at), now - theirs)
        self._seen_at = now

    def ours(self, theirs: float) -> float:
        """The monotonic seconds at that moment of theirs. Meaningless before the first `see`."""
        return theirs + self._ahead


async def take(connection: AsyncConnection[Any], provider: str, rates: list[Rate], want: int, clock: Clock) -> Slots:
    """Take up to `want` slots from every schedule in `rates`; without schedules all start now.

    Every caller names the scope's schedule before the sender's, so that two never wait for each other.
    """
    if not rates:
        return Slots(want, time.monotonic(), 0.0)
    # In one transaction: what is given back must still be the last that was taken.
    async with connection.transaction():
        return await _take_all(connection, provider, rates, want, clock)


async def _take_all(
    connection: AsyncConnection[Any], provider: str, rates: list[Rate], want: int, clock: Clock
) -> Slots:
    slots = Slots(want, time.monotonic(), 0.0)
    taken: list[tuple[Rate, int]] = []
    for rate in rates:
        if slots.n == 0:
            break
        slots = await _take_one(connection, provider, rate, slots, clock)
        taken.append((rate, slots.n))
    for rate, n in taken:
        if n > slots.n:
            await connection.execute(RETURN, _names(provider, rate) | {"n": n - slots.n})
    return slots


async def _take_one(connection: AsyncConnection[Any], provider: str, rate: Rate, before: Slots, clock: Clock) -> Slots:
    names = _names(provider, rate)
    given = None
    cursor = connection.cursor(row_factory=tuple_row)
    while given is None:
        await cursor.execute(TAKE, names | {"want": before.n, "window": WINDOW_SECONDS, "lead": LEAD_SECONDS})
        given = await cursor.fetchone()
        if given is None:
            await connection.execute(ENSURE, names)
    clock.see(given[2])
    return Slots(int(given[0]), max(clock.ours(given[1]), before.first), max(1 / names["rate"], before.step))


def _names(provider: str, rate: Rate) -> dict[str, Any]:
    return {"provider": provider, "key": rate.key, "rate": rate.per_second * SAFETY}
