"""Many customers at once, merged into those there are: by the merchant's own id, by e-mail address and by phone.

A slice is staged by COPY and written by one statement each for new people, for those we know, and for what was before.
Whoever writes these addresses waits (`events.hold`), so that what is matched stays so until the commit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import connection

from crm import events
from crm.customers import consent, guests
from crm.models import Channel, ConsentEntry, Customer, ImportedCustomer, Suppression, new_customer_id
from crm.models.addressing import address_hashes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from campaigns_project.models import Job

TEXTS = (
    *("external_id", "email", "phone", "first_name", "last_name"),
    *("country", "language", "time_zone", "loyalty_tier"),
)
HASHES = ("email_hash", "phone_hash")
ADDRESSES = ("external_id", "email", "phone")
MOST_ATTRIBUTES = 100
CUSTOMERS, IMPORTED = Customer._meta.db_table, ImportedCustomer._meta.db_table
LEDGER, SILENT = ConsentEntry._meta.db_table, Suppression._meta.db_table

STAGE = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS crm_staged (line bigint PRIMARY KEY, public_id text,
    {", ".join(f"{name} text" for name in (*TEXTS, *Customer.HASHES))}, tags text[], attributes jsonb, channels text[],
    customer_id bigint, found bigint[], created boolean NOT NULL DEFAULT false, reason text, was jsonb, becomes jsonb)
    ON COMMIT DROP;
TRUNCATE crm_staged"""
COPIED = ("line", "public_id", *TEXTS, *Customer.HASHES, "tags", "attributes", "channels")
FILL = f"COPY crm_staged ({', '.join(COPIED)}) FROM STDIN"
# Said as a query, because statistics know nothing of an account that is new, and would have us read all of its rows.
ACCOUNT = "(SELECT %(account)s::bigint)"
# The conditions on '' are those of the unique indexes.
FOUND = f"""
    SELECT c.id FROM {CUSTOMERS} c WHERE c.account_id = {ACCOUNT} AND c.external_id = s.external_id
        AND NOT (c.external_id = '')
    UNION SELECT c.id FROM {CUSTOMERS} c WHERE c.account_id = {ACCOUNT} AND lower(c.email) = lower(s.email)
        AND NOT (c.email = '')
    UNION SELECT c.id FROM {CUSTOMERS} c WHERE c.account_id = {ACCOUNT} AND c.phone = s.phone
        AND NOT (c.phone = '')"""  # noqa: S608 (names of our own tables)
LOCK = f"""
SELECT id FROM {CUSTOMERS} WHERE id IN (SELECT found.id FROM crm_staged s CROSS JOIN LATERAL ({FOUND}) found)
ORDER BY id FOR NO KEY UPDATE"""  # noqa: S608
TWO_PEOPLE = "The id, the e-mail address and the phone number belong to different customers."
OTHER_ID = "The e-mail address or the phone number belongs to a customer with another external_id."
TOO_MANY = f"The customer would have more than {MOST_ATTRIBUTES} attributes."
NO_ADDRESS = "The customer has no address on a channel that the consent is for."
MATCH = f"""
UPDATE crm_staged s SET customer_id = found.one, found = found.ids, reason = CASE
    WHEN found.people > 1 THEN %(two_people)s
    WHEN s.external_id <> c.external_id AND c.external_id <> '' THEN %(other_id)s
    WHEN (SELECT count(*) FROM jsonb_object_keys(c.attributes || s.attributes)) > {MOST_ATTRIBUTES} THEN %(too_many)s
    WHEN ('email' = ANY (s.channels) AND coalesce(s.email, c.email, '') = '')
        OR (s.channels && '{{sms,whatsapp}}' AND coalesce(s.phone, c.phone, '') = '') THEN %(no_address)s END
FROM (SELECT s.line, count(each.id) AS people, min(each.id) AS one, array_agg(each.id) AS ids
    FROM crm_staged s LEFT JOIN LATERAL ({FOUND}) each ON true GROUP BY s.line) found
LEFT JOIN {CUSTOMERS} c ON c.id = found.one
WHERE found.line = s.line"""  # noqa: S608
# Lines after another one about the same customer, and rows that are refused and may be made of several lines.
WAITING = """
SELECT min(line) FROM (SELECT s.line, row_number() OVER (PARTITION BY one ORDER BY s.line) AS place
    FROM crm_staged s CROSS JOIN unnest(s.found) AS one WHERE one IS NOT NULL) hit WHERE place > 1"""
