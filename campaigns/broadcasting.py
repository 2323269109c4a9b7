"""One send of one approved version: what it will do, its start, its pause, its end.

Starting is one transaction: the broadcast moves, a message is born for each active lead (queued, or skipped with the
reason), the leads are put to rest, and leases say which rows are due. From then on the rows are the queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count
from django.db.models.functions import Now

from accounts import approvals
from campaigns import handing_out, succession
from campaigns.models import (
    Broadcast,
    BroadcastStatus,
    Campaign,
    CampaignLead,
    CampaignLeadMessage,
    MessageStatus,
    SkipReason,
)
from campaigns.planning import obstacles, planned, preflight
from campaigns.sending import LANE
from campaigns_project.refusals import Conflict
from crm.customers import erasing
from dispatch.crashpoints import crashpoint
from lifecycle import leases
from lifecycle.models import Lease

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Account, Approval, User
    from lifecycle.transition import Actor


class CampaignNotReady(Conflict):
    """The broadcast cannot start; `details` says what is missing."""

    code = "campaign_not_ready"
    message = "The broadcast cannot start yet."


BIRTH = """
WITH planned AS MATERIALIZED ({planned}), born AS (
    INSERT INTO campaigns_campaignleadmessage (account_id, campaign_id, campaign_lead_id, broadcast_id,
        conversation_user_id, campaign_name, phone, address_hash, context, status, skip_reason, error_code, provider_id)
    SELECT %(account)s, %(campaign)s, lead_id, %(broadcast)s, user_id, %(name)s, phone, address_hash,
           jsonb_build_object('content_variables', content_variables, 'body', body),
           CASE WHEN skip_reason = '' THEN 'queued' ELSE 'skipped' END, skip_reason, '', ''
    FROM planned ORDER BY lead_id ON CONFLICT DO NOTHING RETURNING campaign_lead_id
), rested AS (
    UPDATE campaigns_campaignlead SET active = false WHERE id IN (SELECT campaign_lead_id FROM born) AND active
)
SELECT count(*) FROM born
"""


def draft(
    campaign: Campaign,
    *,
    by: Actor | None,
    scheduled_at: datetime | None = None,
    rate_per_second: int | None = None,
    force: bool = False,
    coupon_campaign_id: str = "",
) -> Broadcast:
    """A broadcast of this version with its preflight; `scheduled_at` (aware) is when it will start once scheduled.

    Of `coupon_campaign_id` each person gets a code of their own, as `coupon_code`. Raises Invalid for one there is not.
    """
    handing_out.check(campaign.account_id, coupon_campaign_id)
    broadcast = Broadcast(
        account_id=campaign.account_id,
        campaign=campaign,
        scheduled_at=scheduled_at,
        rate_per_second=rate_per_second,
        force=force,
        code_pool=coupon_campaign_id,
        created_by_id=by.pk if by else None,
    )
    broadcast.preflight = preflight(broadcast)
    broadcast.save()
    return broadcast


def launch(broadcast: Broadcast, *, by: User, at: datetime | None = None) -> Approval | None:
    """Start now, or at `at`, as a person asks for it; returns the open question when a second person must decide.

    Raises as `start` and `schedule` do. Somebody must decide above APPROVAL_PEOPLE people or APPROVAL_MINOR cost; a
    word in favour is good for as many people as it was given for.
    """
    asked = _to_be_approved(broadcast, by)
    if asked is not None:
        return asked
    if at is None:
        start(broadcast, by=by)
    else:
        schedule(broadcast, at, by=by)
    return None


def start(broadcast: Broadcast, *, by: Actor | None) -> Broadcast:
    """Begin to send, or raise: transition_not_allowed, or campaign_not_ready with what is missing."""
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().get(pk=broadcast.campaign_id)
        broadcast.campaign = campaign
        broadcast.refresh_from_db(fields=["status"])
        missing = obstacles(broadcast)
        if missing and broadcast.status in BroadcastStatus.STARTABLE:
            raise CampaignNotReady(details=missing)
        broadcast.start(by=by, started_at=Now(), preflight=preflight(broadcast))
        _bear(broadcast)
        crashpoint("start.before_commit")
    return broadcast


def schedule(broadcast: Broadcast, at: datetime, *, by: Actor | None) -> Broadcast:
    """Start by itself at `at`."""
    found = obstacles(broadcast)
    if found:
        raise CampaignNotReady(details=found)
    broadcast.schedule(by=by, scheduled_at=at)
    return broadcast


def pause(broadcast: Broadcast, *, by: Actor | None, reason: str = "") -> dict[str, Any]:
    """No call starts after the next turn of the senders; answers where it stands."""
    broadcast.pause(by=by, reason=reason)
    return standing(broadcast)


def cut_off(account: Account, provider: str, *, by: Actor | None, reason: str) -> None:
    """A provider is gone: pause what is sent through it (`accounts.connections.on_disconnect`)."""
    if provider == "twilio":
        Broadcast.objects.for_account(account).sending().transition("pause", by=by, reason=reason)


def resume(broadcast: Broadcast, *, by: Actor | None, reason: str = "") -> dict[str, Any]:
    """Go on with the rest."""
    broadcast.resume(by=by, reason=reason)
    return standing(broadcast)


def cancel(broadcast: Broadcast, *, by: Actor | None, reason: str = "") -> dict[str, Any]:
    """Whoever is not being called is not sent anything; their leads are active again."""
    with transaction.atomic():
        broadcast.cancel(by=by, reason=reason, ended_at=Now())
        _call_off(broadcast, by=by)
    return standing(broadcast)


def counts(broadcast: Broadcast) -> dict[str, int]:
    """People by status; before the start, what the preflight found."""
    if broadcast.status in BroadcastStatus.STARTABLE:
        skipped = sum(broadcast.preflight.get("skips", {}).values())
        planned = {MessageStatus.QUEUED: broadcast.preflight.get("audience", 0), MessageStatus.SKIPPED: skipped}
        return {str(state): planned.get(state, 0) for state in MessageStatus}
    rows = CampaignLeadMessage.objects.of(broadcast).order_by().values_list("status").annotate(Count("id"))
    found: dict[str, int] = {status: count for status, count in rows}  # noqa: C416 (typed, unlike dict(rows))
    return {str(state): found.get(state, 0) for state in MessageStatus}


def standing(broadcast: Broadcast) -> dict[str, Any]:
    """`{status, in_flight, remaining, sent}`: calls that run, people still waiting, people the provider has."""
    found = counts(broadcast)
    reached = ("sent", "delivered", "read", "undelivered")
    return {
        "status": broadcast.status,
        "in_flight": found["sending"],
        "remaining": found["queued"],
        "sent": sum(found[state] for state in reached),
    }


def tend() -> None:
    """Start what is due, give forgotten rows a lease, complete what has nobody left, let old versions go."""
    for broadcast in Broadcast.objects.due().select_related("campaign", "account"):
        _start_by_clock(broadcast)
    for broadcast in Broadcast.objects.sending():
        _look_after(broadcast)
    succession.succeed()


def make_leases(broadcast: Broadcast) -> int:
    """Leases over every queued row of a broadcast. Running a row's lease twice is harmless."""
    return leases.make(
        LANE,
        account_id=broadcast.account_id,
        scope_id=broadcast.pk,
        table=CampaignLeadMessage._meta.db_table,
        where_sql="broadcast_id = %(broadcast)s AND status = 'queued'",
        params={"broadcast": broadcast.pk},
    )


