"""How promo codes are used: exactly as often as their limits say, and each order once.

Whoever takes (`crm.offers.admitting`) or gives back a use locks the promo's row first, so that nobody waits for anybody
crosswise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from accounts.secrets import keyed_hash
from campaigns_project.refusals import Conflict, Invalid, NotFound
from crm.models import Customer, PromoUse
from crm.offers.admitting import PROMOS, SHARES, USES, Basket, Wish, admit, judge
from crm.offers.promos import PromoUnknown

if TYPE_CHECKING:
    from accounts.models import Account

# Gives back the uses it is told, once each. The promo's row is locked.
_GIVE_BACK = f"""
    WITH ended AS (
        UPDATE {USES} SET ended_at = clock_timestamp()
        WHERE promo_id = %(promo)s AND quantity = 1 AND ended_at IS NULL AND {{which}}
        RETURNING *
    ), line AS (
        INSERT INTO {USES} (account_id, public_id, promo_id, order_id, person, quantity, order_amount, discount,
                            reversal_of_id, reason)
        SELECT account_id, 'rev_' || substr(public_id, 5), promo_id, order_id, person, -1, order_amount, discount,
               id, %(reason)s
        FROM ended
    ), fewer AS (
        UPDATE {SHARES} AS share SET used = share.used - gone.uses
        FROM (SELECT person, count(*) AS uses FROM ended GROUP BY person) AS gone
        WHERE share.promo_id = %(promo)s AND share.person = gone.person
    )
    UPDATE {PROMOS} SET used = used - gone.uses, spent = spent - gone.given
    FROM (SELECT count(*) AS uses, sum(discount) AS given FROM ended) AS gone
    WHERE id = %(promo)s AND gone.uses > 0
    RETURNING gone.uses"""  # noqa: S608 (names of our own tables)
_OVERDUE = "redeemed_at IS NULL AND held_until <= clock_timestamp()"
_OVERDUE_PROMOS = f"""
    SELECT DISTINCT promo_id FROM {USES} WHERE {_OVERDUE} AND ended_at IS NULL AND quantity = 1
    AND (%(promo)s::bigint IS NULL OR promo_id = %(promo)s) ORDER BY promo_id"""  # noqa: S608 (our own table)
_COMMIT = f"""
    UPDATE {USES} SET redeemed_at = clock_timestamp()
    WHERE id = %s AND redeemed_at IS NULL AND ended_at IS NULL AND held_until > clock_timestamp()"""  # noqa: S608


class Refused(Conflict):
    """A known code that may not be used now; the code of the refusal is the reason."""

    reasons = {
        "promo_not_active": "This code is disabled.",
        "promo_not_started": "This code is not valid yet.",
        "promo_expired": "This code is no longer valid.",
        "not_in_segment": "This code is for other customers.",
        "min_order_not_met": "The order is too small for this code.",
        "product_mismatch": "Nothing in this order is what the code is for.",
        "promo_exhausted": "This code has been used up.",
        "customer_limit_reached": "This customer has used the code as often as it may be used.",
    }

    def __init__(self, reason: str) -> None:
        self.code = reason
        super().__init__(self.reasons[reason])


class ReservationOver(Conflict):
    code = "reservation_over"
    message = "This reservation has been released, or its time is over."


class AlreadyRedeemed(Conflict):
    code = "reservation_committed"
    message = "This reservation has been committed: roll the redemption back instead."


class OrderDiffers(Conflict):
    code = "order_id_reused"
    message = "This order used the code before, for another customer or another amount."


def person_of(account: Account, *, customer_id: str = "", email: str = "") -> str:
    """Who is counted: a customer we know by id, own reference or e-mail address; else a keyed hash of what was said.

    Raises Invalid for an id of ours that is nobody's.
    """
    known = Customer.objects.for_account(account)
    if email:
        found = known.filter(email__iexact=email).first()
    elif customer_id.startswith("cust_"):
        found = known.filter(public_id=customer_id).first()
        if found is None:
            raise Invalid(details={"customer_id": ["There is no such customer."]})
    else:
        found = known.filter(external_id=customer_id).first()
    return found.public_id if found else guest(account, customer_id=customer_id, email=email)


def guest(account: Account, *, customer_id: str = "", email: str = "") -> str:
    """How somebody is counted who is no customer."""
    return keyed_hash("promo person", str(account.pk), email.lower() or f"={customer_id}")


def ask(account: Account, code: str, basket: Basket) -> int:
    """The discount the basket would get now. Raises PromoUnknown and Refused; changes nothing."""
    verdict = judge(Wish(account.pk, code, basket))
    if verdict.promo is None:
        raise PromoUnknown
    if verdict.reason:
        raise Refused(verdict.reason)
    return verdict.discount


def redeem(account: Account, code: str, basket: Basket) -> PromoUse:
    """The order's use, redeemed: a new one, the one it redeemed before, or the one it holds.

    Raises PromoUnknown, Refused, OrderDiffers.
    """
    use = _take(account, code, basket, hold=None)
    return use if use.redeemed_at else commit(account, use.public_id)


def reserve(account: Account, code: str, basket: Basket, *, seconds: int) -> PromoUse:
    """A use held for the order: it counts at once, and is given back by itself after `seconds`.

    The order's present hold stays as it is. Raises PromoUnknown, Refused, OrderDiffers, AlreadyRedeemed.
    """
    use = _take(account, code, basket, hold=seconds)
    if use.redeemed_at:
        raise AlreadyRedeemed
    return use


def commit(account: Account, public_id: str) -> PromoUse:
    """Redeem what is held; doing so twice changes nothing. Raises NotFound, ReservationOver."""
    use = _use(account, public_id)
    with connection.cursor() as cursor:
        cursor.execute(_COMMIT, [use.pk])
    use.refresh_from_db()
    if use.redeemed_at is None or use.ended_at is not None:
        raise ReservationOver
    return use


def release(account: Account, public_id: str) -> PromoUse:
    """Give back what is held; doing so twice changes nothing. Raises NotFound, AlreadyRedeemed."""
    use = _use(account, public_id)
    _give_back(use.promo_id, "id = %(use)s AND redeemed_at IS NULL", reason="released", use=use.pk)
    use.refresh_from_db()
    if use.redeemed_at is not None:
        raise AlreadyRedeemed
    return use


def rollback(account: Account, public_id: str, *, reason: str = "") -> PromoUse:
    """Give a redemption back; doing so twice changes nothing. Raises NotFound, also for what is only held."""
    use = _use(account, public_id)
    if use.redeemed_at is None:
        raise NotFound
    _give_back(use.promo_id, "id = %(use)s", reason=reason or "rolled back", use=use.pk)
    use.refresh_from_db()
    return use


def give_back_overdue(promo: int | None = None) -> int:
    """Give back what was held too long, of one promo or of all; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERDUE_PROMOS, {"promo": promo})
        due = [row[0] for row in cursor.fetchall()]
    return sum(_give_back(each, _OVERDUE, reason="time over") for each in due)


def _take(account: Account, code: str, basket: Basket, *, hold: int | None) -> PromoUse:
    wish = Wish(account.pk, code, basket, hold)
    verdict = admit(wish)
    if verdict.promo is None:
        raise PromoUnknown
    # What was held too long may be what is in the way.
    if (verdict.reason or verdict.present) and give_back_overdue(verdict.promo):
        verdict = admit(wish)
    if verdict.reason:
        raise Refused(verdict.reason)
    uses = PromoUse.objects.for_account(account).select_related("promo")
    use = verdict.use or uses.get(pk=verdict.present or 0)
    if (use.person, use.order_amount) != (basket.person, basket.order_amount):
        raise OrderDiffers
    return use


def _use(account: Account, public_id: str) -> PromoUse:
    uses = PromoUse.objects.for_account(account).select_related("promo")
    use = uses.filter(public_id=public_id, quantity=1).first()
    if use is None:
        raise NotFound
    return use


def _give_back(promo: int, which: str, **given: Any) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT FROM {PROMOS} WHERE id = %s FOR NO KEY UPDATE", [promo])
        cursor.execute(_GIVE_BACK.format(which=which), {"promo": promo, **given})
        row = cursor.fetchone()
    return 0 if row is None else int(row[0])
