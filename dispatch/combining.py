"""Many callers, one transaction: what threads of a process ask of the same row at the same moment is done together.

While one batch is under way the next callers queue up; whoever is first among them does the work for all. A commit is
paid once for each batch, and nobody waits who is alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

T = TypeVar("T")
R = TypeVar("R")
MOST = 200


def _locked() -> Any:
    lock = Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class _Turn(Generic[T, R]):
    asked: T
    # Locked until it is answered, or has to do the work for those who wait. An event costs ten times that.
    asleep: Any = field(default_factory=_locked)
    answers: list[R] = field(default_factory=list)
    failure: Exception | None = None

    @property
    def over(self) -> bool:
        return bool(self.answers) or self.failure is not None


@dataclass(eq=False)
class _Line(Generic[T, R]):
    """Who waits under one key. `last` is how many there were when the last batch was over, its own among them."""

    waiting: deque[_Turn[T, R]] = field(default_factory=deque)
    last: int = 0
    # Its first one waits for so many.
    wanted: int = 0


class Combiner(Generic[T, R]):
    """`work(questions)` answers each question, in their order, in a transaction of its own.

    With `gather` (seconds) a batch waits that long at most for as many as there were a moment ago: who was answered
    together asks again together.
    """

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]], most: int = MOST, gather: float = 0.0) -> None:
        self._work, self._most, self._gather = work, most, gather
        self._lock = Lock()
        self._lines: dict[Hashable, _Line[T, R]] = {}
        # Of lines that are gone; only kept by who gathers, whose keys are few.
        self._last: dict[Hashable, int] = {}

    def __call__(self, key: Hashable, asked: T) -> R:
        """The answer to `asked`, worked out together with what others ask under this key. Raises what `work` does."""
        turn: _Turn[T, R] = _Turn(asked)
        with self._lock:
            line = self._lines.get(key)
            if first := line is None:
                line = self._lines[key] = _Line(last=self._last.get(key, 0))
            line.waiting.append(turn)
            if line.wanted and len(line.waiting) >= line.wanted:
                line.wanted = 0
                line.waiting[0].asleep.release()
        if not first:
            turn.asleep.acquire()
        if not turn.over:
            self._lead(key, line, turn)
        if turn.failure is not None:
            raise turn.failure
        return turn.answers[0]

    def _lead(self, key: Hashable, line: _Line[T, R], leader: _Turn[T, R]) -> None:
        with self._lock:
            wanted = min(line.last, self._most) if self._gather else 0
            line.wanted = wanted if len(line.waiting) < wanted else 0
        if line.wanted:
            leader.asleep.acquire(timeout=self._gather)
        with self._lock:
            line.wanted = 0
            batch = [line.waiting.popleft() for _ in range(min(len(line.waiting), self._most))]
        try:
            self._answer(batch)
        finally:
            with self._lock:
                line.last = len(batch) + len(line.waiting)
                if line.waiting:
                    line.waiting[0].asleep.release()
                else:
                    del self._lines[key]
                    if self._gather:
                        self._last[key] = line.last
            for turn in batch[1:]:
                turn.asleep.release()

    def _answer(self, batch: Sequence[_Turn[T, R]]) -> None:
        try:
            answers = self._work([turn.asked for turn in batch])
        except Exception as failure:  # noqa: BLE001 (it is raised where the question came from)
            if len(batch) == 1:
                batch[0].failure = failure
                return
            # One that cannot be done must not take the others with it.
            for turn in batch:
                self._answer([turn])
        else:
            for turn, answer in zip(batch, answers, strict=True):
                turn.answers.append(answer)
