"""How webhooks leave: a sender process takes what is due, posts it, and writes down what was answered.

Nothing is held while a merchant's server is slow: a take is one statement, and so is the record. A sender that dies
loses nothing, because what it took is due again a little after its longest call. So a message may come twice, and never
not at all. No endpoint has more than EACH calls under way in a process, one that fails only one.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import psycopg
import structlog
from django.conf import settings

from accounts.secrets import open_sealed
from dispatch.lane import Aside
from providers import posting, standard_webhooks

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping
    from datetime import datetime

log = structlog.get_logger(__name__)

PROVIDER = "webhooks"
AGENT = "campaigns-webhooks/1"
# Calls under way in one process: of all endpoints, and of one.
SLOTS, EACH = 200, 10
LOOK_SECONDS = 0.25
# What was taken is due again so long after the longest call.
SPARE_SECONDS = 5.0
# Waits between tries: 5 s, 15 s, 45 s … 12 h, each a fifth longer or shorter.
FIRST_WAIT, WAIT_GROWS, LONGEST_WAIT, JITTER = 5.0, 3.0, 12 * 3600.0, 0.2
GIVE_UP_DAYS, TURN_OFF_DAYS = 3, 5
KEPT_BODY = 1024
GONE = 410

# Endpoints with something in line are found by hopping over the index; they take their turns by number, from the one
# after `after` on, so that a long line at one does not keep the others waiting.
TAKE = """
WITH RECURSIVE hop(endpoint_id) AS (
    (SELECT endpoint_id FROM crm_webhookdelivery WHERE next_try_at IS NOT NULL ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT endpoint_id FROM crm_webhookdelivery WHERE next_try_at IS NOT NULL AND endpoint_id > hop.endpoint_id
            ORDER BY endpoint_id LIMIT 1)
    FROM hop WHERE hop.endpoint_id IS NOT NULL
), waiting AS MATERIALIZED (
    SELECT endpoint.id, CASE WHEN endpoint.failing_since IS NULL THEN %(each)s ELSE 1 END - coalesce(busy.n, 0) AS room
    FROM hop JOIN crm_webhookendpoint endpoint ON endpoint.id = hop.endpoint_id AND endpoint.enabled
    JOIN accounts_account account ON account.id = endpoint.account_id AND account.status = 'active'
    LEFT JOIN unnest(%(busy)s::bigint[], %(under_way)s::int[]) AS busy(endpoint_id, n) ON busy.endpoint_id = endpoint.id
    ORDER BY endpoint.id <= %(after)s, endpoint.id
), due AS MATERIALIZED (
    SELECT picked.id FROM waiting CROSS JOIN LATERAL (
        SELECT id FROM crm_webhookdelivery
        WHERE endpoint_id = waiting.id AND next_try_at <= now()
        ORDER BY next_try_at, id LIMIT greatest(waiting.room, 0) FOR UPDATE SKIP LOCKED
    ) picked LIMIT %(free)s
), taken AS (
    UPDATE crm_webhookdelivery SET tries = tries + 1, next_try_at = now() + make_interval(secs => %(lease)s)
    FROM due WHERE crm_webhookdelivery.id = due.id
    RETURNING crm_webhookdelivery.*
)
SELECT taken.id, taken.public_id, taken.endpoint_id, taken.tries, taken.type, taken.data, taken.created_at,
    endpoint.url, endpoint.sealed, endpoint.old_secret_until > now() AS rotating, event.public_id AS event_public_id,
    event.event_id, event.occurred_at, event.value_minor, event.currency, event.properties,
    customer.public_id AS customer_id
FROM taken JOIN crm_webhookendpoint endpoint ON endpoint.id = taken.endpoint_id
LEFT JOIN crm_event event ON event.id = taken.event_id
LEFT JOIN crm_customer customer ON customer.id = event.customer_id
"""

# A late answer counts only if nobody has taken the message since, unless it was good: then it has arrived.
RECORD = """
WITH said AS (
    SELECT *, code BETWEEN 200 AND 299 AS good
    FROM unnest(%(id)s::bigint[], %(tries)s::int[], %(code)s::int[], %(body)s::text[], %(error)s::text[],
        %(took_ms)s::int[], %(wait)s::float8[]) AS s(id, tries, code, body, error, took_ms, wait)
), recorded AS (
    UPDATE crm_webhookdelivery d SET response_code = nullif(code, 0), response_body = body, error = said.error,
        duration_ms = took_ms, delivered_at = CASE WHEN good THEN now() END,
        next_try_at = CASE WHEN NOT (good OR code = %(gone)s OR d.begun_at < now() - make_interval(days => %(give_up)s))
            THEN now() + make_interval(secs => wait) END
    FROM said WHERE d.id = said.id AND d.next_try_at IS NOT NULL AND (good OR d.tries = said.tries)
    RETURNING d.endpoint_id, good, code = %(gone)s AS gone
), told AS (
    SELECT endpoint_id, bool_or(good) AS good, bool_or(gone) AS gone FROM recorded GROUP BY endpoint_id
), locked AS MATERIALIZED (
    -- In one order, so that two senders do not lock each other out.
    SELECT endpoint.id, good, gone,
        NOT good AND NOT gone AND failing_since < now() - make_interval(days => %(turn_off)s) AS hopeless
    FROM crm_webhookendpoint endpoint JOIN told ON told.endpoint_id = endpoint.id
    WHERE gone OR good = (failing_since IS NOT NULL) OR failing_since < now() - make_interval(days => %(turn_off)s)
    ORDER BY endpoint.id FOR NO KEY UPDATE OF endpoint
)
UPDATE crm_webhookendpoint endpoint SET
    failing_since = CASE WHEN good THEN NULL ELSE coalesce(failing_since, now()) END,
    enabled = enabled AND NOT gone AND NOT coalesce(hopeless, FALSE),
    disabled_reason = CASE WHEN NOT enabled THEN disabled_reason WHEN gone THEN 'gone'
        WHEN hopeless THEN 'failing' ELSE '' END
