"""A lane: one kind of row that has one outside effect, and what must hold right before that effect.

Domains register their lanes in `AppConfig.ready()`; dispatch knows nothing else about them. SQL fragments see the row
as `m` and the scope (what is started, paused and paced as a whole) as `scope`; they contain no parameters and no input
of users.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from dispatch.models import Attempt
    from providers.base import Found, Outcome

# One message a person and sender in this time (WhatsApp's pair rate).
PAIR_SECONDS = 6


@dataclass(frozen=True, slots=True)
class Call:
    """One opened attempt, committed as `calling`: the right and the duty to call once."""

    attempt_id: int
    key: UUID
    row_id: int
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """An attempt of which nobody knows whether it took effect."""

    attempt_id: int
    key: UUID
    row_id: int
    sender: str
    address: str
    called_at: datetime
    account_id: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one attempt. `target` is the status the row moves to, or "" to leave it."""

    attempt_id: int
    state: str
    provider_id: str = ""
    code: str = ""
    detail: str = ""
    target: str = ""
    # With target queued: not again before so many seconds.
    delay: float = 0.0


@dataclass(frozen=True)
class Lane:
    """How one kind of row is sent. See the module's text for what SQL fragments may refer to."""

    name: str
    provider: str
    row_model: Any
    attempt_model: type[Attempt]
    # SQL: the scope's FROM clause (alias `scope` has `id` and `account_id`), the row's column that points to it.
    scope_from: str
    scope_column: str
    # SQL booleans: the scope may send now; the row is due (its status).
    scope_open: str
    row_due: str
    # SQL boolean by reason: the row is skipped for good.
    skips: Mapping[str, str]
    # SQL boolean → SQL seconds: not now, but after so long (besides the pair rate, kept by every lane with `paired`).
    waits: Mapping[str, str]
    sender: str
    address: str
    # SQL: a jsonb of what `call` needs.
    payload: str
    # SQL: calls a second, of the sender and of the scope; null is unlimited.
    sender_rate: str
    scope_rate: str
    # SQL CTEs (", name AS (…)") that move rows. See `statements`.
    on_open: str
    on_record: str
    on_skip: str
    # Statuses by the names the engine uses.
    accepted: str
    queued: str
    failed: str
    call: Callable[[Call], Awaitable[Outcome]]
    # None: the provider cannot be asked. What is unknown stays so until it reports, or an operator says.
    find: Callable[[OpenQuestion], Awaitable[Sequence[Found]]] | None
    # Blocking; called in a thread after the commit, for effects beyond one row: ("pause_campaign", row id, code).
    react: Callable[[str, int, str], None]
    # Blocking; called by the sweep: start what is due, give forgotten rows a lease, complete what is done.
    tend: Callable[[], None]
    connections: int
    timeout: float
    quiet: float
    # SQL boolean: the row is this lane's, where lanes share a table. Nobody else asks about its attempts.
    row_own: str = "true"
    # SQL: whom the row reaches (text, the same in all lanes), and of which scopes it holds that no two senders may open
    # calls to one person at once, so that all they did has been committed when `free_in` is asked: in how many seconds
    # the person may be called, or null for now. Elsewhere it costs nothing.
    person: str = ""
    alone: str = "false"
    free_in: str = "NULL"
    paired: bool = True
    max_tries: int = 20
    close: Callable[[], Awaitable[None]] | None = None
    # Called as soon as the call is opened, before its slot has come: what `call` would have to wait for.
    prepare: Callable[[Call], Awaitable[None]] | None = None

    @property
    def queue(self) -> str:
        return self.name

    @property
    def row_table(self) -> str:
        return str(self.row_model._meta.db_table)

    @property
    def attempt_table(self) -> str:
        return self.attempt_model._meta.db_table


class Turned(Protocol):
    """What a sender process turns: a lane's sender, or other work that waits for the world outside."""

    # Set when the process is to end: nothing new is begun.
    stopping: bool

    @property
    def idle(self) -> bool:
        """Nothing is under way, and nothing is left to be recorded."""
        ...

    @property
    def waits_for_a_slot(self) -> bool:
        """Something could begin within milliseconds."""
        ...

    def begin(self, owner: int) -> None:
        """A new database session, whose number in dispatch_owner is `owner`."""
        ...

    async def turn(self, connection: psycopg.AsyncConnection[Any]) -> bool:
        """Record what came in, begin what is due; quick. Returns whether there was anything to do."""
        ...

    async def let_go(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Free what sessions that are over still hold."""
        ...

    async def close(self) -> None:
        """The process ends."""
        ...


class Aside(Turned):
    """Work that is no lane: calls of its own, each a task, and nothing that another session could have left behind."""

    def __init__(self, answered: asyncio.Event) -> None:
        self.answered = answered
        self.stopping = False
        self.running: set[asyncio.Task[None]] = set()
        self.look_at = 0.0

    @property
    def idle(self) -> bool:
        return not self.running

    @property
    def waits_for_a_slot(self) -> bool:
        return False

    def begin(self, owner: int) -> None:
        """What another session took is nobody's, or due again by itself."""

    async def let_go(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Nothing is held."""

    async def close(self) -> None:
        """Each call had a connection of its own."""

    def start(self, call: Coroutine[Any, Any, None]) -> None:
        """Run `call` beside the turns."""
        task = asyncio.create_task(call)
        self.running.add(task)
        task.add_done_callback(self.running.discard)


_lanes: dict[str, Callable[[], Lane]] = {}


def register(name: str, make: Callable[[], Lane]) -> None:
    """Make a lane known. `make` is called once a process, when somebody first needs the lane."""
    _lanes[name] = make
    _made.pop(name, None)


_made: dict[str, Lane] = {}


def lane(name: str) -> Lane:
    if name not in _made:
        _made[name] = _lanes[name]()
    return _made[name]


# Work of sender processes that is no lane: made with the event that it sets when something came in.
_others: dict[str, Callable[[asyncio.Event], Turned]] = {}


def also(provider: str, make: Callable[[asyncio.Event], Turned]) -> None:
    """Keep a process for this work as for a provider's lanes."""
    _others[provider] = make


def others_of(provider: str, answered: asyncio.Event) -> list[Turned]:
    return [_others[provider](answered)] if provider in _others else []


def all_lanes() -> list[Lane]:
    return [lane(name) for name in sorted(_lanes)]


def lanes_of(provider: str) -> list[Lane]:
    return [each for each in all_lanes() if each.provider == provider]


def providers() -> list[str]:
    return sorted({each.provider for each in all_lanes()} | set(_others))
