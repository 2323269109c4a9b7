"""Templates at WhatsApp: submitted once, reviewed there, and asked about until the word is final.

Submission is a lane of dispatch: the version is the row and its own scope, and the call is two calls (create the
content, ask for the review). Whatever is not certain after them is looked up by the content's name, which holds our
version id.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models import Connection
from campaigns import content
from campaigns.models import Campaign, CampaignStatus, CampaignType, SubmissionAttempt
from campaigns.sending import credentials_of
from campaigns.values import samples
from campaigns_project.refusals import Unprocessable
from dispatch.crashpoints import crashpoint
from dispatch.database import in_thread
from dispatch.lane import Call, Lane, OpenQuestion
from dispatch.statements import move
from lifecycle import leases
from lifecycle.transition import TransitionNotAllowed
from providers.base import Accepted, Found, Refused, Unknown, Unreachable
from providers.twilio.templates import TwilioTemplates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lifecycle.transition import Actor
    from providers.base import ApprovalState, Outcome, TemplateReviewer

log = structlog.get_logger(__name__)

LANE = "template"
CATEGORY = {CampaignType.SERVICE: "UTILITY", CampaignType.MARKETING: "MARKETING"}
ASK_AT_ONCE = 50
# Questions are asked between other housework, which they may not hold up for long.
ASK_WITHIN_SECONDS = 1.0
ANSWER_WITHIN_SECONDS = 3.0

SCOPE = """
campaigns scope
JOIN accounts_account merchant ON merchant.id = scope.account_id
JOIN accounts_connection link ON link.account_id = scope.account_id AND link.provider = 'twilio'
"""

# Refusals since this submission, so that a storm of them ends some day.
PAYLOAD = """
jsonb_build_object('connection', link.id, 'tries', (
    SELECT count(*) FROM campaigns_submission_attempt tried
    WHERE tried.row_id = m.id AND tried.state = 'rejected' AND tried.called_at >= m.submitted_at))
"""

# The drawn way from each state to each word of WhatsApp's, one edge a step.
WAYS: dict[str, dict[str, tuple[str, ...]]] = {
    CampaignStatus.UNSUBMITTED: {"pending": ("review",), "approved": ("approve",), "rejected": ("reject",)},
    CampaignStatus.RECEIVED: {
        "pending": ("review",),
        "approved": ("review", "approve"),
        "rejected": ("review", "reject"),
        "paused": ("review", "approve", "pause"),
        "disabled": ("review", "approve", "disable"),
    },
    CampaignStatus.PENDING: {
        "approved": ("approve",),
        "rejected": ("reject",),
        "paused": ("approve", "pause"),
        "disabled": ("approve", "disable"),
    },
    CampaignStatus.APPROVED: {"paused": ("pause",), "disabled": ("disable",)},
    CampaignStatus.PAUSED: {"approved": ("unpause",), "disabled": ("disable",)},
}


class NoConnection(Unprocessable):
    code = "no_connection"
    message = "There is no working WhatsApp connection; connect Twilio first."


def submit(campaign: Campaign, *, by: Actor | None) -> Campaign:
    """Hand a version in for review. Raises TransitionNotAllowed unless it is unsubmitted and nobody else was first."""
    if not Connection.objects.for_account(campaign.account_id).filter(provider="twilio", refused_at=None).exists():
        raise NoConnection
    with transaction.atomic():
        free = Campaign.objects.filter(pk=campaign.pk, status=CampaignStatus.UNSUBMITTED, submitted_at=None)
        won = free.update(submitted_at=Now(), rejection_reason=None, updated_at=Now())
        campaign.refresh_from_db()
        if not won:
            raise TransitionNotAllowed(details={"status": campaign.status, "allowed": campaign.allowed_verbs()})
        log.info("template submitted", campaign=campaign.pk, by=by.pk if by else None)
        leases.put_back(LANE, account_id=campaign.account_id, scope_id=campaign.pk, ids=[campaign.pk])
    return campaign


def friendly_name(campaign: Campaign) -> str:
    """The content's name at Twilio: one for each version, so that a lost answer can be looked up."""
    return f"{campaign.account.uuid}:{campaign.template_name}"


