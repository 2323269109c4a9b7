"""Customers as integrators read them, written by PostgreSQL: a page of a list is one statement, no row an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection

from campaigns_project import prepared
from crm.models import Channel, ConsentEntry, Customer, Suppression

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.db.backends.utils import CursorWrapper

    from accounts.models import Account
    from crm.models.people import CustomerQuerySet

# By channel, the column by which the ledger knows the customer's address.
_HASHES = {
    Channel.EMAIL: "email_hash",
    Channel.SMS: "phone_hash",
    Channel.PUSH: "own_hash",
    Channel.WHATSAPP: "phone_hash",
    Channel.MAIL: "own_hash",
}
_CUSTOMERS, _LEDGER, _SILENT = (model._meta.db_table for model in (Customer, ConsentEntry, Suppression))
_ALL = "ARRAY[" + ", ".join(f"'{channel.value}'" for channel in Channel) + "]"


def _standing(channel: Channel, column: str) -> str:
    key = f"('{channel.value} ' || c.{column})"
    return (
        f"""'"{channel.value}":{{"marketing":"' || coalesce(said.acts ->> {key}, 'none') """
        f"""|| '","suppressed":' || (silent.addresses ? {key}) || '}}'"""
    )


def _moment(column: str) -> str:
    return f"""to_char(c.{column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS {column}"""


# Text is put together where its parts are words of ours: a function that builds an object for each takes twice as long.
# What the ledger says of all addresses of the page is looked up at once.
_WRITE = f"""
WITH page AS MATERIALIZED (SELECT * FROM {_CUSTOMERS} WHERE <page>), known AS MATERIALIZED (
    SELECT array_remove(array_agg(email_hash) || array_agg(phone_hash) || array_agg(own_hash), '') AS hashes FROM page
), said AS MATERIALIZED (
    SELECT coalesce(jsonb_object_agg(last.channel || ' ' || last.address_hash, last.act), '{{}}') AS acts FROM (
        SELECT DISTINCT ON (channel, address_hash) channel, address_hash, act FROM {_LEDGER}
        WHERE account_id = %s AND purpose = 'marketing' AND address_hash = ANY((SELECT hashes FROM known)::text[])
        ORDER BY channel, address_hash, id DESC
    ) AS last
), silent AS MATERIALIZED (
    SELECT coalesce(jsonb_object_agg(channel || ' ' || address_hash, true), '{{}}') AS addresses FROM {_SILENT}
    WHERE account_id = %s AND channel = ANY({_ALL}) AND address_hash = ANY((SELECT hashes FROM known)::text[])
)
SELECT page.id, row_to_json(told)::text FROM page, LATERAL (
    SELECT c.public_id AS id, c.external_id, c.email, c.phone, c.first_name, c.last_name, c.country, c.language,
        c.time_zone, c.loyalty_tier, c.tags, c.attributes,
        json_build_object('amount', c.total_spent_minor, 'currency', %s::text) AS total_spent, c.order_count,
        {_moment("last_order_at")},
        ('{{' || {" || ',' || ".join(_standing(channel, column) for channel, column in _HASHES.items())} || '}}')::json
            AS consents,
        {_moment("created_at")}, {_moment("updated_at")}
    FROM (SELECT page.*) AS c, said, silent
) AS told
ORDER BY page.id DESC"""  # noqa: S608 (our own tables and words)


# What the ORM would write; having it write that again and again costs as much Python as all the rest. The plan depends
# on how many are asked for: that is part of the text.
_EVERYBODY = "account_id = %s AND erased_at IS NULL AND id < %s ORDER BY id DESC LIMIT {} OFFSET {}"
_NEWER_THAN_ALL = 2**63 - 1


class Told(NamedTuple):
    """A customer's id in the database, and their JSON."""

    id: int
    json: str


class Everybody:
    """The account's customers, newest first, as `CustomerShape` would show them: rows for `page_of`."""

    model = Customer

    def __init__(self, account: Account) -> None:
        self.account = account

    def count(self, at_most: int | None) -> int:
        return Customer.objects.for_account(self.account).known()[:at_most].count()

    def at(self, start: int, limit: int) -> Iterable[Told]:
        return self._read(_NEWER_THAN_ALL, limit, start)

    def after(self, values: Sequence[int], limit: int) -> Iterable[Told]:
        return self._read(values[0], limit, 0)

    def _read(self, before: int, limit: int, start: int) -> Iterable[Told]:
        # What is asked at many places is not worth keeping a plan for each.
        with connection.cursor() if start else prepared.cursor() as cursor:
            return _read(cursor, self.account, _EVERYBODY.format(int(limit), int(start)), [self.account.pk, before])


def newest(account: Account, customers: CustomerQuerySet) -> Iterable[Told]:
    """The customers of a slice, newest first. Chosen by filters, whose values decide about the plan: it is not kept."""
    try:
        page, params = customers.values("pk").query.sql_with_params()
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        return _read(cursor, account, f"id IN ({page})", params)


def _read(cursor: CursorWrapper, account: Account, page: str, params: Sequence[Any]) -> Iterable[Told]:
    cursor.execute(_WRITE.replace("<page>", page), [*params, account.pk, account.pk, account.currency])
    return [*map(Told._make, cursor.fetchall())]
