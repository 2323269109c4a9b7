"""An import undone: whom it made is gone if nothing happened to them since, what it changed is as before unless it
was changed again, and what it granted is withdrawn. It runs as a job, in slices.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from campaigns_project import jobs
from campaigns_project.models import Job
from campaigns_project.refusals import Conflict
from crm import events
from crm.customers import guests
from crm.customers.importing import KIND as IMPORT
from crm.customers.merging import CUSTOMERS, HASHES, IMPORTED, LEDGER, TEXTS
from crm.models import ConsentEntry, Customer, ImportedCustomer
from crm.models.addressing import address_hashes

if TYPE_CHECKING:
    from collections.abc import Iterator

KIND = "customer_import_undo"
SLICE = 2_000
SOURCE = "import undone"
_NOW = ", ".join(f"'{name}', c.{name}" for name in (*TEXTS, "tags", "attributes"))
_FIRST = f"""
WITH slice AS MATERIALIZED (
    SELECT * FROM {IMPORTED} WHERE job_id = %(job)s AND created = %(made)s AND customer_id > %(after)s
    ORDER BY customer_id LIMIT %(slice)s
)"""  # noqa: S608
# Addresses they have, and those they may have again.
WHOSE = f"""{_FIRST}
SELECT c.email, c.phone, c.external_id, slice.was ->> 'email', slice.was ->> 'phone', slice.was ->> 'external_id'
FROM {CUSTOMERS} c JOIN slice ON slice.customer_id = c.id"""  # noqa: S608 (names of our own tables)
LOCK = f"""{_FIRST}
SELECT c.id FROM {CUSTOMERS} c JOIN slice ON slice.customer_id = c.id
ORDER BY c.id FOR UPDATE OF c"""  # noqa: S608
# Nothing happened to them and nobody wrote them since: then they are as if they had never been.
REMOVABLE = f"""
SELECT c.id FROM {CUSTOMERS} c JOIN {IMPORTED} seen ON seen.customer_id = c.id AND seen.job_id = %(job)s
WHERE c.id = ANY (%(ids)s::bigint[]) AND seen.created AND c.erased_at IS NULL
    AND jsonb_build_object({_NOW}) = seen.becomes
    AND NOT EXISTS (SELECT FROM {LEDGER} entry WHERE entry.customer_id = c.id AND entry.account_id = c.account_id
        AND coalesce(entry.proof ->> 'import', entry.proof ->> 'job') IS DISTINCT FROM %(public_id)s)
    AND {{untouched}}"""  # noqa: S608


def _taken(same: str, name: str) -> str:
    """SQL: somebody else has this value. Beside what an index can tell, the condition on '' is the index's own."""
    return (
        f"EXISTS (SELECT FROM {CUSTOMERS} other WHERE other.account_id = c.account_id AND {same} "
        f"AND NOT (other.{name} = '') AND other.id <> c.id)"
    )


# Field by field: what somebody changed again stays, and an address that somebody else has by now.
BEFORE = f"""
SELECT c.id, c.public_id, c.email, c.phone, jsonb_object_agg(each.key, each.value)::text
FROM {CUSTOMERS} c JOIN {IMPORTED} seen ON seen.customer_id = c.id AND seen.job_id = %(job)s
CROSS JOIN LATERAL (SELECT jsonb_build_object({_NOW})) now(fields)
CROSS JOIN LATERAL jsonb_each(seen.was) each
WHERE c.id = ANY (%(ids)s::bigint[]) AND NOT seen.created AND c.erased_at IS NULL
    AND now.fields -> each.key = seen.becomes -> each.key
    AND NOT (each.key = 'external_id' AND {_taken("other.external_id = each.value #>> '{}'", "external_id")})
    AND NOT (each.key = 'phone' AND {_taken("other.phone = each.value #>> '{}'", "phone")})
    AND NOT (each.key = 'email' AND {_taken("lower(other.email) = lower(each.value #>> '{}')", "email")})
GROUP BY c.id"""  # noqa: S608
_BACK = ", ".join(f"{name} = coalesce(back.fields ->> '{name}', c.{name})" for name in (*TEXTS, *HASHES))
RESTORE = f"""
UPDATE {CUSTOMERS} c SET {_BACK}, updated_at = now(),
    tags = CASE WHEN back.fields ? 'tags'
        THEN ARRAY(SELECT jsonb_array_elements_text(back.fields -> 'tags')) ELSE c.tags END,
    attributes = coalesce(back.fields -> 'attributes', c.attributes)
FROM unnest(%(back)s::bigint[], %(fields)s::jsonb[]) AS back(id, fields) WHERE c.id = back.id"""  # noqa: S608
# What the import granted and nobody said anything about since.
WITHDRAW = f"""
INSERT INTO {LEDGER} (account_id, customer_id, channel, purpose, act, address_hash, source, proof)
SELECT account_id, customer_id, channel, purpose, 'withdrawn', address_hash, %(source)s, %(proof)s::jsonb
FROM (SELECT DISTINCT ON (last.channel, last.address_hash) last.* FROM {LEDGER} given
    JOIN {LEDGER} last ON last.account_id = given.account_id AND last.address_hash = given.address_hash
        AND last.channel = given.channel AND last.purpose = given.purpose
    WHERE given.customer_id = ANY (%(ids)s::bigint[]) AND given.account_id = %(account)s
        AND given.proof ->> 'job' = %(public_id)s
    ORDER BY last.channel, last.address_hash, last.id DESC) word
WHERE act = 'granted' AND proof ->> 'job' = %(public_id)s"""  # noqa: S608
GONE = (
    f"UPDATE {LEDGER} SET customer_id = NULL WHERE account_id = %(account)s AND customer_id = ANY (%(gone)s::bigint[])",  # noqa: S608
    f"DELETE FROM {IMPORTED} WHERE customer_id = ANY (%(gone)s::bigint[])",  # noqa: S608
    f"DELETE FROM {CUSTOMERS} WHERE id = ANY (%(gone)s::bigint[])",  # noqa: S608
)


