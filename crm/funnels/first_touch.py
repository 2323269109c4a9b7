"""When each person reached each stage first: written with the events that say so, and always what a recount says.

Until we know them as a customer, people are known by their phone number, else by their e-mail address. Once they are,
what they did before is theirs. An event that arrives late moves a first touch back. How many first touches a day of the
account's has is counted by PostgreSQL itself, in the same transaction (`FunnelDay`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from accounts.secrets import keyed_hash
from crm.events import ORDER
from crm.models import Event, FirstTouch, FunnelDay, Stage

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from accounts.models import Account
    from crm.events import Written

# What a stage is known by; the first event of any kind is awareness. Of a person's orders the first is the purchase,
# the second activation, the third retention.
STAGES = {
    "page.viewed": Stage.INTEREST,
    "cart.updated": Stage.CONSIDERATION,
    "checkout.started": Stage.INTENT,
    "product.compared": Stage.EVALUATION,
    "account.created": Stage.ONBOARDING,
    "referral.sent": Stage.ADVOCACY,
}
ORDERS = (Stage.PURCHASE, Stage.ACTIVATION, Stage.RETENTION)

_EVENTS, _TOUCHES, _DAYS = (model._meta.db_table for model in (Event, FirstTouch, FunnelDay))
_KNOWN = ", ".join(f"('{kind}', '{stage.value}')" for kind, stage in STAGES.items())
_ORDERS = ", ".join(f"'{stage.value}'" for stage in ORDERS)

# Who an unknown person is. The salt is secret, so that nobody can find a number by trying all of them.
_ADDRESS = "CASE WHEN e.phone = '' THEN lower(e.email) ELSE e.phone END"
_STRANGER = f"encode(sha256(convert_to(%(salt)s || {_ADDRESS}, 'UTF8')), 'hex')"
_HAPPENED = f"""
    happened AS MATERIALIZED (
        SELECT e.account_id, e.customer_id, coalesce(e.customer_id::text, {_STRANGER}) AS person, e.type, e.occurred_at
        FROM {_EVENTS} e
        WHERE {{which}} AND NOT (e.customer_id IS NULL AND e.phone = '' AND e.email = '')
    )"""  # noqa: S608 (our own tables)
_PLAIN = f"""
    SELECT account_id, customer_id, person, '{Stage.AWARENESS.value}' AS stage, min(occurred_at) AS at
    FROM happened GROUP BY account_id, customer_id, person
    UNION ALL
    SELECT account_id, customer_id, person, known.stage, min(occurred_at)
    FROM happened JOIN (VALUES {_KNOWN}) AS known(type, stage) USING (type)
    GROUP BY account_id, customer_id, person, known.stage"""  # noqa: S608 (our own stages)
_RANKED = f"""
    SELECT account_id, customer_id, person, (ARRAY[{_ORDERS}])[turn] AS stage, at
    FROM (SELECT *, row_number() OVER (PARTITION BY account_id, person ORDER BY at) AS turn FROM ordered) AS ranked
    WHERE turn <= 3"""  # noqa: S608 (our own stages)
_NEW_ORDERS = f"""
    SELECT account_id, customer_id, person, occurred_at AS at FROM happened WHERE type = '{ORDER}'"""  # noqa: S608
# Whoever writes somebody's touches, or those of the stranger they were, holds a lock that stands for them until the
# end: the next one waits, then sees what was written. All in one order, and few, so that nobody waits crosswise.
_ALONE = f"""
    SELECT pg_advisory_xact_lock(hashtextextended('first touch ' || bucket, %(account)s)) FROM (
        SELECT DISTINCT hashtext(person) & 31 AS bucket
        FROM {_EVENTS} e, unnest(ARRAY[e.customer_id::text, {_STRANGER}]) AS person
        WHERE e.id = ANY(%(ids)s) AND person IS NOT NULL ORDER BY bucket
    ) AS buckets"""  # noqa: S608 (our own tables)
_KEEP = "ON CONFLICT (account_id, person, stage) DO UPDATE SET at = excluded.at WHERE excluded.at < touch.at"
_WRITE = f"""
    INSERT INTO {_TOUCHES} AS touch (account_id, customer_id, person, stage, at)
    SELECT account_id, customer_id, person, stage, at FROM found ORDER BY account_id, person, stage
    {_KEEP}"""  # noqa: S608 (our own tables)
_TOUCH = f"WITH {_HAPPENED}, found AS ({_PLAIN}) {_WRITE}"
# The three earliest of those known and those new.
_ORDER = f"""
    WITH {_HAPPENED}, ordered AS ({_NEW_ORDERS}
        UNION ALL
        SELECT known.account_id, known.customer_id, known.person, known.at FROM {_TOUCHES} known
        WHERE known.stage IN ({_ORDERS})
        AND (known.account_id, known.person) IN (SELECT account_id, person FROM happened WHERE type = '{ORDER}')
    ), found AS ({_RANKED}) {_WRITE}"""  # noqa: S608 (our own tables)
# Strangers whose events, or some of them, turned out to be a customer's.
_FORGET = f"""
    DELETE FROM {_TOUCHES} touch USING (
        SELECT DISTINCT e.account_id, {_STRANGER} AS person FROM {_EVENTS} e
        WHERE e.id = ANY(%(ids)s) AND e.customer_id IS NOT NULL AND NOT (e.phone = '' AND e.email = '')
    ) AS known
    WHERE touch.account_id = known.account_id AND touch.person = known.person"""  # noqa: S608 (our own tables)
_THOSE = "e.id = ANY(%(ids)s)"
_OF_STRANGERS = """
    e.account_id = %(account)s AND e.customer_id IS NULL AND (e.phone = ANY(%(phones)s)
        OR (lower(e.email) = ANY(%(emails)s) AND NOT (e.email = '') AND e.phone = ''))"""
_ALL = "e.account_id = %(account)s"
_RECOUNT = f"""
    WITH {_HAPPENED.format(which=_ALL)}, ordered AS ({_NEW_ORDERS}), found AS ({_PLAIN} UNION ALL {_RANKED})
    SELECT stage, count(*) FROM found
    WHERE (at AT TIME ZONE %(zone)s)::date BETWEEN %(first)s AND %(last)s GROUP BY stage"""  # noqa: S608 (our own tables)
_FOLD = f"""
    WITH gone AS (
        DELETE FROM {_DAYS} WHERE NOT folded RETURNING account_id, stage, day, people
    )
    INSERT INTO {_DAYS} AS kept (account_id, stage, day, people, folded)
    SELECT account_id, stage, day, sum(people), true FROM gone GROUP BY account_id, stage, day
    ORDER BY account_id, stage, day
    ON CONFLICT (account_id, stage, day) WHERE folded DO UPDATE SET people = kept.people + excluded.people"""  # noqa: S608


def touch(account: Account, written: Sequence[Written]) -> None:
    """Move first touches by events that were just written, or just found their person."""
    ids = [event.id for event in written]
    with connection.cursor() as cursor:
        cursor.execute(_ALONE, {"account": account.pk, "salt": _salt(account), "ids": ids})
    _tell(account, _THOSE, ordered=any(event.type == ORDER for event in written), ids=ids)
    _dissolve(account, [event for event in written if event.customer_id and (event.phone or event.email)])


def _dissolve(account: Account, known: Sequence[Written]) -> None:
    """Nobody is counted twice: those who were strangers at an address that is a customer's are found anew."""
    if not known:
        return
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, {"salt": _salt(account), "ids": [event.id for event in known]})
        forgotten = cursor.rowcount
    if forgotten:
        phones = [event.phone for event in known if event.phone]
        emails = [event.email.lower() for event in known if event.email]
        _tell(account, _OF_STRANGERS, ordered=True, phones=phones, emails=emails)