def poll() -> int:
    """Ask WhatsApp about versions whose word is not final; returns how many moved. The longest unasked come first."""
    fresh = settings.TEMPLATE_POLL_SECONDS
    waiting = Q(status__in=CampaignStatus.IN_REVIEW) & _not_asked_for(fresh)
    settled = Q(status__in=CampaignStatus.DECIDED) & _not_asked_for(fresh * 15)
    due = Campaign.objects.filter(waiting | settled).exclude(content_sid=None).select_related("account")
    began, moved = time.monotonic(), 0
    for campaign in due.order_by(F("polled_at").asc(nulls_first=True), "pk")[:ASK_AT_ONCE]:
        try:
            moved += ask(campaign)
        except Unreachable as trouble:
            log.warning("no word on a template", campaign=campaign.pk, trouble=str(trouble))
            if trouble.refused is None:
                break  # Nobody would be answered now.
        if time.monotonic() - began > ASK_WITHIN_SECONDS:
            break
    return moved


def take(campaign: Campaign, state: ApprovalState) -> bool:
    """Walk the version to WhatsApp's word, one history row an edge; True if it moved. Old news has no way."""
    way = WAYS.get(campaign.status, {}).get(state.status.lower(), ())
    this_row = Campaign.objects.filter(pk=campaign.pk)
    moved = [this_row.transition(verb, **_stamps(campaign, verb, state)) for verb in way]
    campaign.refresh_from_db()
    return any(moved)


def template_lane() -> Lane:
    """The submission lane as dispatch needs it."""
    final = move("sent", Campaign, "(SELECT * FROM settled WHERE target = 'received') s", "receive",
                 CampaignStatus.UNSUBMITTED, sets=", content_sid = s.provider_id")  # fmt: skip
    given_up = """, given_up AS (
        UPDATE campaigns m SET submitted_at = NULL, rejection_reason = s.detail
        FROM settled s WHERE m.id = s.row_id AND s.target = 'refused' AND m.status = 'unsubmitted'
    )"""
    return Lane(
        name=LANE,
        provider="twilio",
        row_model=Campaign,
        attempt_model=SubmissionAttempt,
        scope_from=SCOPE,
        scope_column="id",
        scope_open="merchant.status = 'active' AND link.refused_at IS NULL",
        row_due="m.status = 'unsubmitted' AND m.submitted_at IS NOT NULL",
        skips={},
        waits={},
        sender="link.external_id",
        address="m.id::text",
        payload=PAYLOAD,
        sender_rate="NULL",
        scope_rate="NULL",
        on_open="",
        on_skip="",
        on_record=final + given_up,
        accepted=CampaignStatus.RECEIVED,
        queued="again",
        failed="refused",
        call=call,
        find=find,
        react=react,
        tend=tend,
        connections=4,
        timeout=settings.TWILIO_TIMEOUT_SECONDS,
        quiet=settings.TWILIO_QUIET_SECONDS,
        paired=False,
    )


async def call(call: Call) -> Outcome:
    """Create the content and ask for its review."""
    return await in_thread(hand_in, call.row_id, call.payload["connection"])


async def find(question: OpenQuestion) -> Sequence[Found]:
    """What Twilio has under this version's name; a review that was never asked for is asked for now."""
    return await in_thread(_find, question)


def react(effect: str, row_id: int, code: str) -> None:
    """Credentials that no longer open the door are not tried again until somebody renews them."""
    if effect == "pause_connection":
        account = Campaign.objects.get(pk=row_id).account_id
        Connection.objects.for_account(account).filter(provider="twilio").update(refused_at=Now())
        log.warning("connection refused", account=account, code=code)


def tend() -> None:
    """Give versions that wait without a lease one again, and ask about those in review."""
    forgotten = Campaign.objects.filter(status=CampaignStatus.UNSUBMITTED, submitted_at__isnull=False)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.id, m.account_id FROM campaigns m WHERE m.id = ANY(%s) AND NOT EXISTS ("
            "SELECT FROM lifecycle_lease l WHERE l.queue = %s AND l.scope_id = m.id) AND NOT EXISTS ("
            "SELECT FROM campaigns_submission_attempt a WHERE a.row_id = m.id "
            "AND a.state IN ('calling', 'unknown', 'accepted'))",
            [list(forgotten.values_list("pk", flat=True)), LANE],
        )
        for campaign, account in cursor.fetchall():
            leases.put_back(LANE, account_id=account, scope_id=campaign, ids=[campaign])
    poll()


