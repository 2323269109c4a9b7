"""A single-use campaign as a pool: its codes handed out one a person, and given back when they never reached anybody.

Whoever hands out codes of a pool waits for others who do, so nobody gets two. A code is free while nobody holds it,
nobody has used it, and it counts.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.utils import timezone

from coupons.models import Coupon, CouponCampaign, CouponCampaignStatus, CouponKind, CouponUse
from crm.codes import Pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coupons.models.campaign import CouponCampaignQuerySet

COUPONS, USES = Coupon._meta.db_table, CouponUse._meta.db_table
# So many people are given codes by one statement.
MANY = 20_000
# How many pools a person chooses among.
OFFERED = 200
FREE = "holder IS NULL AND used_count = 0 AND status = 'active'"
_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('coupon pool ' || %s, 0))"
# A coupon that somebody is just redeeming is passed over.
_HAND_OUT = f"""
WITH asked AS (
    SELECT holder, row_number() OVER (ORDER BY holder) AS n
    FROM (SELECT DISTINCT holder FROM unnest(%(holders)s::text[]) AS given(holder)) AS people
    WHERE NOT EXISTS (
        SELECT FROM {COUPONS} had WHERE had.campaign_id = %(pool)s AND had.holder = people.holder
    )
), free AS (
    SELECT id, row_number() OVER (ORDER BY id) AS n FROM (
        SELECT id FROM {COUPONS} WHERE campaign_id = %(pool)s AND account_id = %(account)s AND {FREE}
        ORDER BY id LIMIT (SELECT count(*) FROM asked) FOR NO KEY UPDATE SKIP LOCKED
    ) AS next
)
UPDATE {COUPONS} coupon SET holder = asked.holder, handed_at = now(), handed_for = %(purpose)s
FROM asked JOIN free USING (n) WHERE coupon.id = free.id"""  # noqa: S608 (our own tables)
_GIVE_BACK = f"""
UPDATE {COUPONS} coupon SET holder = NULL, handed_at = NULL, handed_for = NULL
WHERE campaign_id = %(pool)s AND account_id = %(account)s AND holder = ANY(%(holders)s::text[])
    AND handed_for = %(purpose)s AND used_count = 0
    AND NOT EXISTS (SELECT FROM {USES} line WHERE line.coupon_id = coupon.id)"""  # noqa: S608 (our own tables)
_STOCK = f"""
SELECT count(*) FROM (
    SELECT FROM {COUPONS} WHERE campaign_id = %(pool)s AND account_id = %(account)s AND {FREE} LIMIT %(at_most)s
) AS free"""  # noqa: S608 (our own tables)


class Pools:
    """What `crm.codes.CodeSource` promises, over coupon campaigns; a pool's id is its campaign's."""

    def pool(self, account_id: int, pool: str) -> Pool | None:
        """The account's single-use campaign of this id, or None."""
        try:
            found = uuid.UUID(pool)
        except ValueError:
            return None
        campaign = _single_use(account_id).filter(pk=found).first()
        return _told(campaign) if campaign else None

    def pools(self, account_id: int) -> list[Pool]:
        """The account's single-use campaigns that are not history, the newest first."""
        open_ones = _single_use(account_id).filter(status__in=CouponCampaignStatus.OPEN)
        return [_told(campaign) for campaign in open_ones.order_by("-created_at", "-id")[:OFFERED]]

    def stock(self, account_id: int, pool: str, *, at_most: int) -> int:
        """How many codes nobody has yet, counted up to `at_most`."""
        with connection.cursor() as cursor:
            cursor.execute(_STOCK, {"pool": pool, "account": account_id, "at_most": at_most})
            return int(cursor.fetchone()[0])

    def hand_out(self, account_id: int, pool: str, holders: Sequence[str], *, purpose: str) -> int:
        """Give each holder one code unless they have one; returns how many got a new one."""
        given = 0
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_TURN, [pool])
            for start in range(0, len(holders), MANY):
                some = list(holders[start : start + MANY])
                cursor.execute(_HAND_OUT, {"pool": pool, "account": account_id, "holders": some, "purpose": purpose})
                given += cursor.rowcount
        return given

    def give_back(self, account_id: int, pool: str, holders: Sequence[str], *, purpose: str) -> int:
        """Take back what was handed out for this purpose and never used; returns how many."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_TURN, [pool])
            cursor.execute(
                _GIVE_BACK, {"pool": pool, "account": account_id, "holders": list(holders), "purpose": purpose}
            )
            return int(cursor.rowcount)

    def held_sql(self, pool: str, holder: str) -> str:
        """SQL of the code that a holder has and may still use, or null."""
        return (
            f"(SELECT own.code FROM {COUPONS} own WHERE own.campaign_id = {pool}::uuid "  # noqa: S608 (our own table)
            f"AND own.holder = {holder} AND own.used_count = 0 AND own.status = 'active')"
        )


def _single_use(account_id: int) -> CouponCampaignQuerySet:
    return CouponCampaign.objects.for_account(account_id).filter(kind=CouponKind.SINGLE_USE)


def _told(campaign: CouponCampaign) -> Pool:
    return Pool(str(campaign.pk), campaign.name, _closed(campaign), f"{campaign.prefix}K7M2QX4WPD")


def _closed(campaign: CouponCampaign) -> str:
    if campaign.status != CouponCampaignStatus.ACTIVE:
        return f"The coupon campaign “{campaign.name}” is {campaign.status}; only an active one's codes count."
    if campaign.ends_at and campaign.ends_at <= timezone.now():
        return f"The coupon campaign “{campaign.name}” is over."
    return ""
