"""Somebody who used promo codes as a guest and is a customer now: what they used counts as the customer's.

Promos know a guest by a keyed hash of the e-mail address or the merchant's id (`redeeming.person_of`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from crm.models import Promo, PromoShare, PromoUse
from crm.offers.redeeming import guest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from accounts.models import Account

PROMOS, SHARES, USES = (model._meta.db_table for model in (Promo, PromoShare, PromoUse))
_KNOWN = "unnest(%(guests)s::text[], %(people)s::text[]) AS known(guest, person)"
# The promo's row first, as everybody who counts uses.
LOCK = f"""
SELECT id FROM {PROMOS} promo WHERE account_id = %(account)s AND used > 0 AND EXISTS (
    SELECT FROM {_KNOWN} JOIN {SHARES} share ON share.promo_id = promo.id AND share.person = known.guest)
ORDER BY id FOR UPDATE"""  # noqa: S608 (names of our own tables)
# Together they may be beyond the limit: then nothing more is given, and nothing is taken back.
MERGE = f"""
WITH gone AS (
    DELETE FROM {SHARES} share USING {_KNOWN}
    WHERE share.promo_id = ANY (%(promos)s::bigint[]) AND share.person = known.guest
    RETURNING share.promo_id, known.person, share.used, share.most
)
INSERT INTO {SHARES} AS share (account_id, promo_id, person, used, most)
SELECT %(account)s, promo_id, person, sum(used),
    CASE WHEN bool_and(most IS NOT NULL) THEN greatest(max(most), sum(used)) END
FROM gone GROUP BY promo_id, person ORDER BY promo_id, person
ON CONFLICT (promo_id, person) DO UPDATE SET used = share.used + excluded.used,
    most = CASE WHEN share.most IS NOT NULL THEN greatest(share.most, share.used + excluded.used) END"""  # noqa: S608
RENAME = f"""
UPDATE {USES} line SET person = known.person FROM {_KNOWN}
WHERE line.promo_id = ANY (%(promos)s::bigint[]) AND line.person = known.guest"""  # noqa: S608


def become(account: Account, people: Iterable[tuple[str, str, str]]) -> None:
    """These are customers now: by public id, their e-mail address and the merchant's id for them ("" for none)."""
    known: dict[str, str] = {}
    for public_id, email, external_id in people:
        known |= {guest(account, email=email): public_id} if email else {}
        known |= {guest(account, customer_id=external_id): public_id} if external_id else {}
    names: dict[str, Any] = {"account": account.pk, "guests": list(known), "people": list(known.values())}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK, names)
        promos = [pk for (pk,) in cursor.fetchall()]
        for statement in (MERGE, RENAME) if promos else ():
            cursor.execute(statement, {**names, "promos": promos})
