"""Somebody who used codes as a guest and is a customer now: what they used counts as the customer's.

Promos and coupons know a guest by a keyed hash of the e-mail address or the merchant's id (`redeeming.person_of`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection, transaction

from crm.models import Promo, PromoShare, PromoUse
from crm.offers.redeeming import guest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.db.models import Model

    from accounts.models import Account

_KNOWN = "unnest(%(guests)s::text[], %(people)s::text[]) AS known(guest, person)"
# The offer's row first, as everybody who counts uses.
LOCK = f"""
SELECT id FROM {{offers}} offer WHERE account_id = %(account)s AND used > 0 AND EXISTS (
    SELECT FROM {_KNOWN} JOIN {{shares}} share ON share.{{offer}} = offer.id AND share.person = known.guest)
ORDER BY id FOR UPDATE"""  # noqa: S608 (names of our own tables)
# Together they may be beyond the limit: then nothing more is given, and nothing is taken back.
MERGE = f"""
WITH gone AS (
    DELETE FROM {{shares}} share USING {_KNOWN}
    WHERE share.{{offer}} = ANY (%(offers)s) AND share.person = known.guest
    RETURNING share.{{offer}}, known.person, share.used, share.most
)
INSERT INTO {{shares}} AS share (account_id, {{offer}}, person, used, most)
SELECT %(account)s, {{offer}}, person, sum(used),
    CASE WHEN bool_and(most IS NOT NULL) THEN greatest(max(most), sum(used)) END
FROM gone GROUP BY {{offer}}, person ORDER BY {{offer}}, person
ON CONFLICT ({{offer}}, person) DO UPDATE SET used = share.used + excluded.used,
    most = CASE WHEN share.most IS NOT NULL THEN greatest(share.most, share.used + excluded.used) END"""  # noqa: S608
RENAME = f"""
UPDATE {{uses}} line SET person = known.person FROM {_KNOWN}
WHERE line.{{offer}} = ANY (%(offers)s) AND line.person = known.guest"""  # noqa: S608


class Ledger(NamedTuple):
    """The tables that count who used what: `offer` is the column of the other two that names a row of `offers`."""

    offers: str
    shares: str
    uses: str
    offer: str

    @classmethod
    def of(cls, offers: type[Model], shares: type[Model], uses: type[Model], offer: str) -> Ledger:
        return cls(offers._meta.db_table, shares._meta.db_table, uses._meta.db_table, offer)


_ledgers = [Ledger.of(Promo, PromoShare, PromoUse, "promo_id")]


def also(ledger: Ledger) -> None:
    """Another domain counts people the same way. Call it in AppConfig.ready()."""
    _ledgers.append(ledger)


def counted_in() -> Iterator[str]:
    """SQL that the customer `c` is counted in a ledger, one for each."""
    for ledger in _ledgers:
        yield (
            f"EXISTS (SELECT FROM {ledger.shares} share WHERE share.account_id = c.account_id "
            "AND share.person = c.public_id)"
        )


def become(account: Account, people: Iterable[tuple[str, str, str]]) -> None:
    """These are customers now: by public id, their e-mail address and the merchant's id for them ("" for none)."""
    known: dict[str, str] = {}
    for public_id, email, external_id in people:
        known |= {guest(account, email=email): public_id} if email else {}
        known |= {guest(account, customer_id=external_id): public_id} if external_id else {}
    names: dict[str, Any] = {"account": account.pk, "guests": list(known), "people": list(known.values())}
    with transaction.atomic(), connection.cursor() as cursor:
        for tables in (ledger._asdict() for ledger in _ledgers):
            cursor.execute(LOCK.format(**tables), names)
            offers = [pk for (pk,) in cursor.fetchall()]
            for statement in (MERGE, RENAME) if offers else ():
                cursor.execute(statement.format(**tables), {**names, "offers": offers})
