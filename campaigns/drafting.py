"""A broadcast before it starts: whom it is for, which template, which words, and the last look before it goes.

The draft is the broadcast's own row, so that every door sees it; its audience is the active leads of its template.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from accounts import approvals
from campaigns import broadcasting, handing_out
from campaigns.models import Broadcast, BroadcastStatus, Campaign, CampaignLead, CampaignStatus
from campaigns.planning import preflight
from campaigns.values import check_values
from campaigns_project.refusals import Conflict
from lifecycle.transition import TransitionNotAllowed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from accounts.models import Approval, User

KIND = "broadcast"
# What each person has of their own: a value for the whole send would hide it, so theirs are the template's defaults.
PERSONAL = ("lead_name", "lead_phone")

LEADS = """
SELECT count(*), coalesce(sum(hashtextextended(id::text || custom_variables::text, 0)), 0)::text
FROM campaigns_campaignlead WHERE campaign_id = %s AND account_id = %s AND active
"""

BRING = """
WITH moved AS (
    UPDATE campaigns_campaignlead SET active = false WHERE campaign_id = %(old)s AND account_id = %(account)s AND active
    RETURNING account_id, conversation_user_id, custom_variables
)
INSERT INTO campaigns_campaignlead AS lead (account_id, campaign_id, conversation_user_id, active, custom_variables)
SELECT account_id, %(new)s, conversation_user_id, true, custom_variables FROM moved ORDER BY conversation_user_id
ON CONFLICT (account_id, campaign_id, conversation_user_id) DO UPDATE
    SET active = true, custom_variables = lead.custom_variables || excluded.custom_variables
