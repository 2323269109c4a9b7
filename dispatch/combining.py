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


class Combiner(Generic[T, R]):
    """`work(questions)` answers each question, in their order, in a transaction of its own."""

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]], most: int = MOST) -> None:
        self._work, self._most = work, most
        self._lock = Lock()
        self._lines: dict[Hashable, deque[_Turn[T, R]]] = {}

    def __call__(self, key: Hashable, asked: T) -> R:
        """The answer to `asked`, worked out together with what others ask under this key. Raises what `work` does."""
        turn: _Turn[T, R] = _Turn(asked)
        with self._lock:
            first = key not in self._lines
            self._lines.setdefault(key, deque()).append(turn)
        if not first:
            turn.asleep.acquire()
        if not turn.over:
            self._lead(key)
        if turn.failure is not None:
            raise turn.failure
        return turn.answers[0]

    def _lead(self, key: Hashable) -> None:
        with self._lock:
            line = self._lines[key]
            batch = [line.popleft() for _ in range(min(len(line), self._most))]
        try:
            self._answer(batch)
        finally:
            with self._lock:
                if line:
                    line[0].asleep.release()
                else:
                    del self._lines[key]
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
