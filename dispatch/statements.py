"""The statements of the ledger, built once a lane. Names of tables and columns come from models, never from input.

`open` answers one row per id asked: its verdict, and a second one, `opened`, with the attempt committed for it. (They
are not joined there: PostgreSQL takes both for one row, and would compare each with each.)
`claim` goes before it, where a lane's calls to one person exclude each other.
`record` settles attempts, each at most once, and moves their rows along declared edges.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dispatch.lane import PAIR_SECONDS, Lane, Result

if TYPE_CHECKING:
    from collections.abc import Iterable

TAKE_LEASES = """
UPDATE lifecycle_lease SET owner = %(owner)s, taken_at = now() WHERE id IN (
    SELECT l.id FROM lifecycle_lease l
    WHERE l.queue = %(queue)s AND l.owner IS NULL AND l.due_at <= now()
      AND EXISTS (SELECT FROM {scope_from} WHERE scope.id = l.scope_id AND ({scope_open}))
    ORDER BY l.turn, l.id LIMIT %(n)s FOR UPDATE SKIP LOCKED)
RETURNING id, account_id, scope_id, lo, hi, ids
"""

LEASED_ROWS = """
SELECT m.id FROM {row} m
WHERE m.{scope_column} = %(scope)s AND ({row_due})
  AND (m.id BETWEEN %(lo)s AND %(hi)s OR m.id = ANY(%(ids)s::bigint[]))
ORDER BY m.id
"""

# A lease is finished when each of its rows was opened, skipped, or has a lease of its own again.
FINISH_LEASES = "DELETE FROM lifecycle_lease WHERE id = ANY(%(ids)s::bigint[]) AND owner = %(owner)s"

GIVE_BACK_LEASES = "UPDATE lifecycle_lease SET owner = NULL WHERE id = ANY(%(ids)s::bigint[]) AND owner = %(owner)s"

SCOPE_PACE = """
SELECT {sender} AS sender, ({sender_rate})::float8 AS sender_rate, ({scope_rate})::float8 AS scope_rate,
       ({alone}) IS NOT FALSE AS alone
FROM {scope_from} WHERE scope.id = %(scope)s
"""

# The number of a person's lock; triggers of other floors take the same one.
PERSON_LOCK = 7310007
# A statement of its own right before `open`, which so begins after others that held the locks have committed, and sees
# what they did. It never waits: two senders hold people in different orders. `open` reads whose locks are ours.
CLAIM = """
SELECT set_config('dispatch.claimed', coalesce(array_agg(id) FILTER (WHERE ours), '{{}}')::text, true) FROM (
    SELECT m.id, pg_try_advisory_xact_lock({lock}, hashtext({person})) AS ours
    FROM {row} m WHERE m.id = ANY(%(ids)s::bigint[])) asked