class NotOver(Conflict):
    code = "import_running"
    message = "The import is still running. Cancel it first, or wait until it is done."


class UndoneBefore(Conflict):
    code = "import_undone"
    message = "This import has been undone already."


def undo(job: Job, *, by: Any) -> Job:
    """Begin to undo an import that is over; returns the job that does. Raises NotOver, UndoneBefore."""
    with transaction.atomic():
        locked = Job.objects.select_for_update().get(pk=job.pk, kind=IMPORT)
        if locked.status in jobs.OPEN:
            raise NotOver
        if "undone_by" in locked.params:
            raise UndoneBefore
        total = ImportedCustomer.objects.filter(job=locked).count()
        params = {"import": locked.pk, "import_id": locked.public_id}
        undoing = jobs.create(KIND, account=locked.account, by=by, total=total, params=params)
        locked.params["undone_by"] = undoing.public_id
        locked.save(update_fields=["params"])
    return undoing


@jobs.runs(KIND)
def run_slice(job: Job) -> bool:
    """Undo the next customers; True when none is left. `result` says how many were removed, restored and kept.

    Those whom the import made go first, so that their addresses are free again.
    """
    names: dict[str, Any] = {
        "job": job.params["import"],
        "public_id": job.params["import_id"],
        "account": job.account_id,
        "made": job.params.get("made", True),
        "after": job.params.get("after", 0),
        "slice": SLICE,
        "source": SOURCE,
        "proof": json.dumps({"job": job.public_id, "import": job.params["import_id"]}),
    }
    with connection.cursor() as cursor:
        cursor.execute(WHOSE, names)
        events.hold(job.account_id, [address for row in cursor.fetchall() for address in row])
        cursor.execute(LOCK, names)
        names["ids"] = [row[0] for row in cursor.fetchall()]
        cursor.execute(WITHDRAW, names)
        counted = {"consents_withdrawn": cursor.rowcount}
        counted |= _remove(cursor, names) if names["made"] else _restore(cursor, names)
    return _count(job, names, counted)


def _remove(cursor: Any, names: dict[str, Any]) -> dict[str, int]:
    cursor.execute(REMOVABLE.format(untouched=" AND ".join(_untouched())), names)
    names["gone"] = [row[0] for row in cursor.fetchall()]
    for statement in GONE:
        cursor.execute(statement, names)
    return {"removed": len(names["gone"]), "kept": len(names["ids"]) - len(names["gone"])}


def _restore(cursor: Any, names: dict[str, Any]) -> dict[str, int]:
    cursor.execute(BEFORE, names)
    back: dict[int, str] = {}
    for pk, public_id, email, phone, was in cursor.fetchall():
        fields = json.loads(was)
        addresses = fields.get("email", email), fields.get("phone", phone)
        back[pk] = json.dumps(fields | address_hashes(names["account"], public_id, *addresses))
    cursor.execute(RESTORE, {"back": list(back), "fields": list(back.values())})
    return {"restored": len(back), "kept": len(names["ids"]) - len(back)}


def _untouched() -> Iterator[str]:
    """SQL that nothing points at the customer `c`, but for what the import itself wrote."""
    yield from (f"NOT {counted}" for counted in guests.counted_in())
    for relation in Customer._meta.get_fields(include_hidden=True):
        model: Any = relation.related_model
        if relation.one_to_many and model not in (ConsentEntry, ImportedCustomer):
            column = relation.field.column  # type: ignore[union-attr]  # a relation to us has one
            yield (
                f"NOT EXISTS (SELECT FROM {model._meta.db_table} other WHERE other.{column} = c.id "
                "AND other.account_id = c.account_id)"
            )


def _count(job: Job, names: dict[str, Any], counted: dict[str, int]) -> bool:
    """Add to the job's counts and note its place; True when the last customer was looked at."""
    ids, over = names["ids"], len(names["ids"]) < SLICE
    nothing = dict.fromkeys(("removed", "restored", "kept", "consents_withdrawn"), 0)
    job.result = {name: n + counted.get(name, 0) for name, n in (nothing | job.result).items()}
    job.params |= {"made": names["made"] and not over, "after": 0 if over else ids[-1]}
    job.save(update_fields=["params", "result"])
    jobs.progress(job, done=len(ids))
    return over and not names["made"]
