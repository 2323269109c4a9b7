"""From an outcome of a call to what is recorded of it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from dispatch.lane import Call, Lane, Result
from dispatch.models import AttemptState
from providers.base import Accepted, Refused, Unknown

if TYPE_CHECKING:
    from providers.base import Outcome

DETAIL_LENGTH = 500
BACK_OFF_SECONDS = (1.0, 60.0)


def result_of(lane: Lane, call: Call, outcome: Outcome) -> Result:
    """What to record: the attempt's state, the row's next status, and when it may be tried again."""
    if isinstance(outcome, Accepted):
        return Result(call.attempt_id, AttemptState.ACCEPTED, provider_id=outcome.provider_id, target=lane.accepted)
    if isinstance(outcome, Unknown):
        return Result(call.attempt_id, AttemptState.UNKNOWN, detail=outcome.detail[:DETAIL_LENGTH])
    return _refused(lane, call, outcome)


def never_called(lane: Lane, call: Call) -> Result:
    """The call did not start in time: nothing left this process, so the row is due again and no try is counted."""
    return Result(call.attempt_id, AttemptState.RELEASED, detail="not called in time", target=lane.queued)


def absent(lane: Lane, attempt_id: int) -> Result:
    """The provider does not have it, long after it could have: the row is due again."""
    return Result(attempt_id, AttemptState.RELEASED, detail="absent from the provider's list", target=lane.queued)


def _refused(lane: Lane, call: Call, outcome: Refused) -> Result:
    tries = int(call.payload.get("tries", 0)) + 1
    again = outcome.retry and tries < lane.max_tries
    return Result(
        call.attempt_id,
        AttemptState.REJECTED,
        code=outcome.code,
        detail=outcome.message[:DETAIL_LENGTH],
        target=lane.queued if again else lane.failed,
        delay=_delay(tries, outcome.retry_after) if again else 0.0,
    )


def _delay(tries: int, retry_after: float | None) -> float:
    """Exponential with full jitter, never earlier than the provider asked for."""
    least, most = BACK_OFF_SECONDS
    jittered = random.uniform(least / 2, min(most, least * 2**tries))  # noqa: S311 (spreads load, guards nothing)
    return max(jittered, retry_after or 0.0)