"""
CLAIMED = "m.id = ANY((SELECT nullif(current_setting('dispatch.claimed', true), '')::bigint[])::bigint[])"

OPEN = """
WITH candidate AS MATERIALIZED (
    SELECT m.id, m.account_id, m.{scope_column} AS scope_id, ({sender}) AS sender, ({address}) AS address,
           ({payload}) AS payload, {verdict} AS verdict
    FROM {row} m JOIN {scope_from} ON scope.id = m.{scope_column}
    WHERE m.id = ANY(%(ids)s::bigint[]) ORDER BY m.id FOR UPDATE OF m
), opened AS (
    INSERT INTO {attempt}
        (uuid, account_id, row_id, sender, address, owner, state, called_at, provider_id, code, detail)
    -- The sender makes the keys: PostgreSQL's own random numbers would cost as much as all the rest.
    SELECT (%(keys)s::uuid[])[array_position(%(ids)s::bigint[], id)], account_id, id, sender, address, %(owner)s,
           'calling', clock_timestamp(), '', '', ''
    FROM candidate
    WHERE verdict = 'open' AND EXISTS (SELECT FROM dispatch_owner WHERE id = %(owner)s AND ended_at IS NULL)
    ON CONFLICT DO NOTHING
    RETURNING id, row_id, account_id
){on_open}{on_skip}
SELECT id, verdict, scope_id, CASE verdict WHEN 'open' THEN payload END AS payload, NULL::bigint AS attempt_id
FROM candidate UNION ALL SELECT row_id, 'opened', NULL, NULL, id FROM opened
"""

RECORD = """
WITH given AS (
    -- JSON, because a list of each column takes the sender much longer to write.
    SELECT * FROM json_to_recordset(%(results)s::json)
        AS g(id bigint, state text, provider_id text, code text, detail text, target text, delay float8)
), settled AS (
    UPDATE {attempt} a SET state = g.state, provider_id = g.provider_id, code = g.code, detail = g.detail,
        ended_at = now(), owner = a.owner
    FROM given g
    -- coalesce(), so that the rows are found by their ids: the small index of open calls is full of dead entries. And
    -- by a list of them: a join that was planned while there were few attempts would read all of them ever after.
    WHERE a.id = g.id AND a.id = ANY(ARRAY(SELECT id FROM given))
      AND coalesce(a.state, '') IN ('calling', 'unknown') AND a.state <> g.state
    RETURNING a.id, a.row_id, a.account_id, a.address, a.state, a.provider_id, a.code, a.detail, g.target, g.delay
){on_record}, waiting AS (
    INSERT INTO lifecycle_lease (account_id, queue, scope_id, turn, ids, due_at)
    SELECT s.account_id, '{queue}', m.{scope_column}, 0, array_agg(m.id),
           now() + make_interval(secs => max(s.delay))
    FROM settled s JOIN {row} m ON m.id = s.row_id
    WHERE s.target = '{queued}' AND s.state IN ('rejected', 'released')
    GROUP BY s.account_id, m.{scope_column}, round(s.delay)
)
SELECT count(*) FROM settled
"""

POSTPONE = """
INSERT INTO lifecycle_lease (account_id, queue, scope_id, turn, ids, due_at)
SELECT m.account_id, '{queue}', m.{scope_column}, 0, array_agg(m.id), now() + make_interval(secs => %(delay)s)
FROM {row} m WHERE m.id = ANY(%(ids)s::bigint[]) GROUP BY m.account_id, m.{scope_column}
"""

ABANDON = """
UPDATE {attempt} SET state = 'unknown', detail = 'the sender died while calling'
WHERE state = 'calling' AND NOT EXISTS (SELECT FROM dispatch_owner o WHERE o.id = owner AND o.ended_at IS NULL)
"""

ASK = """
UPDATE {attempt} SET checked_at = now() WHERE id IN (
    SELECT a.id FROM {attempt} a JOIN {row} m ON m.id = a.row_id
    WHERE a.state = 'unknown' AND {row_own}
      AND (a.checked_at IS NULL OR a.checked_at < now() - make_interval(secs => %(again)s))
    ORDER BY a.checked_at NULLS FIRST, a.called_at LIMIT %(n)s FOR UPDATE OF a SKIP LOCKED)
RETURNING id, uuid, row_id, sender, address, called_at, account_id, checks,
    called_at < now() - make_interval(secs => %(quiet)s) AS quiet_is_over
"""

KNOWN = """
SELECT provider_id FROM {attempt}
WHERE sender = %(sender)s AND address = %(address)s AND provider_id = ANY(%(ids)s::text[]) AND id <> %(id)s
"""

ABSENT = """
UPDATE {attempt} SET checks = checks + 1 WHERE id = %(id)s AND state = 'unknown' RETURNING checks
"""


@dataclass(frozen=True)
class Statements:
    """The SQL of one lane, ready to be executed with named parameters."""

    take_leases: str
    leased_rows: str
    scope_pace: str
    claim: str
    open: str
    record: str
    postpone: str
    abandon: str
    ask: str
    known: str
    absent: str


def statements(lane: Lane) -> Statements:
    """Fill the lane's fragments into the statements."""
    names = {
        "row": lane.row_table,
        "attempt": lane.attempt_table,
        "queue": lane.queue,
        "scope_from": lane.scope_from,
        "scope_column": lane.scope_column,
        "scope_open": lane.scope_open,
        "row_due": lane.row_due,
        "row_own": lane.row_own,
        "sender": lane.sender,
        "address": lane.address,
        "payload": lane.payload,
        "sender_rate": lane.sender_rate,
        "scope_rate": lane.scope_rate,
        "person": lane.person,
        "alone": lane.alone,
        "lock": PERSON_LOCK,
        "verdict": _verdict(lane),
        "on_open": lane.on_open,
        "on_skip": lane.on_skip,
        "on_record": lane.on_record,
        "queued": lane.queued,
    }
    return Statements(
        take_leases=TAKE_LEASES.format(**names),
        leased_rows=LEASED_ROWS.format(**names),
        scope_pace=SCOPE_PACE.format(**names),
        claim=CLAIM.format(**names) if lane.person else "",
        open=OPEN.format(**names),
        record=RECORD.format(**names),
        postpone=POSTPONE.format(**names),
        abandon=ABANDON.format(**names),
        ask=ASK.format(**names),
        known=KNOWN.format(**names),
        absent=ABSENT.format(**names),
    )


