"""How far a broadcast is, in numbers and sentences: for its page, its polled piece and the lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from accounts.merchant_progress import Tally, counts_by, people, timeline
from campaigns.models import Broadcast, BroadcastStatus, CampaignLeadMessage, MessageAttempt, MessageStatus
from campaigns.pages import words

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from lifecycle.history import Move

REACHED = ("sent", "delivered", "read", "undelivered")
FAILED = ("failed", "undelivered")
MINUTE, HOUR, DAY = 60, 3600, 86_400
_TELLS = {
    "schedule": ("Scheduled", "blue"),
    "unschedule": ("Back to draft", "grey"),
    "start": ("Sending started", "indigo"),
    "pause": ("Paused", "amber"),
    "resume": ("Sending resumed", "indigo"),
    "complete": ("Completed", "green"),
    "cancel": ("Cancelled", "grey"),
}


@dataclass(frozen=True)
class Progress(Tally):
    """People of one broadcast by status, and what follows from that. `seconds` is how long it has been sending."""

    broadcast: Broadcast
    counts: Mapping[str, int]
    replied: int = 0
    seconds: float = 0

    @property
    def reached(self) -> int:
        return self.of(*REACHED)

    @property
    def settled(self) -> int:
        """People with an outcome, good or bad."""
        return self.reached + self.of("failed")

    @property
    def remaining(self) -> int:
        return self.of("queued")

    @property
    def delivered(self) -> int:
        return self.of("delivered", "read")

    @property
    def failed(self) -> int:
        return self.of(*FAILED)

    @property
    def over(self) -> bool:
        return self.broadcast.status not in BroadcastStatus.OPEN

    @property
    def price(self) -> int:
        return settings.MESSAGE_PRICE_MINOR[self.broadcast.campaign.campaign_type]

    @property
    def cost(self) -> int:
        return self.reached * self.price

    @property
    def estimate(self) -> int:
        return self.meant * self.price

    @property
    def pace(self) -> str:
        """One sentence: how fast, how long still."""
        status = self.broadcast.status
        if status == BroadcastStatus.SENDING:
            return self._speed()
        if status == BroadcastStatus.PAUSED:
            calling = self.of("sending")
            running = f" · {calling:,} still with Twilio" if calling else ""
            return f"Paused · {people(self.remaining)} waiting{running}"
        if status == BroadcastStatus.COMPLETED:
            return f"Everybody has an outcome · took {lasted(self.seconds)}"
        return {"scheduled": "Waits for its time", "cancelled": "Cancelled"}.get(status, "Not started")

    def _speed(self) -> str:
        if not self.remaining:
            return "Waiting for the last answers"
        if not self.settled or self.seconds < 1:
            return "Starting"
        each_second = self.settled / self.seconds
        return f"{each_second * MINUTE:,.0f} a minute · {left(self.remaining / each_second)} left"


def left(seconds: float) -> str:
    """40 → under a minute, 400 → about 7 min, 8000 → about 2 h."""
    if seconds < MINUTE:
        return "under a minute"
    return f"about {round(seconds / MINUTE)} min" if seconds < 2 * HOUR else f"about {round(seconds / HOUR)} h"


def lasted(seconds: float) -> str:
    """How long something took, in its largest unit."""
    if seconds < MINUTE:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / MINUTE)} min" if seconds < 2 * HOUR else f"{round(seconds / HOUR)} h"


def percent(part: int, whole: int) -> str:
    """2180 of 5380 → 40.5%; nothing of nothing is empty. Whole percents above 10 and at the ends."""
    if not whole:
        return ""
    share = 100 * part / whole
    return f"{share:.0f}%" if share in (0, 100) else f"{share:.1f}%"


def progress_of(broadcast: Broadcast, moves: Sequence[Move]) -> Progress:
    """Two facts from one query: people by status, and how many answered."""
    if broadcast.status in BroadcastStatus.STARTABLE:
        return Progress(broadcast, planned(broadcast))
    rows = CampaignLeadMessage.objects.of(broadcast).order_by().values_list("status")
    found = rows.annotate(Count("id"), Count("replied_at"))
    return Progress(
        broadcast,
        {status: number for status, number, _ in found},
        replied=sum(replied for _, _, replied in found),
        seconds=seconds_sending(moves, timezone.now()),
    )


def all_of(broadcasts: Iterable[Broadcast]) -> list[Progress]:
    """The progress of each row of a list, in one query."""
    listed = list(broadcasts)
    started = [one.pk for one in listed if one.status not in BroadcastStatus.STARTABLE]
    rows = CampaignLeadMessage.objects.filter(broadcast__in=started)
    counts = counts_by(rows, "broadcast_id") if started else {}
    return [
        Progress(one, planned(one) if one.status in BroadcastStatus.STARTABLE else counts.get(one.pk, {}))
        for one in listed
    ]


def planned(broadcast: Broadcast) -> dict[str, int]:
    """What the preflight found, as if they were rows."""
    found = broadcast.preflight
    return {
        MessageStatus.QUEUED: found.get("audience", 0),
        MessageStatus.SKIPPED: sum(found.get("skips", {}).values()),
    }


def seconds_sending(moves: Sequence[Move], now: dt.datetime) -> float:
    """How long it has been sending, without the pauses."""
    spent, since = 0.0, None
    for move in moves:
        if move.target == BroadcastStatus.SENDING:
            since = move.at
        elif since is not None:
            spent, since = spent + (move.at - since).total_seconds(), None
    return spent + ((now - since).total_seconds() if since else 0)


def reasons_of(broadcast: Broadcast) -> tuple[dict[str, int], dict[str, int]]:
    """How many were left out, and how many failed, by the merchant's words for the reason; most first."""
    if broadcast.status in BroadcastStatus.STARTABLE:
        return _worded(broadcast.preflight.get("skips", {}).items(), words.left_out), {}
    rows = CampaignLeadMessage.objects.of(broadcast).in_states(("skipped", *FAILED)).order_by()
    found = list(rows.values_list("skip_reason", "error_code").annotate(Count("id")))
    skipped = [(reason, number) for reason, _, number in found if reason]
    refused = [(code, number) for reason, code, number in found if not reason]
    return _worded(skipped, words.left_out), _worded(refused, words.refusal)


def _worded(found: Iterable[tuple[str, int]], word: Any) -> dict[str, int]:
    added: dict[str, int] = {}
    for code, number in found:
        added[word(code)] = added.get(word(code), 0) + number
    return dict(sorted(added.items(), key=lambda each: -each[1]))


def unknown_of(broadcast: Broadcast) -> int:
    """People of whom nobody knows yet whether Twilio has their message."""
    attempts = MessageAttempt._default_manager.filter(account=broadcast.account_id, state="unknown")
    return attempts.filter(row__broadcast=broadcast).count()


def timeline_of(broadcast: Broadcast, moves: Sequence[Move]) -> list[dict[str, Any]]:
    """What happened to the broadcast, newest first, with who did it."""
    return timeline(broadcast, moves, _TELLS)