def aware_sql(written: str) -> str:
    """INSERT for a statement that writes events of customers which mean no more than that they know us; `written` has
    their account_id, customer_id and occurred_at. Who writes any other event elsewhere calls `events.announce`.
    """
    return f"""
    INSERT INTO {_TOUCHES} AS touch (account_id, customer_id, person, stage, at)
    SELECT account_id, customer_id, customer_id::text, '{Stage.AWARENESS.value}', min(occurred_at)
    FROM {written} GROUP BY account_id, customer_id ORDER BY account_id, customer_id::text
    {_KEEP}"""  # noqa: S608 (our own tables)


def rebuild(account: Account) -> None:
    """Find every first touch of the account's anew from its events."""
    with transaction.atomic():
        FirstTouch.objects.for_account(account).delete()
        _tell(account, _ALL, ordered=True)


def recount(account: Account, first: dt.date, last: dt.date) -> dict[str, int]:
    """People by stage whose first touch was from `first` to `last`, both included, counted from all events."""
    span: dict[str, Any] = {"first": first, "last": last, "zone": account.time_zone}
    with connection.cursor() as cursor:
        cursor.execute(_RECOUNT, {"account": account.pk, "salt": _salt(account), **span})
        return dict(cursor.fetchall())


def fold() -> None:
    """Make one row of a day's many."""
    with connection.cursor() as cursor:
        cursor.execute(_FOLD)


def _tell(account: Account, which: str, *, ordered: bool, **given: Any) -> None:
    names: dict[str, Any] = {"account": account.pk, "salt": _salt(account), **given}
    with connection.cursor() as cursor:
        for statement in (_TOUCH, _ORDER) if ordered else (_TOUCH,):
            cursor.execute(statement.format(which=which), names)


def _salt(account: Account) -> str:
    return keyed_hash("funnel person", str(account.pk))