def _verdict(lane: Lane) -> str:
    """What speaks against a call, in this order: gone, held with its scope, skipped for a reason, to be asked later.

    A condition that is neither true nor false speaks against the call too. `later:60` is not before a minute is over.
    """
    pair = (
        f"EXISTS (SELECT FROM {lane.attempt_table} x WHERE x.sender = ({lane.sender}) AND x.address = ({lane.address}) "
        f"AND (x.state IN ('calling', 'unknown') OR (x.state = 'accepted' "
        f"AND x.called_at > now() - interval '{PAIR_SECONDS} seconds')))"
    )
    cases = [f"WHEN ({lane.row_due}) IS NOT TRUE THEN 'gone'", f"WHEN ({lane.scope_open}) IS NOT TRUE THEN 'hold'"]
    cases += [f"WHEN ({condition}) IS NOT FALSE THEN 'skip:{reason}'" for reason, condition in lane.skips.items()]
    cases += [
        f"WHEN ({condition}) IS NOT FALSE THEN 'later:' || coalesce(ceil({seconds})::bigint, 0)"
        for condition, seconds in lane.waits.items()
    ]
    last = f"CASE WHEN {pair} THEN 'later' ELSE 'open' END" if lane.paired else "'open'"
    if lane.person:
        cases += [f"WHEN ({lane.alone}) IS NOT FALSE AND ({CLAIMED}) IS NOT TRUE THEN 'later'"]
        # Null says that nothing speaks against it, and the long question is asked once.
        held = f"CASE WHEN ({lane.alone}) IS NOT FALSE THEN 'later:' || ceil({lane.free_in})::bigint END"
        last = f"coalesce({held}, {last})"
    return f"CASE {' '.join(cases)} ELSE {last} END"


def move(name: str, model: Any, rows: str, verb: str, source: str, *, sets: str = "", also: str = "") -> str:
    """CTEs that move rows of `model` along one edge and write their history; text for a lane's `on_…` fragments.

    `rows` is a FROM item named `s` with a column `row_id`; `sets` are further assignments and `also` further columns of
    the CTE `name` (besides id and account_id); both may refer to `s` and to the row, `m`. The edge is the model's: a
    verb that does not lead on from `source` raises KeyError.
    """
    edge = model.machine.edge(verb)
    if source not in edge.sources:
        raise KeyError(f"{verb} does not lead on from {source}")
    return f""", {name} AS (
    UPDATE {model._meta.db_table} m SET status = '{edge.target}', status_at = now(){sets}
    FROM {rows} WHERE m.id = s.row_id AND m.status = '{source}'
    RETURNING m.id, m.account_id{also}
), {name}_history AS (
    INSERT INTO {model.machine.moves._meta.db_table} (account_id, row_id, verb, source, target, at, by_id, reason)
    SELECT account_id, id, '{verb}', '{source}', '{edge.target}', now(), NULL, '' FROM {name}
)"""  # noqa: S608


def verdicts_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One dictionary a row that was asked for, from the two lists that `open` answers in one."""
    verdicts = {row["id"]: row for row in rows if row["verdict"] != "opened"}
    for row in rows:
        if row["verdict"] == "opened":
            verdicts[row["id"]]["attempt_id"] = row["attempt_id"]
    return list(verdicts.values())


def later(verdicts: list[dict[str, Any]], least: float) -> dict[float, list[int]]:
    """Row ids by seconds to wait, at `least` so many: for a reason of the lane's, or because of another attempt."""
    found: dict[float, list[int]] = {}
    for each in verdicts:
        word, _, seconds = each["verdict"].partition(":")
        if word == "later" or (word == "open" and each["attempt_id"] is None):
            found.setdefault(max(float(seconds or 0), least), []).append(each["id"])
    return found


def recorded(results: list[Result]) -> dict[str, str]:
    """The parameters of `record`, in the order of attempt ids, so that two recorders lock in one order."""
    ordered = sorted(results, key=lambda result: result.attempt_id)
    return {"results": json.dumps([_told(result) for result in ordered])}


def _told(result: Result) -> dict[str, Any]:
    return {
        "id": result.attempt_id,
        "state": result.state,
        # As long as the columns are: an id that is too long must not keep everybody else from being recorded.
        "provider_id": result.provider_id[:80],
        "code": result.code[:40],
        "detail": result.detail,
        "target": result.target,
        "delay": result.delay,
    }


def listed(values: Iterable[object]) -> str:
    """Numbers or UUIDs as PostgreSQL writes an array; psycopg would take far longer over it."""
    return "{" + ",".join(map(str, values)) + "}"