REFUSED = "SELECT line FROM crm_staged WHERE reason IS NOT NULL"
_OLD = ", ".join(f"'{name}', c.{name}" for name in (*TEXTS, "tags", "attributes"))
_NEW = ", ".join(f"'{name}', s.{name}" for name in (*TEXTS, "tags")) + ", 'attributes', c.attributes || s.attributes"
DIFFER = f"""
UPDATE crm_staged s SET was = differs.was, becomes = differs.becomes FROM (
    SELECT s.line, jsonb_object_agg(new.key, old.fields -> new.key) AS was,
        jsonb_object_agg(new.key, new.value) AS becomes
    FROM crm_staged s JOIN {CUSTOMERS} c ON c.id = s.customer_id
    CROSS JOIN LATERAL (SELECT jsonb_build_object({_OLD})) old(fields)
    CROSS JOIN LATERAL jsonb_each(jsonb_build_object({_NEW})) new
    WHERE s.reason IS NULL AND new.value <> 'null' AND new.value <> old.fields -> new.key
    GROUP BY s.line
) differs WHERE differs.line = s.line"""  # noqa: S608
CHANGE = f"""
UPDATE {CUSTOMERS} c SET {", ".join(f"{name} = coalesce(s.{name}, c.{name})" for name in (*TEXTS, *HASHES, "tags"))},
    attributes = coalesce(c.attributes || s.attributes, c.attributes), updated_at = now()
FROM crm_staged s WHERE c.id = s.customer_id AND s.becomes IS NOT NULL"""  # noqa: S608
_BORN = f"""{", ".join(f"coalesce(s.{name}, '')" for name in (*TEXTS, *Customer.HASHES))}, coalesce(s.tags, '{{}}'),
    coalesce(s.attributes, '{{}}')"""
ADD = f"""
WITH born AS (
    INSERT INTO {CUSTOMERS} AS c (account_id, public_id, {", ".join((*TEXTS, *Customer.HASHES))}, tags, attributes,
        updated_at)
    SELECT %(account)s, s.public_id, {_BORN}, now()
    FROM crm_staged s WHERE s.reason IS NULL AND s.customer_id IS NULL ORDER BY s.line
    RETURNING c.id, c.public_id, jsonb_build_object({_OLD}) AS becomes
)
UPDATE crm_staged s SET customer_id = born.id, created = true, becomes = born.becomes
FROM born WHERE s.public_id = born.public_id"""  # noqa: S608
# Of several changes by one import, what was before the first counts, and what is after the last.
REMEMBER = f"""
INSERT INTO {IMPORTED} AS seen (account_id, job_id, customer_id, created, was, becomes)
SELECT %(account)s, %(job)s, s.customer_id, s.created, coalesce(s.was, '{{}}'), coalesce(s.becomes, '{{}}')
FROM crm_staged s WHERE s.reason IS NULL AND (s.becomes IS NOT NULL OR cardinality(s.channels) > 0)
ON CONFLICT (job_id, customer_id) DO UPDATE
    SET was = excluded.was || seen.was, becomes = seen.becomes || excluded.becomes"""  # noqa: S608
OUTCOME = f"""
SELECT s.line, s.reason, s.customer_id, s.created, s.becomes IS NOT NULL AND NOT s.created,
    coalesce(s.becomes ?| '{{email,phone,external_id}}', false), c.public_id, c.email, c.phone, c.external_id
FROM crm_staged s LEFT JOIN {CUSTOMERS} c ON c.id = s.customer_id ORDER BY s.line"""  # noqa: S608
# Nobody who opted out is let in again by a file.
SAY = f"""
WITH given AS (
    SELECT * FROM unnest(%(customers)s::bigint[], %(channels)s::text[], %(acts)s::text[], %(hashes)s::text[],
        %(sources)s::text[]) AS given(customer_id, channel, act, address_hash, source)
), said AS (
    SELECT given.*, EXISTS (SELECT FROM {SILENT} silent WHERE silent.account_id = {ACCOUNT}
            AND silent.channel = given.channel AND silent.address_hash = given.address_hash) AS silent,
        (SELECT entry.act FROM {LEDGER} entry WHERE entry.account_id = {ACCOUNT}
            AND entry.address_hash = given.address_hash AND entry.channel = given.channel
            AND entry.purpose = 'marketing' ORDER BY entry.id + 0 DESC LIMIT 1) AS last
    FROM given
), entered AS (
    INSERT INTO {LEDGER} (account_id, customer_id, channel, purpose, act, address_hash, source, proof)
    SELECT %(account)s, customer_id, channel, 'marketing', act, address_hash, source, %(proof)s::jsonb FROM said
    WHERE last IS DISTINCT FROM act AND NOT (silent AND act = 'granted')
), silenced AS (
    INSERT INTO {SILENT} (account_id, channel, address_hash, reason, source)
    SELECT %(account)s, channel, address_hash, 'opted_out', min(source) FROM said WHERE act = 'withdrawn'
    GROUP BY channel, address_hash ON CONFLICT DO NOTHING
)
SELECT count(*) FROM said WHERE silent AND act = 'granted'"""  # noqa: S608