def hand_in(campaign_id: int, connection_id: int) -> Outcome:
    """Create the content and ask for its review, in this thread; Accepted carries the content's SID."""
    campaign = Campaign.objects.select_related("account").get(pk=campaign_id)
    try:
        reviewer = _reviewer(connection_id)
    except (DatabaseError, Connection.DoesNotExist) as trouble:
        return Refused("credentials", str(trouble), retry=True)
    created = reviewer.create_content(
        friendly_name(campaign),
        campaign.language,
        samples(campaign.variables, campaign.variable_defaults),
        content.wire(campaign.content_type, campaign.content_context),
    )
    if not isinstance(created, Accepted):
        return created
    crashpoint("submission.content_made")
    asked = _ask_for_review(reviewer, campaign, created.provider_id)
    if isinstance(asked, Accepted):
        return created
    gone = _is_final(asked) and isinstance(reviewer.delete_content(created.provider_id), Accepted)
    # While the content exists, what became of the request is found out by its name, never by a second content.
    return asked if gone else Unknown(f"content {created.provider_id}: {asked}")


def _find(question: OpenQuestion) -> list[Found]:
    campaign = Campaign.objects.select_related("account").get(pk=question.row_id)
    link = Connection.objects.for_account(question.account_id).filter(provider="twilio").first()
    if link is None:
        raise Unreachable("there is no connection")
    reviewer = _reviewer(link.pk)
    sid = reviewer.find_content(friendly_name(campaign))
    if sid is None or not _has_review(reviewer, campaign, sid):
        return []
    return [Found(sid, "received", "", datetime.now(UTC), question.address, str(question.key))]


def _has_review(reviewer: TemplateReviewer, campaign: Campaign, sid: str) -> bool:
    """Whether a review was asked for, by now at the latest; a content that may not have one is taken away."""
    if reviewer.approval(sid).status != CampaignStatus.UNSUBMITTED:
        return True
    asked = _ask_for_review(reviewer, campaign, sid)
    if isinstance(asked, Accepted):
        return True
    # The first request may have come through in between, and a second one is refused.
    if _is_final(asked) and reviewer.approval(sid).status == CampaignStatus.UNSUBMITTED:
        reviewer.delete_content(sid)
        return False
    raise Unreachable(f"review not taken: {asked}")


def _ask_for_review(reviewer: TemplateReviewer, campaign: Campaign, sid: str) -> Outcome:
    return reviewer.request_approval(sid, campaign.template_name, CATEGORY[CampaignType(campaign.campaign_type)])


def _is_final(outcome: Outcome) -> bool:
    return isinstance(outcome, Refused) and not outcome.retry and outcome.effect != "pause_connection"


def ask(campaign: Campaign) -> bool:
    """One question about one version; raises Unreachable, and it is asked again later."""
    link = Connection.objects.for_account(campaign.account_id).filter(provider="twilio", refused_at=None).first()
    Campaign.objects.filter(pk=campaign.pk).update(polled_at=Now())
    if link is None or campaign.content_sid is None:
        return False
    return take(campaign, _reviewer(link.pk, ANSWER_WITHIN_SECONDS).approval(campaign.content_sid))


def _stamps(campaign: Campaign, verb: str, state: ApprovalState) -> dict[str, Any]:
    stamps: dict[str, Any] = {"polled_at": Now()}
    if verb == "approve":
        # Approved for the first time: on, unless somebody switches it off.
        stamps["enabled_at"] = campaign.enabled_at or Now()
    if verb in {"reject", "pause", "disable"}:
        stamps["rejection_reason"] = state.rejection_reason
    return stamps


def _not_asked_for(seconds: float) -> Q:
    return Q(polled_at=None) | Q(polled_at__lt=Now() - timedelta(seconds=seconds))


def _reviewer(connection_id: int, patience: float | None = None) -> TemplateReviewer:
    return TwilioTemplates(
        credentials_of(connection_id),
        content_url=settings.TWILIO_CONTENT_URL,
        timeout=min(settings.TWILIO_TIMEOUT_SECONDS, patience or settings.TWILIO_TIMEOUT_SECONDS),
    )