"""


class AudienceChanged(Conflict):
    """Something changed since the person looked; `details.before` and `details.now` count people."""

    code = "audience_changed"
    message = "The audience changed since you looked."


class NothingToSend(Conflict):
    code = "nothing_to_send"
    message = "Nobody would get this."


def begin(campaign: Campaign, *, by: User) -> Broadcast:
    """A draft of this version, or of the one that replaced it when it is archived."""
    heir = campaign
    while heir.status == CampaignStatus.ARCHIVED and heir.next_campaign is not None:
        heir = heir.next_campaign
    return broadcasting.draft(heir, by=by)


def refresh(broadcast: Broadcast) -> Broadcast:
    """Count the audience anew."""
    found = preflight(broadcast)
    if found != broadcast.preflight:
        broadcast.preflight = found
        broadcast.save(update_fields=["preflight"])
    return broadcast


def choose_template(broadcast: Broadcast, campaign: Campaign, *, bring: bool) -> Broadcast:
    """Send another template; with `bring`, its active leads move over. Raises TransitionNotAllowed but for drafts."""
    _only_drafts(broadcast)
    with transaction.atomic():
        if bring and campaign.pk != broadcast.campaign_id:
            names = {"old": broadcast.campaign_id, "new": campaign.pk, "account": broadcast.account_id}
            with connection.cursor() as cursor:
                cursor.execute(BRING, names)
        broadcast.campaign = campaign
        known = set(campaign.variables.values())
        broadcast.values = {name: value for name, value in broadcast.values.items() if name in known}
        broadcast.save(update_fields=["campaign", "values"])
        refresh(broadcast)
    return broadcast


def personalise(broadcast: Broadcast, given: Mapping[str, str], *, pool: str = "") -> Broadcast:
    """Values by variable name for people who have none of their own; blank takes one away. `pool` is where each
    person's own coupon code comes from. Raises Invalid.
    """
    _only_drafts(broadcast)
    handing_out.check(broadcast.account_id, pool)
    campaign = broadcast.campaign
    asked = {name: value for name, value in given.items() if name in campaign.variables.values()}
    checked = check_values(
        {name: value for name, value in asked.items() if value.strip()}, variables=campaign.variables
    )
    personal = {name: value for name, value in checked.items() if name in PERSONAL}
    kept = {
        name: value for name, value in campaign.variable_defaults.items() if name not in asked or name not in PERSONAL
    }
    with transaction.atomic():
        if kept | personal != campaign.variable_defaults:
            campaign.variable_defaults = kept | personal
            campaign.save(update_fields=["variable_defaults", "updated_at"])
        broadcast.values = {name: value for name, value in checked.items() if name not in PERSONAL}
        broadcast.code_pool = pool
        broadcast.save(update_fields=["values", "code_pool"])
        refresh(broadcast)
    return broadcast


def include_again(broadcast: Broadcast, *, again: bool) -> Broadcast:
    """Whether people who had this template before get it again."""
    _only_drafts(broadcast)
    broadcast.force = again
    broadcast.save(update_fields=["force"])
    return refresh(broadcast)


def snapshot(broadcast: Broadcast) -> str:
    """What the person looks at, as a fingerprint and the number of people: `3f9a…:1212`."""
    campaign = broadcast.campaign
    with connection.cursor() as cursor:
        cursor.execute(LEADS, [campaign.pk, broadcast.account_id])
        leads = cursor.fetchone()
    seen = [campaign.pk, leads, broadcast.preflight, broadcast.values, campaign.variable_defaults, broadcast.force]
    seen += [broadcast.code_pool]
    printed = hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:32]
    return f"{printed}:{broadcast.preflight['audience']}"


def launch(broadcast: Broadcast, *, seen: str, by: User, at: datetime | None = None) -> Approval | None:
    """Start it, or schedule it for `at`, if it still is what the person saw (`seen`, a snapshot).

    Returns the open question when it is so large that a second person decides. Raises AudienceChanged, NothingToSend,
    CampaignNotReady, TransitionNotAllowed.
    """
    with transaction.atomic():
        _only_drafts(broadcast)
        now_seen = snapshot(refresh(broadcast))
        people = broadcast.preflight["audience"]
        if now_seen != seen:
            before = seen.rpartition(":")[2]
            raise AudienceChanged(details={"before": int(before) if before.isdecimal() else people, "now": people})
        if not people:
            raise NothingToSend
        # Kept while a second person thinks it over.
        broadcast.scheduled_at = at
        broadcast.save(update_fields=["scheduled_at"])
        return _go(broadcast, by=by)


def decide(broadcast: Broadcast, *, by: User, granted: bool, reason: str = "") -> Approval | None:
    """The second person's word. Yes starts it, or asks anew (and returns that) when it has grown since.

    Raises TransitionNotAllowed when nobody asked, SamePerson for the one who did, and as `launch` does.
    """
    with transaction.atomic():
        _only_drafts(broadcast)
        asked = open_approval(broadcast)
        if asked is None:
            raise TransitionNotAllowed("Nobody asked for a second person here.")
        approvals.decide(asked, by=by, granted=granted, reason=reason)
        return _go(refresh(broadcast), by=by) if granted else None


def needs_approval(broadcast: Broadcast) -> bool:
    """Whether so many people, or so much money, take a second person's word."""
    found = broadcast.preflight
    large = found["audience"] > settings.APPROVAL_PEOPLE or found["estimated_cost"]["amount"] > settings.APPROVAL_MINOR
    return bool(broadcast.account.require_approval and large)


def open_approval(broadcast: Broadcast) -> Approval | None:
    """The word that a broadcast waits for."""
    return approvals.waiting(broadcast.account_id, kind=KIND, target_id=broadcast.pk)


def _go(broadcast: Broadcast, *, by: User) -> Approval | None:
    before, at = broadcast.preflight["audience"], broadcast.scheduled_at
    asked = broadcasting.launch(broadcast, by=by, at=at if at and at > timezone.now() else None)
    # Somebody opted out, or was added, in the very moment: nobody saw that.
    if broadcast.preflight["audience"] != before:
        raise AudienceChanged(details={"before": before, "now": broadcast.preflight["audience"]})
    return asked


def _only_drafts(broadcast: Broadcast) -> None:
    if broadcast.status != BroadcastStatus.DRAFT:
        raise TransitionNotAllowed(details={"status": broadcast.status, "allowed": broadcast.allowed_verbs()})


def audience_size(campaign: Campaign) -> int:
    """The active leads of a template."""
    return CampaignLead.objects.of(campaign).active().count()
