"""A version gives way to an approved later one as soon as nothing sends it any more."""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from campaigns.models import Broadcast, Campaign

# Versions that may still send, and the newest approved one of those that came after each.
REPLACED = """
WITH RECURSIVE later AS (
    SELECT id AS old, next_campaign_id AS heir FROM campaigns
    WHERE next_campaign_id IS NOT NULL AND status <> 'archived'
    UNION ALL
    SELECT later.old, version.next_campaign_id FROM later JOIN campaigns version ON version.id = later.heir
    WHERE version.next_campaign_id IS NOT NULL
)
SELECT old, max(heir) FROM later JOIN campaigns version ON version.id = heir AND version.status = 'approved'
GROUP BY old
"""

# Leads of replaced versions move to the heir, but for people it already has; of two leads of one person, the newer.
MOVE_LEADS = """
UPDATE campaigns_campaignlead lead SET campaign_id = moving.heir
FROM (
    SELECT DISTINCT ON (given.heir, old.conversation_user_id) old.id, given.heir
    FROM unnest(%s::bigint[], %s::bigint[]) AS given(old, heir)
    JOIN campaigns_campaignlead old ON old.campaign_id = given.old AND old.active
    WHERE NOT EXISTS (
        SELECT FROM campaigns_campaignlead other
        WHERE other.campaign_id = given.heir AND other.conversation_user_id = old.conversation_user_id)
    ORDER BY given.heir, old.conversation_user_id, old.id DESC
) moving
WHERE lead.id = moving.id
"""


def succeed() -> int:
    """Archive versions that an approved later one replaces and nothing is sending any more; returns how many.

    Their active leads move to the one that replaces them.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(REPLACED)
        heirs = dict(cursor.fetchall())
        # A broadcast that starts locks its version: it is seen here, or finds the version archived.
        locked = Campaign.objects.filter(pk__in=heirs).select_for_update().order_by("pk")
        replaced = Campaign.objects.filter(pk__in=list(locked.values_list("pk", flat=True)))
        in_use = Broadcast.objects.open().filter(campaign=OuterRef("pk"))
        ids = replaced.exclude(Exists(in_use)).transition(
            "archive", reason="replaced by its successor", enabled_at=None
        )
        if ids:
            cursor.execute(MOVE_LEADS, [ids, [heirs[each] for each in ids]])
    return len(ids)