@dataclass
class Row:
    """One person of a file: fields by name, and by channel whether they agreed and where they said so.

    `lines` are the file's lines that said so, by number, with their cells.
    """

    lines: list[tuple[int, list[str]]]
    fields: dict[str, Any]
    consents: dict[str, tuple[bool, str]] = field(default_factory=dict)

    @property
    def addresses(self) -> dict[str, str]:
        """What the person is known by, in the spelling that is compared."""
        return {name: self.fields[name].lower() for name in ADDRESSES if name in self.fields} | (
            {"external_id": self.fields["external_id"]} if "external_id" in self.fields else {}
        )

    def follow(self, later: Row) -> None:
        """Take in what a later line says of the same person."""
        attributes = {**self.fields.get("attributes", {}), **later.fields.get("attributes", {})}
        self.fields |= later.fields | ({"attributes": attributes} if attributes else {})
        self.consents |= later.consents
        self.lines += later.lines


@dataclass(frozen=True)
class Merged:
    """How many people are new and changed, whose consent an opt-out outweighs, and why rows were not taken in."""

    created: int
    changed: int
    still_opted_out: int
    refused: list[tuple[Row, str]]


def stage(job: Job, rows: Sequence[Row]) -> int | None:
    """Find out whom the rows are about. Returns the first line that must wait for the next slice, None when all fit.

    Call it in the transaction of the job's slice; no two rows may have an address in common.
    """
    names: dict[str, Any] = {"account": job.account_id, "two_people": TWO_PEOPLE, "other_id": OTHER_ID}
    names |= {"too_many": TOO_MANY, "no_address": NO_ADDRESS}
    events.hold(job.account_id, [each for row in rows for each in row.addresses.values()])
    with connection.cursor() as cursor:
        _fill(cursor, job.account_id, rows)
        cursor.execute(LOCK, names)
        cursor.execute(MATCH, names)
        cursor.execute(WAITING)
        waiting = [line for (line,) in cursor.fetchall() if line is not None]
        cursor.execute(REFUSED)
        refused = {line for (line,) in cursor.fetchall()}
    # A line may be refused only for what it says itself.
    waiting += [row.lines[1][0] for row in rows if len(row.lines) > 1 and row.lines[0][0] in refused]
    return min(waiting, default=None)


def merge(job: Job, rows: Sequence[Row]) -> Merged:
    """Write the rows that were staged."""
    by_line = {row.lines[0][0]: row for row in rows}
    with connection.cursor() as cursor:
        for statement in (DIFFER, CHANGE, ADD, REMEMBER):
            cursor.execute(statement, {"account": job.account_id, "job": job.pk})
        cursor.execute(OUTCOME)
        outcome = cursor.fetchall()
    taken = [each for each in outcome if each[1] is None]
    _claim(job, [each for each in taken if each[5]])
    return Merged(
        created=sum(each[3] for each in taken),
        changed=sum(each[4] for each in taken),
        still_opted_out=_say(job, by_line, taken),
        refused=[(by_line[line], reason) for line, reason, *_ in outcome if reason],
    )


def _claim(job: Job, moved: Sequence[Sequence[Any]]) -> None:
    """What happened to these people, and what they used, before they were known by these addresses."""
    events.claim_all(job.account, [each[2] for each in moved])
    guests.become(job.account, [(public_id, email, own) for *_, public_id, email, _phone, own in moved])


def _fill(cursor: Any, account_id: int, rows: Iterable[Row]) -> None:
    cursor.execute(STAGE)
    with cursor.copy(FILL) as sink:
        for row in rows:
            texts = [row.fields.get(name) for name in TEXTS]
            attributes = row.fields.get("attributes")
            public_id = new_customer_id()
            hashes = address_hashes(account_id, public_id, row.fields.get("email", ""), row.fields.get("phone", ""))
            hashed = [hashes[name] or None for name in Customer.HASHES]
            rest = row.fields.get("tags"), json.dumps(attributes) if attributes else None, list(row.consents)
            sink.write_row([row.lines[0][0], public_id, *texts, *hashed, *rest])


def _say(job: Job, rows: Mapping[int, Row], taken: Iterable[Sequence[Any]]) -> int:
    """Enter what the people allowed; returns how many grants an opt-out outweighs."""
    said: list[tuple[Any, ...]] = []
    for line, _reason, pk, _created, _changed, _moved, public_id, email, phone, _own in taken:
        places = {Channel.EMAIL: email, Channel.SMS: phone, Channel.WHATSAPP: phone}
        for channel, (granted, source) in rows[line].consents.items():
            hashed = consent.address_hash(job.account_id, channel, places.get(Channel(channel), public_id))
            act = ConsentEntry.Act.GRANTED if granted else ConsentEntry.Act.WITHDRAWN
            said.append((pk, Channel(channel).value, act.value, hashed, source))
    if not said:
        return 0
    columns = dict(
        zip(("customers", "channels", "acts", "hashes", "sources"), map(list, zip(*said, strict=True)), strict=True)
    )
    with connection.cursor() as cursor:
        cursor.execute(SAY, {**columns, "account": job.account_id, "proof": json.dumps({"job": job.public_id})})
        return int(cursor.fetchone()[0])
