"""The third outcome: attempts of which nobody knows whether they took effect.

The provider is asked. Presence settles at once. Absence counts only after QUIET, and twice; then the row is due again.
Where a provider cannot be asked, the attempt waits for an operator, visibly.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from psycopg.rows import dict_row

from dispatch.calling import absent
from dispatch.crashpoints import crashpoint
from dispatch.database import connect
from dispatch.lane import Lane, OpenQuestion, Result
from dispatch.models import AttemptState
from dispatch.statements import recorded, statements
from providers.base import Found, Unreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import psycopg

log = structlog.get_logger(__name__)

AT_ONCE = 20
ASK_AGAIN_SECONDS = 2.0
# The provider's clock may differ from ours, and its dates have whole seconds.
CLOCK_SKEW = timedelta(seconds=5)
ABSENCES = 2


class Reconciler:
    """Asks about unknown attempts of one lane, over a database connection of its own."""

    def __init__(self, lane: Lane, find: Callable[[OpenQuestion], Awaitable[Sequence[Found]]]) -> None:
        self.lane = lane
        self.find = find
        self.sql = statements(lane)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; raises psycopg's errors when the database goes away."""
        async with await connect(row_factory=dict_row) as connection:
            while not stop.is_set():
                asked = await self.round(connection)
                if not asked:
                    await asyncio.sleep(min(1.0, self.lane.quiet / 5))

    async def round(self, connection: psycopg.AsyncConnection[Any]) -> int:
        """Ask about some unknown attempts and record what is known now. Returns how many were asked about."""
        names = {"n": AT_ONCE, "quiet": self.lane.quiet, "again": min(ASK_AGAIN_SECONDS, self.lane.quiet / 4)}
        questions = await (await connection.execute(self.sql.ask, names)).fetchall()
        answers = await asyncio.gather(*(self._look_up(_question(each)) for each in questions))
        results = []
        for each, found in zip(questions, answers, strict=True):
            result = await self._conclude(connection, each, found)
            results += [result] if result else []
        if results:
            crashpoint("reconcile.found")
            await connection.execute(self.sql.record, recorded(results))
        return len(questions)

    async def _look_up(self, question: OpenQuestion) -> list[Found] | None:
        try:
            return list(await self.find(question))
        except Unreachable as refusal:
            log.warning("not answered", lane=self.lane.name, attempt=question.attempt_id, detail=str(refusal))
            return None
        except Exception:  # one question that cannot be asked must not end the others
            log.exception("not asked", lane=self.lane.name, attempt=question.attempt_id)
            return None

    async def _conclude(
        self, connection: psycopg.AsyncConnection[Any], asked: dict[str, Any], found: list[Found] | None
    ) -> Result | None:
        """What to record of one attempt, if anything. None was answered → nothing is known."""
        if found is None:
            return None
        mine = await self._not_another_attempts(connection, asked, found)
        if mine:
            return Result(
                asked["id"], AttemptState.ACCEPTED, provider_id=mine[0].provider_id, target=self.lane.accepted
            )
        if not asked["quiet_is_over"]:
            return None
        absences = await (await connection.execute(self.sql.absent, {"id": asked["id"]})).fetchone()
        return absent(self.lane, asked["id"]) if absences and absences["checks"] >= ABSENCES else None

    async def _not_another_attempts(
        self, connection: psycopg.AsyncConnection[Any], asked: dict[str, Any], found: list[Found]
    ) -> list[Found]:
        """What was taken since the call and belongs to no other attempt, oldest first.

        One (sender, address) pair has one open attempt at a time, so what is left over is this attempt's.
        """
        since = asked["called_at"] - CLOCK_SKEW
        key = str(asked["uuid"])
        recent = [each for each in found if each.at >= since and each.key in {None, key}]
        names = {
            "ids": [each.provider_id for each in recent],
            "id": asked["id"],
            "sender": asked["sender"],
            "address": asked["address"],
        }
        known = {row["provider_id"] for row in await (await connection.execute(self.sql.known, names)).fetchall()}
        return sorted((each for each in recent if each.provider_id not in known), key=lambda each: each.at)


def _question(row: dict[str, Any]) -> OpenQuestion:
    return OpenQuestion(
        row["id"], row["uuid"], row["row_id"], row["sender"], row["address"], row["called_at"], row["account_id"]
    )