def _to_be_approved(broadcast: Broadcast, by: User) -> Approval | None:
    found = preflight(broadcast)
    people, cost = found["audience"], found["estimated_cost"]["amount"]
    large = people > settings.APPROVAL_PEOPLE or cost > settings.APPROVAL_MINOR
    if not (large and broadcast.account.require_approval and found["can_start"]):
        return None
    given = approvals.granted(broadcast.account, kind="broadcast", target_id=broadcast.pk)
    if given is not None and given.summary["people"] >= people:
        return None
    summary = {"people": people, "cost": found["estimated_cost"], "name": broadcast.campaign.name}
    return approvals.ask(broadcast.account, kind="broadcast", target_id=broadcast.pk, summary=summary, by=by)


def _bear(broadcast: Broadcast) -> None:
    erasing.stand_still(broadcast.account_id)
    handing_out.hand_out(broadcast, *planned(broadcast))
    people, names = planned(broadcast, held=True)
    names |= {"broadcast": broadcast.pk, "name": "" if broadcast.test_send else broadcast.campaign.name}
    with connection.cursor() as cursor:
        cursor.execute(BIRTH.format(planned=people), names)
    make_leases(broadcast)


def _start_by_clock(broadcast: Broadcast) -> None:
    try:
        start(broadcast, by=None)
    except CampaignNotReady as refusal:
        # Not lost: it waits as a draft until somebody looks.
        Broadcast.objects.filter(pk=broadcast.pk).transition(
            "unschedule", reason=f"could not start: {refusal.details}", scheduled_at=None
        )
    except Conflict:
        return


def _look_after(broadcast: Broadcast) -> None:
    if Lease.objects.filter(queue=LANE, scope_id=broadcast.pk).exists():
        return
    open_rows = CampaignLeadMessage.objects.of(broadcast).in_states(MessageStatus.OPEN)
    if open_rows.filter(status=MessageStatus.QUEUED).exists():
        make_leases(broadcast)
    elif not open_rows.exists():
        with transaction.atomic():
            if Broadcast.objects.filter(pk=broadcast.pk).transition("complete", ended_at=Now()):
                handing_out.take_back(broadcast)


def _call_off(broadcast: Broadcast, *, by: Actor | None) -> None:
    queued = CampaignLeadMessage.objects.of(broadcast).queued()
    ids = queued.transition("skip", by=by, skip_reason=SkipReason.CANCELLED)
    CampaignLead.objects.filter(messages__in=ids).update(active=True)
    Lease.objects.filter(queue=LANE, scope_id=broadcast.pk).delete()
    handing_out.take_back(broadcast)


def test_send(campaign: Campaign, *, phone: str, values: dict[str, str], by: Actor | None) -> Broadcast:
    """Send one message to one number, outside the audience: it neither uses up a lead nor counts as sent."""
    from campaigns import leads

    with transaction.atomic():
        lead = leads.for_test(campaign, phone)
        broadcast = Broadcast(
            account_id=campaign.account_id,
            campaign=campaign,
            test_send=True,
            values=values,
            preflight={"leads": [lead.pk]},
            created_by_id=by.pk if by else None,
        )
        broadcast.save()
        found = preflight(broadcast)
        if not found["can_start"]:
            raise CampaignNotReady(details=obstacles(broadcast) or {"values": found["missing_variables"]})
        start(broadcast, by=by)
    return broadcast


def of_account(account: Account) -> Any:
    """The account's broadcasts, newest first, without test sends."""
    return Broadcast.objects.for_account(account).filter(test_send=False).select_related("campaign").order_by("-id")
