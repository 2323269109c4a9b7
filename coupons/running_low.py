"""Campaigns that run low are told of once, as `coupon.low` in the one stream of events, until there is more again.

What is left is the uses that the limit allows; of single-use coupons also the codes that nobody has been given yet.
"""

from __future__ import annotations

from django.db import connection, transaction

from accounts.models import Account
from coupons.models import CouponCampaign, CouponKind
from coupons.pools import COUPONS, FREE
from crm import events

CAMPAIGNS = CouponCampaign._meta.db_table
LOW = "coupon.low"
# No further than one beyond the threshold is counted.
_STANDING = f"""
SELECT campaign.id, said.threshold, CASE WHEN campaign.kind = '{CouponKind.SINGLE_USE.value}' THEN
    least(campaign.max_count - campaign.used, campaign.coupon_count - campaign.used, (
        SELECT count(*) FROM (
            SELECT FROM {COUPONS} coupon WHERE coupon.campaign_id = campaign.id AND {FREE}
            LIMIT said.threshold + 1
        ) AS free
    )) ELSE campaign.max_count - campaign.used END AS remaining
FROM {CAMPAIGNS} campaign
CROSS JOIN LATERAL (SELECT (campaign.settings ->> 'low_coupons_threshold')::bigint AS threshold) AS said
WHERE {{which}}"""  # noqa: S608 (our own tables)
# Before the first codes are there, nothing has run low.
_UNTOLD = f"""campaign.status = 'active' AND campaign.low_told_at IS NULL AND said.threshold IS NOT NULL
    AND (campaign.kind <> '{CouponKind.SINGLE_USE.value}' OR campaign.coupon_count > 0)"""
_TELL = f"""
UPDATE {CAMPAIGNS} campaign SET low_told_at = now() FROM ({_STANDING.format(which=_UNTOLD)}) AS found
WHERE campaign.id = found.id AND found.remaining <= found.threshold AND campaign.low_told_at IS NULL
RETURNING campaign.account_id, campaign.id::text, campaign.name, found.remaining, found.threshold,
    extract(epoch FROM campaign.low_told_at)::bigint"""  # noqa: S608 (our own tables)
_ENOUGH = f"""
UPDATE {CAMPAIGNS} campaign SET low_told_at = NULL
FROM ({_STANDING.format(which="campaign.low_told_at IS NOT NULL")}) AS found
WHERE campaign.id = found.id AND (found.threshold IS NULL OR found.remaining IS NULL
    OR found.remaining > found.threshold)"""  # noqa: S608 (our own tables)


def tell() -> int:
    """Tell of those that run low now; returns how many. The clock calls this."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_ENOUGH)
        cursor.execute(_TELL)
        low = cursor.fetchall()
        accounts = Account.objects.in_bulk({row[0] for row in low})
        for account, campaign, name, remaining, threshold, at in low:
            events.record(
                accounts[account],
                type=LOW,
                event_id=f"coupon_campaign:{campaign}:low:{at}",
                properties={"coupon_campaign_id": campaign, "name": name, "left": remaining, "threshold": threshold},
            )
    return len(low)
