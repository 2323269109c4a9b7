"""One marketing campaign from its launch to its end.

A launch is one transaction: the campaign moves, a delivery is born for everybody in the segment (queued, or skipped
with the reason), and leases say which rows are due. From then on the rows are the queue. A live campaign takes in
newcomers until its end. A campaign with an end is active until then; one without is over when nobody waits.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Least, Now
from django.utils import timezone

from accounts import approvals
from accounts.models import Connection
from campaigns_project.refusals import Conflict
from crm import events
from crm.audiences import segments
from crm.customers import erasing
from crm.marketing import handing_out, metrics, planning
from crm.marketing.delivering import CARRIERS, LANES, SENDERS
from crm.models import (
    Audience,
    Delivery,
    DeliveryStatus,
    LeftOut,
    MarketingCampaign,
    MarketingChannel,
    MarketingStatus,
)
from dispatch.crashpoints import crashpoint
from lifecycle import leases
from lifecycle.models import Lease
from lifecycle.transition import TransitionNotAllowed

if TYPE_CHECKING:
    from accounts.models import Account, Approval, User
    from crm.models import Segment
    from crm.models.marketing import MarketingQuerySet
    from lifecycle.transition import Actor

APPROVAL = "marketing_campaign"
APPROVAL_PENDING = "approval_pending"
# How often a live campaign's segment is looked through.
NEWCOMERS_SECONDS = 60
# The verb that leads from one status to another.
VERBS = {
    ("draft", "scheduled"): "schedule",
    ("scheduled", "draft"): "unschedule",
    ("draft", "active"): "launch",
    ("scheduled", "active"): "launch",
    ("active", "paused"): "pause",
    ("paused", "active"): "resume",
    ("active", "completed"): "complete",
    ("paused", "completed"): "complete",
}


class CampaignNotReady(Conflict):
    """The campaign cannot be launched; `details` says what is missing."""

    code = "campaign_not_ready"
    message = "The campaign cannot be launched yet."


def move(campaign: MarketingCampaign, status: str, *, by: User, reason: str = "") -> Approval | None:
    """Bring a campaign into `status`, as a person asks for it; the open question when somebody else must decide.

    Raises TransitionNotAllowed (its details name the statuses that are possible), CampaignNotReady, SegmentTooLarge.
    """
    verb = VERBS.get((campaign.status, status))
    if verb is None:
        possible = [target for source, target in VERBS if source == campaign.status]
        raise TransitionNotAllowed(details={"status": campaign.status, "allowed": possible})
    if verb in {"schedule", "launch"}:
        return _launched(campaign, verb, by=by)
    if verb == "complete":
        complete(campaign, by=by, reason=reason)
    else:
        {"pause": pause, "resume": resume, "unschedule": _unschedule}[verb](campaign, by=by, reason=reason)
    return None


def _unschedule(campaign: MarketingCampaign, *, by: Actor | None, reason: str) -> None:
    campaign.unschedule(by=by, reason=reason)


def launch(campaign: MarketingCampaign, *, by: Actor | None) -> MarketingCampaign:
    """Begin to send, or raise: TransitionNotAllowed, SegmentTooLarge, or CampaignNotReady with what is missing."""
    with transaction.atomic():
        locked = MarketingCampaign.objects.select_for_update(of=("self",)).filter(pk=campaign.pk).first()
        campaign.refresh_from_db()
        if locked is not None and campaign.status in MarketingStatus.EDITABLE:
            refuse_unready(campaign)
        # A launch by hand is the start.
        starts_at = Least(Coalesce(F("starts_at"), Now()), Now())
        bear(campaign)
        campaign.launch(by=by, launched_at=Now(), starts_at=starts_at, preflight=planning.born(campaign))
        crashpoint("start.before_commit")
    campaign.refresh_from_db()
    return campaign


def schedule(campaign: MarketingCampaign, *, by: Actor | None) -> MarketingCampaign:
    """Start by itself at `starts_at`. Raises as `launch`."""
    refuse_unready(campaign)
    if campaign.starts_at is None:
        raise CampaignNotReady(details={"schedule.start_date": ["Say when it starts."]})
    campaign.schedule(by=by, starts_at=campaign.starts_at)
    return campaign


def pause(campaign: MarketingCampaign, *, by: Actor | None, reason: str = "") -> None:
    """No call starts after the next turn of the senders."""
    campaign.pause(by=by, reason=reason)


def cut_off(account: Account, provider: str, *, by: Actor | None, reason: str) -> None:
    """A provider is gone: pause what is sent through it (`accounts.connections.on_disconnect`)."""
    needing(account, provider).transition("pause", by=by, reason=reason)


def needing(account: Account, provider: str) -> MarketingQuerySet:
    """The active campaigns that are sent, at least in part, through a provider."""
    carried = [channel.value for channel, carriers in CARRIERS.items() if provider in carriers]
    return MarketingCampaign.objects.active().for_account(account).filter(channels__overlap=carried)


def resume(campaign: MarketingCampaign, *, by: Actor | None, reason: str = "") -> None:
    """Go on with the rest. Raises CampaignNotReady while a channel of it has no working connection."""
    missing = {name: said for name, said in obstacles(campaign).items() if name.startswith("connection.")}
    if campaign.status == MarketingStatus.PAUSED and missing:
        raise CampaignNotReady("The campaign cannot go on yet.", details=missing)
    campaign.resume(by=by, reason=reason)


def complete(campaign: MarketingCampaign, *, by: Actor | None, reason: str = "") -> None:
    """End it: whoever is not being called gets nothing. Raises TransitionNotAllowed."""
    with transaction.atomic():
        campaign.complete(by=by, reason=reason, ended_at=Now())
        _call_off(campaign, by=by)
        events.record(
            campaign.account,
            type="campaign.completed",
            event_id=f"campaign:{campaign.public_id}:completed",
            properties={"campaign_id": campaign.public_id},
        )


def refuse_unready(campaign: MarketingCampaign) -> None:
    """Raise SegmentTooLarge, or CampaignNotReady when something stands in the way of a launch."""
    if campaign.segment is not None:
        segments.refuse_too_large(campaign.segment, campaign.channels)
    if found := obstacles(campaign):
        raise CampaignNotReady(details=found)


def obstacles(campaign: MarketingCampaign) -> dict[str, Any]:
    """What stands in the way of a launch, by field, in sentences."""
    account = campaign.account
    found: dict[str, Any] = {}
    if lacking := _segment_fault(campaign.segment):
        found["segment_id"] = [lacking]
    if not campaign.channels:
        found["channels"] = ["Say by which channels it is sent."]
    if campaign.ends_at is not None and campaign.ends_at <= timezone.now():
        found["schedule.end_date"] = ["Its end has passed."]
    if fault := handing_out.obstacle(campaign):
        found["coupon_campaign_id"] = [fault]
    if account.status != "active":
        found["account"] = [f"The account is {account.status}."]
    cut_off = [channel for channel in map(MarketingChannel, campaign.channels) if not _is_connected(account, channel)]
    return found | {
        f"connection.{each.value}": [f"Nothing that works is connected for {each.label}."] for each in cut_off
    }


def _segment_fault(segment: Segment | None) -> str:
    if segment is None:
        return "Say whom it is for."
    uncounted = segment.is_dynamic and segment.refreshed_at is None
    return "Nobody has been counted in this segment yet; refresh it first." if uncounted else ""


def _is_connected(account: Account, channel: MarketingChannel) -> bool:
    carriers = CARRIERS.get(channel)
    if not carriers:
        return True
    working = Connection.objects.for_account(account).filter(provider__in=carriers, refused_at=None)
    return working.exclude(**{SENDERS[channel]: ""}).exists()


def bear(campaign: MarketingCampaign) -> int:
    """Deliveries for everybody who has none, and leases over those that wait."""
    erasing.stand_still(campaign.account_id)
    born = planning.bear(campaign)
    MarketingCampaign.objects.filter(pk=campaign.pk).update(planned_at=Now())
    if born:
        handing_out.hand_out(campaign)
        make_leases(campaign)
    return born


def make_leases(campaign: MarketingCampaign) -> int:
    """Leases over every queued row, channel by channel. Running a row's lease twice is harmless."""
    return sum(
        leases.make(
            LANES[channel],
            account_id=campaign.account_id,
            scope_id=campaign.pk,
            table=Delivery._meta.db_table,
            where_sql="campaign_id = %(campaign)s AND status = 'queued' AND channel = %(channel)s",
            params={"campaign": campaign.pk, "channel": channel.value},
        )
        for channel in map(MarketingChannel, campaign.channels)
    )