FROM locked WHERE locked.id = endpoint.id
"""


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one try. `code` is 0 when there was no whole answer; `wait` is before the next try."""

    id: int
    tries: int
    code: int
    body: str
    error: str
    took_ms: int
    wait: float


class WebhookSender(Aside):
    """Posts what is due over one database session."""

    def __init__(self, answered: asyncio.Event) -> None:
        super().__init__(answered)
        self.results: list[Answered] = []
        self.under_way: Counter[int] = Counter()
        self.after = 0

    @property
    def idle(self) -> bool:
        return not self.running and not self.results

    async def turn(self, connection: psycopg.AsyncConnection[Any]) -> bool:
        """Record what was answered, take what fits. Returns whether there was anything to do."""
        results, self.results = self.results, []
        try:
            if results:
                await connection.execute(RECORD, _recorded(results))
        except psycopg.Error:
            self.results = results + self.results
            raise
        free = SLOTS - len(self.running)
        if self.stopping or not free or not (results or time.monotonic() >= self.look_at):
            return bool(results)
        taken = await self._take(connection, free)
        for row in taken:
            self.under_way[row["endpoint_id"]] += 1
            self.after = row["endpoint_id"]
            self.start(self._call(row))
        if not taken:
            self.look_at = time.monotonic() + LOOK_SECONDS
        return bool(results or taken)

    async def _take(self, connection: psycopg.AsyncConnection[Any], free: int) -> list[dict[str, Any]]:
        busy = +self.under_way
        names = {
            "each": EACH,
            "free": free,
            "after": self.after,
            "busy": list(busy),
            "under_way": list(busy.values()),
            "lease": settings.WEBHOOK_TIMEOUT_SECONDS + SPARE_SECONDS,
        }
        return await (await connection.execute(TAKE, names)).fetchall()

    async def _call(self, row: Mapping[str, Any]) -> None:
        began = time.monotonic()
        code, said, error = 0, b"", ""
        try:
            body = _body(row)
            headers = standard_webhooks.headers(_live(row), row["public_id"], int(time.time()), body)
            answer = await posting.post(
                row["url"],
                body,
                {"Content-Type": "application/json", "User-Agent": AGENT, **headers},
                seconds=settings.WEBHOOK_TIMEOUT_SECONDS,
                trusted=settings.WEBHOOK_TRUSTED_ORIGINS,
            )
            code, said = answer.status, answer.body
        except posting.NotPosted as why:
            error = str(why)
        except Exception:  # one message that cannot be made must not hold up the others
            log.exception("webhook not posted", delivery=row["id"])
            error = "We could not send this; we are looking into it."
        took = round((time.monotonic() - began) * 1000)
        self.results.append(
            Answered(row["id"], row["tries"], code, _kept(said), error[:300], took, wait_after(row["tries"]))
        )
        self.under_way[row["endpoint_id"]] -= 1
        self.answered.set()


def wait_after(tries: int) -> float:
    """Seconds before the next try: exponential, with jitter, so that what failed together does not return together."""
    wait = min(FIRST_WAIT * WAIT_GROWS ** min(tries - 1, 20), LONGEST_WAIT)
    return wait * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (nobody gains by guessing it)


def _recorded(results: list[Answered]) -> dict[str, Any]:
    columns: dict[str, Any] = {each.name: [getattr(one, each.name) for one in results] for each in fields(Answered)}
    return columns | {"gone": GONE, "give_up": GIVE_UP_DAYS, "turn_off": TURN_OFF_DAYS}


def _live(row: Mapping[str, Any]) -> list[str]:
    secrets = open_sealed(bytes(row["sealed"]))
    return [secrets["now"], *([secrets["before"]] if row["rotating"] else [])]


def _body(row: Mapping[str, Any]) -> bytes:
    """`{"type", "timestamp", "data"}`; the event as it stands now, so that what was erased is not told."""
    happened_at: datetime = row["occurred_at"] or row["created_at"]
    told = {"type": row["type"], "timestamp": _moment(happened_at), "data": row["data"] or _event(row)}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def _event(row: Mapping[str, Any]) -> dict[str, Any]:
    value = row["value_minor"]
    return {
        "id": row["event_public_id"],
        "event_id": row["event_id"],
        "customer_id": row["customer_id"],
        "value": None if value is None else {"amount": value, "currency": row["currency"]},
        "properties": row["properties"],
    }


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _kept(said: bytes) -> str:
    """The first KB as text that PostgreSQL can keep."""
    return said[:KEPT_BODY].decode("utf-8", "replace").replace("\x00", "\ufffd")
