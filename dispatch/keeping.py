"""What calls need and rarely changes (credentials, words): kept for a few seconds, looked up anew before it is old."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from dispatch.database import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

KEPT_SECONDS = 5.0


class Kept(Generic[T]):
    """`await kept.get(key)` is what the blocking `look(key)` answered, at most ten seconds ago. One a process."""

    def __init__(self, look: Callable[[int], T]) -> None:
        self.look = look
        self._kept: dict[int, tuple[float, T]] = {}
        self._looks: dict[int, asyncio.Task[T]] = {}

    async def get(self, key: int) -> T:
        """Raises what the look raised, when there is nothing fresh enough."""
        kept = self._kept.get(key)
        age = time.monotonic() - kept[0] if kept else math.inf
        if age > KEPT_SECONDS and key not in self._looks:
            # One look for all calls that need it now, not a database session for each.
            look = self._looks[key] = asyncio.create_task(self._look(key))
            look.add_done_callback(_noticed)
        if kept and age < 2 * KEPT_SECONDS:
            return kept[1]
        # A call that is given up must not take the others' look with it.
        return await asyncio.shield(self._looks[key])

    async def _look(self, key: int) -> T:
        try:
            found = await in_thread(self.look, key)
        finally:
            del self._looks[key]
        self._kept[key] = time.monotonic(), found
        return found


def _noticed(look: asyncio.Task[T]) -> None:
    """Whoever needs it is told; a look ahead that failed is made again."""
    if not look.cancelled():
        look.exception()