def uses_of(segment: Segment) -> list[str]:
    """The campaigns that a segment is used by."""
    return list(segment.marketing_campaigns.order_by("pk").values_list("public_id", flat=True))


def standing(campaign: MarketingCampaign) -> dict[str, Any]:
    """`{status, in_flight, remaining, sent}`: calls that run, people still waiting, people the provider has."""
    found = metrics.by_status(campaign)
    return {
        "status": campaign.status,
        "in_flight": found[DeliveryStatus.SENDING],
        "remaining": found[DeliveryStatus.QUEUED],
        "sent": sum(found[state] for state in DeliveryStatus.SENT_OUT),
    }


def tend() -> None:
    """Launch what is due, take in newcomers, give forgotten rows a lease, end what is over."""
    for campaign in MarketingCampaign.objects.due().select_related("account", "segment"):
        _launch_by_clock(campaign)
    for campaign in MarketingCampaign.objects.over().select_related("account"):
        _complete_by_clock(campaign)
    for campaign in MarketingCampaign.objects.active().select_related("account", "segment"):
        _look_after(campaign)


def _launched(campaign: MarketingCampaign, verb: str, *, by: User) -> Approval | None:
    refuse_unready(campaign)
    asked = _to_be_approved(campaign, by)
    if asked is None:
        {"schedule": schedule, "launch": launch}[verb](campaign, by=by)
    return asked


