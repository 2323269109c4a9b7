"""How coupons are used: exactly as often as their limits say, and each order once.

Whoever takes (`coupons.admitting`) or gives back a use locks the campaign's row first, so that nobody waits for anybody
crosswise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import Q

from campaigns_project.refusals import Conflict, NotFound
from coupons.admitting import (
    CAMPAIGNS,
    COUPONS,
    SHARES,
    USES,
    Cart,
    CouponUnknown,
    Verdict,
    Wish,
    admit,
    judge,
    line_of,
)
from coupons.models import CouponUse

if TYPE_CHECKING:
    import uuid

    from accounts.models import Account

__all__ = ["Cart", "CouponUnknown", "Refused", "ask", "commit", "redeem", "release", "reserve", "rollback"]

# Gives back the uses it is told, once each. The campaign's row is locked.
_GIVE_BACK = f"""
    WITH ended AS (
        UPDATE {USES} SET ended_at = clock_timestamp()
        WHERE campaign_id = %(campaign)s AND quantity = 1 AND ended_at IS NULL AND {{which}}
        RETURNING *, discount - returned AS kept
    ), line AS (
        INSERT INTO {USES} (id, account_id, campaign_id, coupon_id, order_id, person, quantity, cart_value, discount,
                            currency, reversal_of_id, reason)
        SELECT gen_random_uuid(), account_id, campaign_id, coupon_id, order_id, person, -1, cart_value, -kept,
               currency, id, %(reason)s
        FROM ended
    ), fewer AS (
        UPDATE {SHARES} AS share SET used = share.used - gone.uses
        FROM (SELECT person, count(*) AS uses FROM ended GROUP BY person) AS gone
        WHERE share.campaign_id = %(campaign)s AND share.person = gone.person
    ), free AS (
        UPDATE {COUPONS} AS coupon SET used_count = coupon.used_count - gone.uses
        FROM (SELECT coupon_id, count(*) AS uses FROM ended GROUP BY coupon_id) AS gone
        WHERE coupon.id = gone.coupon_id
    )
    UPDATE {CAMPAIGNS} SET used = used - gone.uses, spent = spent - gone.given
    FROM (SELECT count(*) AS uses, sum(kept) AS given FROM ended) AS gone
    WHERE id = %(campaign)s AND gone.uses > 0
    RETURNING gone.uses"""  # noqa: S608 (names of our own tables)
# A part of what a redemption gave: the use goes on counting, the budget has it back.
_GIVE_BACK_PART = f"""
    WITH part AS (
        UPDATE {USES} SET returned = returned + %(amount)s
        WHERE id = %(use)s AND quantity = 1 AND redeemed_at IS NOT NULL AND ended_at IS NULL
            AND returned + %(amount)s <= discount
        RETURNING *
    ), line AS (
        INSERT INTO {USES} (id, account_id, campaign_id, coupon_id, order_id, person, quantity, cart_value, discount,
                            currency, reversal_of_id, reason)
        SELECT gen_random_uuid(), account_id, campaign_id, coupon_id, order_id, person, 0, cart_value, -%(amount)s,
               currency, id, %(reason)s
        FROM part
    )
    UPDATE {CAMPAIGNS} SET spent = spent - %(amount)s FROM part
    WHERE {CAMPAIGNS}.id = part.campaign_id RETURNING {CAMPAIGNS}.id"""  # noqa: S608 (names of our own tables)
_OVERDUE = "redeemed_at IS NULL AND held_until <= clock_timestamp()"
_OVERDUE_CAMPAIGNS = f"""
    SELECT DISTINCT campaign_id FROM {USES} WHERE {_OVERDUE} AND ended_at IS NULL AND quantity = 1
    AND (%(campaign)s::uuid IS NULL OR campaign_id = %(campaign)s) ORDER BY campaign_id"""  # noqa: S608 (our own table)
# What was held is a promise of a place, not of a campaign that somebody has stopped or that has ended.
_COMMIT = f"""
    UPDATE {USES} AS held SET redeemed_at = clock_timestamp() FROM {CAMPAIGNS} AS campaign, {COUPONS} AS coupon
    WHERE held.id = %s AND held.redeemed_at IS NULL AND held.ended_at IS NULL AND held.held_until > clock_timestamp()
        AND campaign.id = held.campaign_id AND campaign.status = 'active' AND campaign.ends_at > clock_timestamp()
        AND coupon.id = held.coupon_id AND coupon.status = 'active'"""  # noqa: S608 (names of our own tables)


class Refused(Conflict):
    """A known code that may not be used now; the code of the refusal is the reason."""

    reasons = {
        "coupon_not_active": "This coupon is not active.",
        "coupon_not_started": "This coupon is not valid yet.",
        "coupon_expired": "This coupon is no longer valid.",
        "currency_differs": "This coupon is for another currency.",
        "not_in_segment": "This coupon is for other customers.",
        "min_cart_value_not_met": "The cart is too small for this coupon.",
        "product_mismatch": "Nothing in this cart is what the coupon is for.",
        "coupon_exhausted": "This coupon has been used up.",
        "customer_limit_reached": "This customer has used coupons of this campaign as often as allowed.",
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
    message = "This order used the coupon before, for another customer or another cart."


class TooMuchBack(Conflict):
    code = "rollback_exceeds_discount"
    message = "That is more than this redemption still gives."


def ask(account: Account, code: str, cart: Cart) -> Verdict:
    """What the cart would get now. Raises CouponUnknown and Refused; changes nothing."""
    verdict = judge(_wish(account, code, cart))
    if verdict.reason:
        raise Refused(verdict.reason)
    return verdict


def redeem(account: Account, code: str, cart: Cart) -> CouponUse:
    """The order's use, redeemed: a new one, the one it redeemed before, or the one it holds.

    Raises CouponUnknown, Refused, OrderDiffers.
    """
    use = _take(account, code, cart, hold=None)
    return use if use.redeemed_at else commit(account, use.pk)


def reserve(account: Account, code: str, cart: Cart, *, seconds: int) -> CouponUse:
    """A use held for the order: it counts at once, and is given back by itself after `seconds`.

    The order's present hold stays as it is. Raises CouponUnknown, Refused, OrderDiffers, AlreadyRedeemed.
    """
    use = _take(account, code, cart, hold=seconds)
    if use.redeemed_at:
        raise AlreadyRedeemed
    return use


def commit(account: Account, pk: uuid.UUID) -> CouponUse:
    """Redeem what is held; doing so twice changes nothing. Raises NotFound, ReservationOver, Refused."""
    _use(account, pk)
    with connection.cursor() as cursor:
        cursor.execute(_COMMIT, [pk])
    use = _use(account, pk)
    if use.ended_at is not None:
        raise ReservationOver
    if use.redeemed_at is None:
        raise _why_not(account, use)
    return use


def release(account: Account, pk: uuid.UUID) -> CouponUse:
    """Give back what is held; doing so twice changes nothing. Raises NotFound, AlreadyRedeemed."""
    use = _use(account, pk)
    _give_back(use.campaign_id, "id = %(use)s AND redeemed_at IS NULL", reason="released", use=pk)
    use = _use(account, pk)
    if use.redeemed_at is not None:
        raise AlreadyRedeemed
    return use


def rollback(account: Account, pk: uuid.UUID, *, amount: int | None = None, reason: str = "") -> CouponUse:
    """Give a redemption back, whenever it was; doing so twice changes nothing.

    With `amount` only so much of its discount, as often as there is some left: the use itself goes on counting.
    Raises NotFound, also for what is only held, and TooMuchBack.
    """
    use = _use(account, pk)
    if use.redeemed_at is None:
        raise NotFound
    reason = reason or "rolled back"
    if amount is None:
        _give_back(use.campaign_id, "id = %(use)s", reason=reason, use=pk)
    elif not _write(use.campaign_id, _GIVE_BACK_PART, {"use": pk, "amount": amount, "reason": reason}):
        raise TooMuchBack
    return _use(account, pk)


def give_back_overdue(campaign: uuid.UUID | None = None) -> int:
    """Give back what was held too long, of one campaign or of all; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERDUE_CAMPAIGNS, {"campaign": campaign})
        due = [row[0] for row in cursor.fetchall()]
    return sum(_give_back(each, _OVERDUE, reason="time over") for each in due)


