"""A coupon campaign's way through its states: opened, extended and closed by people, ended by the clock."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connection, transaction

from campaigns_project.refusals import Conflict, Invalid
from coupons import approving, campaigning, terms
from coupons.models import CouponCampaign, CouponCampaignStatus
from lifecycle.transition import TransitionNotAllowed

if TYPE_CHECKING:
    from accounts.models import Approval, User

ACTIVATE, DEACTIVATE, ARCHIVE = "activate", "deactivate", "archive"
EXTEND = "extend_expiry_and_activate"
ENDED = "its end has come"


class CampaignNotReady(Conflict):
    """The campaign cannot be activated; `details` says what is missing."""

    code = "campaign_not_ready"
    message = "The campaign cannot be activated yet."


def move(
    campaign: CouponCampaign, verb: str, *, by: User, reason: str = "", ends_at: datetime | None = None
) -> Approval | None:
    """Move a campaign whose row is locked; the open question when a second person must decide first.

    `ends_at` goes with `extend_expiry_and_activate` only. Raises TransitionNotAllowed, CampaignNotReady, and
    Invalid for an end that is not later than now and than before.
    """
    edge = CouponCampaign.machine.edge(verb)
    if campaign.status not in edge.sources:
        raise TransitionNotAllowed(details={"status": campaign.status, "allowed": campaign.allowed_verbs()})
    told = {"ends_at": _later(campaign, ends_at)} if verb == EXTEND else {}
    if edge.target == CouponCampaignStatus.ACTIVE:
        for name, value in told.items():
            setattr(campaign, name, value)
        _refuse_unready(campaign)
        if approving.too_large_for_one(campaign):
            said = {name: value.isoformat() for name, value in told.items()}
            return approving.ask(campaign, verb=verb, by=by, told=said)
    campaign.perform(verb, by=by, reason=reason, **told)
    if told:
        campaigning.copy_to_coupons(campaign)
    return None


def decide(campaign: CouponCampaign, *, by: User, granted: bool, reason: str = "") -> Approval | None:
    """A second person's word on a campaign whose row is locked; a yes does what was asked for.

    Returns a new question when it has grown meanwhile. Raises AlreadyDecided, SamePerson, and as `move`.
    """
    with transaction.atomic():
        given = approving.decide(campaign, by=by, granted=granted, reason=reason)
        if not granted:
            return None
        told = {name: datetime.fromisoformat(value) for name, value in given.summary["told"].items()}
        return move(campaign, given.summary["verb"], by=by, reason=reason, **told)


def end_overdue() -> int:
    """Deactivate the campaigns whose end has come by the database's clock; returns how many."""
    return CouponCampaign.objects.over().transition_all(DEACTIVATE, reason=ENDED)


def _later(campaign: CouponCampaign, ends_at: datetime | None) -> datetime:
    if ends_at is None:
        raise Invalid(details={"ends_at": ["This is required with this event."]})
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() < %s", [ends_at])
        to_come = cursor.fetchone()[0]
    if not to_come:
        raise Invalid(details={"ends_at": ["This must be later than now."]})
    if campaign.ends_at is not None and ends_at <= campaign.ends_at:
        raise Invalid(details={"ends_at": ["This must be later than the end it has."]})
    return ends_at


def _refuse_unready(campaign: CouponCampaign) -> None:
    faults = {field: [sentence] for field, sentence in terms.faults(campaign)}
    if faults:
        raise Invalid(details=faults)
    if gaps := terms.gaps(campaign):
        raise CampaignNotReady(details=gaps)
