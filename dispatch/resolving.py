"""What an operator found out about an attempt of which nobody knew whether it took effect.

They say so with a reason; it is recorded by the same statement as everything that senders and the reconciler find out,
so the row moves on along its own edges and nothing can be settled twice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from campaigns_project.models import AuditEntry
from campaigns_project.refusals import Conflict, Invalid
from dispatch.lane import Lane, Result, all_lanes
from dispatch.models import Attempt, AttemptState
from dispatch.statements import recorded, statements

if TYPE_CHECKING:
    from lifecycle.transition import Actor

PROVIDER_ID = re.compile(r"[A-Za-z0-9_.:-]{4,80}")


class AlreadySettled(Conflict):
    code = "already_settled"
    message = "This attempt is not an open question any more."


class TooEarly(Conflict):
    code = "too_early"
    message = "It may still turn up at the provider; only when the quiet time is over does absence count."


class KnownElsewhere(Conflict):
    code = "known_elsewhere"
    message = "This provider id belongs to something else that was sent."


def accepted(attempt: Attempt, provider_id: str, *, by: Actor, reason: str, request_id: str = "") -> None:
    """The provider has it, under `provider_id`. Raises Invalid, AlreadySettled, or KnownElsewhere."""
    if not PROVIDER_ID.fullmatch(provider_id):
        raise Invalid("That is not an id a provider gives.")
    lane = lane_of(attempt)
    result = Result(attempt.pk, AttemptState.ACCEPTED, provider_id=provider_id, target=lane.accepted)
    _settle(attempt, lane, result, by=by, reason=reason, request_id=request_id)


def not_sent(attempt: Attempt, *, by: Actor, reason: str, request_id: str = "") -> None:
    """The provider never got it: the row is due again. Raises AlreadySettled, or TooEarly before QUIET is over."""
    lane = lane_of(attempt)
    result = Result(attempt.pk, AttemptState.RELEASED, detail="an operator found it was not sent", target=lane.queued)
    _settle(attempt, lane, result, by=by, reason=reason, request_id=request_id)


def lane_of(attempt: Attempt) -> Lane:
    """The lane whose ledger the attempt stands in."""
    return next(lane for lane in all_lanes() if lane.attempt_model is type(attempt))


def _settle(attempt: Attempt, lane: Lane, result: Result, *, by: Actor, reason: str, request_id: str) -> None:
    try:
        with transaction.atomic():
            _check(attempt, lane, result)
            with connection.cursor() as cursor:
                cursor.execute(statements(lane).record, recorded([result]))
                # What the ids point at is checked now, not by whoever commits.
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            _audit(attempt, result, by=by, reason=reason, request_id=request_id)
    except IntegrityError:
        raise KnownElsewhere from None
    attempt.refresh_from_db()


def _check(attempt: Attempt, lane: Lane, result: Result) -> None:
    """Lock the attempt while it is an open question, and refuse what cannot be true."""
    rows: Any = type(attempt)._default_manager.select_for_update().filter(pk=attempt.pk, state=AttemptState.UNKNOWN)
    held = rows.annotate(age=Now() - F("called_at")).first()
    if held is None:
        raise AlreadySettled
    if result.state == AttemptState.RELEASED and held.age.total_seconds() < lane.quiet:
        raise TooEarly
    # Anybody's: the operator may have taken it from another person's line.
    others: Any = type(attempt)._default_manager.exclude(pk=attempt.pk)
    if result.provider_id and others.filter(provider_id=result.provider_id).exists():
        raise KnownElsewhere


def _audit(attempt: Attempt, result: Result, *, by: Actor, reason: str, request_id: str) -> None:
    AuditEntry.objects.create(
        account_id=attempt.account_id,
        actor_id=by.pk,
        action="attempt.resolved",
        target=f"{attempt._meta.model_name} {attempt.pk}",
        reason=reason,
        details={"state": str(result.state), "provider_id": result.provider_id},
        request_id=request_id,
    )
