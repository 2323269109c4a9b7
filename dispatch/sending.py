"""The sender: one process a provider, one connection, one transaction every few milliseconds.

Each turn records every answer that has come in and opens as many calls as slots are free, in one transaction. A kill
leaves at most the open calls unknown: `calling` is committed for no more rows than there are slots.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import structlog
from psycopg.rows import dict_row

from dispatch import owners, pacing
from dispatch.backlog import Backlog, Scope
from dispatch.calling import never_called, result_of
from dispatch.crashpoints import crashpoint
from dispatch.database import connect, in_thread
from dispatch.lane import Call, Lane, Result, Turned
from dispatch.statements import FINISH_LEASES, GIVE_BACK_LEASES, later, listed, recorded, statements, verdicts_of
from providers.base import Refused, Unknown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from providers.base import Outcome

log = structlog.get_logger(__name__)

# Spare slots hide the turn; they shrink when answers are slow, so that no opened call waits long.
SPARE_SHARE = 0.25
SPARE_SECONDS = 0.012
# An opened call that has not started by then does not start: a pause or an opt-out may have come.
START_WITHIN_SECONDS = 0.2
# Plans are made when tables are small, kept while they grow, and every statement here asks for rows by their keys.
BY_INDEX = "SET enable_seqscan = off"
TURN_SECONDS = 0.001
SLOT_SECONDS = 0.01
IDLE_SECONDS = 0.05
LEASES_AT_ONCE = 2
REFUSALS_IN_A_ROW = 3
POSTPONE_SECONDS = 2.0


class FencedError(Exception):
    """Somebody declared this owner dead. Everything it holds is let go; calls that run are still recorded."""


class LaneSender:
    """Sends the rows of one lane over one database session."""

    def __init__(self, lane: Lane, provider: str, answered: asyncio.Event) -> None:
        self.lane = lane
        self.provider = provider
        self.sql = statements(lane)
        self.owner = 0
        self.backlog = Backlog()
        self.results: list[Result] = []
        self.reactions: list[tuple[str, int, str]] = []
        self.running: set[asyncio.Task[None]] = set()
        self.connections = asyncio.Semaphore(lane.connections)
        self.answered = answered
        self.look_at = 0.0
        self.clock = pacing.Clock()
        self.latency = 0.05
        self.refused_in_a_row: Counter[str] = Counter()
        self.stopping = False

    @property
    def slots(self) -> int:
        spare = min(SPARE_SHARE, SPARE_SECONDS / max(self.latency, 0.001))
        return int(self.lane.connections * (1 + spare))

    @property
    def idle(self) -> bool:
        return not self.running and not self.results

    @property
    def waits_for_a_slot(self) -> bool:
        return bool(len(self.backlog))

    def begin(self, owner: int) -> None:
        """A new database session: what was leased under the old one belongs to nobody."""
        self.owner = owner
        self.backlog = Backlog()

    async def turn(self, connection: psycopg.AsyncConnection[Any]) -> bool:
        """Record what was answered, open what fits. Returns whether there was anything to do."""
        if not self.stopping and len(self.backlog) < self.slots and time.monotonic() >= self.look_at:
            await self._refill(connection)
        drawn = [] if self.stopping else await self._draw(connection)
        results, self.results = self.results, []
        finished = self.backlog.take_finished()
        if not (drawn or results or finished):
            return False
        opened_at = time.monotonic()
        keys = {row: uuid4() for _, rows, _ in drawn for row in rows}
        try:
            verdicts = await self._commit(connection, results, keys, _alone(drawn), finished)
        except psycopg.Error:
            self.results = results + self.results
            raise
        await self._begin_calls(connection, verdicts, keys, drawn, opened_at)
        await self._react()
        return True

    async def let_go(self, connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(self.sql.abandon)

    async def close(self) -> None:
        if self.lane.close:
            await self.lane.close()

    async def _refill(self, connection: psycopg.AsyncConnection[Any]) -> None:
        names = {"owner": self.owner, "queue": self.lane.queue, "n": LEASES_AT_ONCE}
        leases = await (await connection.execute(self.sql.take_leases, names)).fetchall()
        if not leases:
            self.look_at = time.monotonic() + IDLE_SECONDS
        for lease in sorted(leases, key=lambda each: each["id"]):
            crashpoint("lease.taken")
            pace = await (await connection.execute(self.sql.scope_pace, {"scope": lease["scope_id"]})).fetchone()
            rows = await connection.execute(
                self.sql.leased_rows,
                {"scope": lease["scope_id"], "lo": lease["lo"], "hi": lease["hi"], "ids": lease["ids"] or []},
            )
            scope = Scope(lease["scope_id"], **(pace or {}))
            self.backlog.add(lease["id"], scope, [row["id"] for row in await rows.fetchall()])

    async def _draw(self, connection: psycopg.AsyncConnection[Any]) -> list[tuple[Scope, list[int], pacing.Slots]]:
        """Row ids to open now, scope by scope, each with the slots its calls start in."""
        free = self.slots - len(self.running)
        drawn = []
        now = time.monotonic()
        scopes = [scope for scope in self.backlog.turn() if scope.again_at <= now]
        for index, scope in enumerate(scopes):
            if free <= 0:
                break
            # Whoever comes later in this turn gets its share too.
            share = max(1, free // (len(scopes) - index))
            slots = await pacing.take(
                connection, self.provider, self._rates(scope), min(share, len(scope.ids)), self.clock
            )
            if slots.n:
                drawn.append((scope, self.backlog.draw(scope, slots.n), slots))
                free -= slots.n
            else:
                # Not asked for again before there can be one: each question is a write.
                scope.again_at = slots.first - pacing.WINDOW_SECONDS
        return drawn

    def _rates(self, scope: Scope) -> list[pacing.Rate]:
        rates = []
        if scope.scope_rate:
            rates.append(pacing.Rate(f"{self.lane.name}:{scope.scope_id}", scope.scope_rate))
        if scope.sender_rate:
            rates.append(pacing.Rate(scope.sender, scope.sender_rate))
        return rates

    async def _commit(
        self,
        connection: psycopg.AsyncConnection[Any],
        results: list[Result],
        keys: dict[int, UUID],
        alone: list[int],
        finished: list[int],
    ) -> list[dict[str, Any]]:
        """The turn's one transaction: answers, openings, leases that are done. All of it leaves at once.

        `keys`: the rows to open, each with the key of its attempt; to the people of `alone` nobody else may open a
        call at the same time. Returns their verdicts.
        """
        opening = connection.cursor()
        async with connection.pipeline():
            await connection.execute("BEGIN")
            if results:
                await connection.execute(self.sql.record, recorded(results))
                crashpoint("record.before_commit")
            if alone:
                await connection.execute(self.sql.claim, {"ids": listed(alone)})
            if keys:
                await opening.execute(
                    self.sql.open, {"ids": listed(keys), "keys": listed(keys.values()), "owner": self.owner}
                )
                crashpoint("open.before_commit")
            if finished:
                await connection.execute(FINISH_LEASES, {"ids": finished, "owner": self.owner})
            await connection.execute("COMMIT")
        if results:
            crashpoint("record.committed")
        verdicts = verdicts_of(await opening.fetchall()) if keys else []
        if verdicts:
            crashpoint("open.committed")
        return verdicts

    async def _begin_calls(
        self,
        connection: psycopg.AsyncConnection[Any],
        verdicts: list[dict[str, Any]],
        keys: dict[int, UUID],
        drawn: list[tuple[Scope, list[int], pacing.Slots]],
        opened_at: float,
    ) -> None:
        slot = {row: slots.at(index) for _, rows, slots in drawn for index, row in enumerate(rows)}
        for each in verdicts:
            if each["attempt_id"] is not None:
                call = Call(each["attempt_id"], keys[each["id"]], each["id"], each["payload"])
                self._start(self._call(call, slot[each["id"]], opened_at))
        held = [each for each in verdicts if each["verdict"] == "hold"]
        for delay, rows in later(verdicts, POSTPONE_SECONDS).items():
            await connection.execute(self.sql.postpone, {"ids": rows, "delay": delay})
        self.backlog.dealt_with(set(slot) - {each["id"] for each in held})
        await self._hold(connection, held)

    async def _hold(self, connection: psycopg.AsyncConnection[Any], held: list[dict[str, Any]]) -> None:
        """Scopes that may not send now: their leases go back and are taken again when they may."""
        if not held:
            return
        leases = self.backlog.let_go_of_rows([each["id"] for each in held])
        for scope_id in {each["scope_id"] for each in held}:
            leases += self.backlog.let_go(scope_id)
        await connection.execute(GIVE_BACK_LEASES, {"ids": leases, "owner": self.owner})

    def _start(self, calling: Any) -> None:
        task = asyncio.create_task(calling)
        self.running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        self.answered.set()

    async def _call(self, call: Call, slot: float, opened_at: float) -> None:
        if self.lane.prepare:
            # Trouble is the call's to tell: it will be in the same.
            with contextlib.suppress(Exception):
                await self.lane.prepare(call)
        early = slot - time.monotonic()
        if early > 0:
            await asyncio.sleep(early)
        async with self.connections:
            began = time.monotonic()
            if began - opened_at > START_WITHIN_SECONDS:
                self.results.append(never_called(self.lane, call))
                return
            crashpoint("call.before")
            outcome = await self._outcome(call)
            crashpoint("call.answered")
        self.latency += 0.05 * (time.monotonic() - began - self.latency)
        self.results.append(result_of(self.lane, call, outcome))
        if isinstance(outcome, Refused):
            self._note(call, outcome)

    async def _outcome(self, call: Call) -> Outcome:
        try:
            return await self.lane.call(call)
        except Exception as trouble:  # whatever it was, the call may have left
            log.exception("call failed", lane=self.lane.name, attempt=call.attempt_id)
            return Unknown(repr(trouble))

    def _note(self, call: Call, outcome: Refused) -> None:
        """Remember what a refusal means beyond its row. Credentials count as refused after three in a row."""
        if outcome.effect in {"none", "slower"}:
            return
        self.refused_in_a_row[outcome.effect] += 1
        if outcome.effect == "pause_connection" and self.refused_in_a_row[outcome.effect] < REFUSALS_IN_A_ROW:
            return
        self.refused_in_a_row[outcome.effect] = 0
        self.reactions.append((outcome.effect, call.row_id, outcome.code))

    async def _react(self) -> None:
        reactions, self.reactions = self.reactions, []
        for effect, row_id, code in dict.fromkeys(reactions):
            await in_thread(self.lane.react, effect, row_id, code)


def _alone(drawn: list[tuple[Scope, list[int], pacing.Slots]]) -> list[int]:
    """Row ids to whose people nobody else may open a call at the same time."""
    return [row for scope, rows, _ in drawn if scope.alone for row in rows]


class Session:
    """One database session of one sender process: registers an owner, beats, and turns its work until told."""

    def __init__(self, provider: str, turned: Sequence[Turned], answered: asyncio.Event) -> None:
        self.provider = provider
        self.answered = answered
        self.turned = turned
        self.owner = 0
        self.beat_at = time.monotonic()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set and every running call is recorded. Raises FencedError or psycopg's: begin anew."""
        async with await connect(row_factory=dict_row) as connection:
            await connection.execute(BY_INDEX)
            # What the session before this one held is free at once; its running calls are still recorded.
            await self._let_go(connection)
            self.owner = (await self._one(connection, owners.REGISTER, owners.identity(self.provider)))["id"]
            self.beat_at = time.monotonic()
            for each in self.turned:
                each.begin(self.owner)
            log.info("sending", provider=self.provider, owner=self.owner)
            while not (stop.is_set() and all(each.idle for each in self.turned)):
                for each in self.turned:
                    each.stopping = stop.is_set()
                await self._beat(connection)
                busy = [await each.turn(connection) for each in self.turned]
                await self._wait(self._pause(any(busy)))
            await self._let_go(connection)

    async def _let_go(self, connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(owners.END, {"owner": self.owner})
        await connection.execute(owners.FREE_LEASES)
        for each in self.turned:
            await each.let_go(connection)

    def _pause(self, busy: bool) -> float:
        if busy:
            return TURN_SECONDS
        # Who waits for a slot looks again before the slots that are given out now are over.
        return SLOT_SECONDS if any(each.waits_for_a_slot for each in self.turned) else IDLE_SECONDS

    async def _wait(self, seconds: float) -> None:
        """A short turn gathers answers; an idle one ends early when an answer comes."""
        if seconds <= TURN_SECONDS:
            await asyncio.sleep(seconds)
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.answered.wait(), seconds)
        self.answered.clear()

    async def _beat(self, connection: psycopg.AsyncConnection[Any]) -> None:
        if time.monotonic() - self.beat_at < owners.HEARTBEAT_SECONDS / 2:
            return
        self.beat_at = time.monotonic()
        if await self._one(connection, owners.BEAT, {"owner": self.owner}) is None:
            raise FencedError

    @staticmethod
    async def _one(connection: psycopg.AsyncConnection[Any], statement: str, names: dict[str, Any]) -> Any:
        return await (await connection.execute(statement, names)).fetchone()
