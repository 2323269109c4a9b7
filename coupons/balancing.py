"""Whether the counters say what the ledger says; they always do, and this is how one would know if not."""

from __future__ import annotations

from typing import NamedTuple

import structlog
from django.db import connection

from coupons.admitting import CAMPAIGNS, COUPONS, SHARES, USES

# Everything in one statement, so that all of it is of one moment.
_DIFFERENCES = f"""
WITH sums AS (
    SELECT campaign_id, coupon_id, person, sum(quantity) AS uses, sum(discount) AS given
    FROM {USES} GROUP BY campaign_id, coupon_id, person
), told AS (
    SELECT 'campaign' AS what, campaign.id::text AS name, campaign.used AS counted, coalesce(sum(sums.uses), 0) AS lines
    FROM {CAMPAIGNS} campaign LEFT JOIN sums ON sums.campaign_id = campaign.id GROUP BY campaign.id
    UNION ALL
    SELECT 'spent', campaign.id::text, campaign.spent, coalesce(sum(sums.given), 0)
    FROM {CAMPAIGNS} campaign LEFT JOIN sums ON sums.campaign_id = campaign.id GROUP BY campaign.id
    UNION ALL
    SELECT 'coupon', coupon.id::text, coupon.used_count, coalesce(sum(sums.uses), 0)
    FROM {COUPONS} coupon LEFT JOIN sums ON sums.coupon_id = coupon.id
    WHERE coupon.used_count <> 0 OR sums.uses <> 0 GROUP BY coupon.id
    UNION ALL
    SELECT 'share', coalesce(share.campaign_id, sum.campaign_id) || ' ' || coalesce(share.person, sum.person),
        coalesce(share.used, 0), coalesce(sum.uses, 0)
    FROM {SHARES} share FULL JOIN (
        SELECT campaign_id, person, sum(uses) AS uses FROM sums GROUP BY campaign_id, person
    ) AS sum ON sum.campaign_id = share.campaign_id AND sum.person = share.person
)
SELECT what, name, counted, lines FROM told WHERE counted <> lines ORDER BY what, name LIMIT 100"""  # noqa: S608 (ours)

log = structlog.get_logger(__name__)


class Difference(NamedTuple):
    """A counter (`what`: campaign, spent, coupon or share) that says another thing than the lines of its ledger."""

    what: str
    name: str
    counted: int
    lines: int


def differences() -> list[Difference]:
    """The first hundred counters that differ from the ledger, of one moment."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES)
        return [Difference(*row[:2], *map(int, row[2:])) for row in cursor.fetchall()]


def look() -> None:
    """Tell the log of every counter that differs. Nothing is mended: somebody has to see why."""
    for found in differences():
        log.error("coupon_books_differ", **found._asdict())