def _to_be_approved(campaign: MarketingCampaign, by: User) -> Approval | None:
    most = campaign.segment.size if campaign.segment else 0
    if most <= settings.APPROVAL_PEOPLE or not campaign.account.require_approval:
        return None
    people = planning.preflight(campaign)["audience"]
    if people <= settings.APPROVAL_PEOPLE:
        return None
    given = approvals.granted(campaign.account, kind=APPROVAL, target_id=campaign.pk)
    if given is not None and given.summary["people"] >= people:
        return None
    summary = {"people": people, "name": campaign.name}
    return approvals.ask(campaign.account, kind=APPROVAL, target_id=campaign.pk, summary=summary, by=by)


def _launch_by_clock(campaign: MarketingCampaign) -> None:
    try:
        launch(campaign, by=None)
    except TransitionNotAllowed:
        return
    except (CampaignNotReady, segments.SegmentTooLarge) as refusal:
        # Not lost: it waits as a draft until somebody looks.
        MarketingCampaign.objects.filter(pk=campaign.pk).transition(
            "unschedule", reason=f"could not be launched: {refusal.details or refusal.message}"
        )


def _complete_by_clock(campaign: MarketingCampaign) -> None:
    try:
        complete(campaign, by=None, reason="its end has come")
    except TransitionNotAllowed:
        return


def _look_after(campaign: MarketingCampaign) -> None:
    if campaign.audience == Audience.LIVE:
        _take_in_newcomers(campaign)
    if Lease.objects.filter(queue__in=LANES.values(), scope_id=campaign.pk).exists():
        return
    waiting = Delivery.objects.of(campaign).in_states(DeliveryStatus.OPEN)
    if waiting.filter(status=DeliveryStatus.QUEUED).exists():
        make_leases(campaign)
    elif campaign.ends_at is None and campaign.audience == Audience.SNAPSHOT and not waiting.exists():
        _complete_by_clock(campaign)


def _take_in_newcomers(campaign: MarketingCampaign) -> None:
    """Once a minute, whichever process comes first; under the row's lock, so that a pause is either before or after."""
    due = MarketingCampaign.objects.active().filter(pk=campaign.pk)
    late = Q(planned_at=None) | Q(planned_at__lt=Now() - timedelta(seconds=NEWCOMERS_SECONDS))
    with transaction.atomic():
        if due.filter(late).select_for_update(of=("self",), skip_locked=True).exists():
            bear(campaign)


def _call_off(campaign: MarketingCampaign, *, by: Actor | None) -> None:
    Delivery.objects.of(campaign).queued().transition_all("skip", by=by, skip_reason=LeftOut.ENDED)
    Lease.objects.filter(queue__in=LANES.values(), scope_id=campaign.pk).delete()
    handing_out.take_back(campaign)