def _wish(account: Account, code: str, cart: Cart, hold: int | None = None) -> Wish:
    # Control characters are in no code, and PostgreSQL takes not all of them.
    if not code.isprintable():
        raise CouponUnknown
    return Wish(account.pk, account.currency, code, cart, hold)


def _take(account: Account, code: str, cart: Cart, *, hold: int | None) -> CouponUse:
    wish = _wish(account, code, cart, hold)
    verdict = admit(wish)
    # What was held too long may be what is in the way.
    if (verdict.reason or verdict.present) and give_back_overdue(verdict.campaign):
        verdict = admit(wish)
    if verdict.reason:
        raise Refused(verdict.reason)
    use = line_of(wish, verdict) if verdict.at else _use(account, verdict.present)
    if (use.person, use.cart_value) != (cart.person, cart.value):
        raise OrderDiffers
    return use


def _use(account: Account, pk: uuid.UUID | None) -> CouponUse:
    uses = CouponUse.objects.for_account(account).select_related("coupon", "campaign")
    use = uses.filter(Q(pk=pk), quantity=1).first()
    if use is None:
        raise NotFound
    return use


def _why_not(account: Account, use: CouponUse) -> Conflict:
    """Why a hold that is still there cannot be redeemed: its time, or the coupon's."""
    # Of another order, so that the hold itself does not answer.
    told = judge(_wish(account, use.coupon.code, Cart(use.person, use.cart_value)))
    stopped = told.reason in ("coupon_not_active", "coupon_expired")
    return Refused(told.reason) if stopped else ReservationOver()


def _give_back(campaign: uuid.UUID, which: str, **given: Any) -> int:
    row = _write(campaign, _GIVE_BACK.format(which=which), {"campaign": campaign, **given})
    return 0 if row is None else int(row[0])


def _write(campaign: uuid.UUID, statement: str, given: dict[str, Any]) -> tuple[Any, ...] | None:
    """The first row of a statement that needs the campaign's row locked."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT FROM {CAMPAIGNS} WHERE id = %s FOR NO KEY UPDATE", [campaign])
        cursor.execute(statement, given)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row
