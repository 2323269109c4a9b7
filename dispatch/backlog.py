"""What one sender has taken to work on: leases, the ids still to be opened, scope by scope in turn."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass
class Scope:
    """The ids of one scope still to be opened, and at which rates."""

    scope_id: int
    sender_rate: float | None = None
    scope_rate: float | None = None
    sender: str = ""
    # Nobody else may open calls to its people at the same time.
    alone: bool = False
    # Its rates have no slot for it before (monotonic seconds).
    again_at: float = 0.0
    ids: deque[tuple[int, int]] = field(default_factory=deque)  # (row id, lease id)


class Backlog:
    """Leases taken and their rows. A lease is finished when each of its rows has been dealt with."""

    def __init__(self) -> None:
        self.scopes: OrderedDict[int, Scope] = OrderedDict()
        self._left: dict[int, int] = {}
        self._lease_of: dict[int, int] = {}
        self._present: set[int] = set()
        self.finished: list[int] = []

    def __len__(self) -> int:
        return sum(len(scope.ids) for scope in self.scopes.values())

    def add(self, lease_id: int, scope: Scope, row_ids: Iterable[int]) -> None:
        """Take on a lease; one without rows is finished at once."""
        mine = self.scopes.setdefault(scope.scope_id, scope)
        mine.sender, mine.sender_rate, mine.scope_rate = scope.sender, scope.sender_rate, scope.scope_rate
        mine.alone = scope.alone
        # A row may stand in two leases; it is worked on once.
        rows = [(row_id, lease_id) for row_id in row_ids if row_id not in self._present]
        self._present.update(row_id for row_id, _ in rows)
        mine.ids.extend(rows)
        self._left[lease_id] = len(rows)
        if not rows:
            self._finish(lease_id)

    def turn(self) -> list[Scope]:
        """The scopes that have rows, the one served last at the end."""
        if self.scopes:
            self.scopes.move_to_end(next(iter(self.scopes)))
        return [scope for scope in self.scopes.values() if scope.ids]

    def draw(self, scope: Scope, n: int) -> list[int]:
        """Up to `n` row ids of one scope, to be opened now and dealt with by `dealt_with`."""
        drawn = [scope.ids.popleft() for _ in range(min(n, len(scope.ids)))]
        self._lease_of.update(drawn)
        return [row_id for row_id, _ in drawn]

    def dealt_with(self, row_ids: Iterable[int]) -> None:
        for row_id in row_ids:
            lease_id = self._lease_of.pop(row_id, None)
            self._present.discard(row_id)
            if lease_id in self._left:
                self._left[lease_id] -= 1
                if not self._left[lease_id]:
                    self._finish(lease_id)

    def let_go(self, scope_id: int) -> list[int]:
        """Forget a scope that may not send now; returns its unfinished leases, which go back to the pool."""
        scope = self.scopes.pop(scope_id, None)
        if scope is None:
            return []
        return self._forget({lease_id for _, lease_id in scope.ids})

    def let_go_of_rows(self, row_ids: Iterable[int]) -> list[int]:
        """As `let_go`, for the leases of rows that were drawn and held back."""
        return self._forget({self._lease_of[row_id] for row_id in row_ids if row_id in self._lease_of})

    def take_finished(self) -> list[int]:
        finished, self.finished = self.finished, []
        return finished

    def _finish(self, lease_id: int) -> None:
        del self._left[lease_id]
        self.finished.append(lease_id)

    def _forget(self, lease_ids: set[int]) -> list[int]:
        for lease_id in lease_ids:
            self._left.pop(lease_id, None)
        self._lease_of = {row: lease for row, lease in self._lease_of.items() if lease not in lease_ids}
        for scope in self.scopes.values():
            scope.ids = deque(pair for pair in scope.ids if pair[1] not in lease_ids)
        self._present = set(self._lease_of) | {row for scope in self.scopes.values() for row, _ in scope.ids}
        return sorted(lease_ids)
