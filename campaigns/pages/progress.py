"""How far a broadcast is, in numbers and sentences: for its page, its polled piece and the lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from accounts.models import User
from campaigns.models import Broadcast, BroadcastStatus, CampaignLeadMessage, MessageAttempt, MessageStatus
from campaigns.pages import words
from campaigns_project.tones import Segment, segments

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from lifecycle.history import Move

# The people's tabs: name in the address, label, statuses.
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "waiting": ("In progress", ("queued", "sending")),
    "reached": ("Sent", ("sent", "delivered", "read")),
    "failed": ("Failed", ("failed", "undelivered")),
    "left_out": ("Left out", ("skipped",)),
}
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
class Progress:
    """People of one broadcast by status, and what follows from that. `seconds` is how long it has been sending."""

    broadcast: Broadcast
    counts: Mapping[str, int]
    replied: int = 0
    seconds: float = 0

    def of(self, *statuses: str) -> int:
        return sum(self.counts.get(status, 0) for status in statuses)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def meant(self) -> int:
        """People who can get one."""
        return self.total - self.of("skipped")

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
            return f"Paused · {words.people(self.remaining)} waiting{running}"
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

    def segments(self, link: str = "") -> list[Segment]:
        """The stacked bar; its legend leads to these people."""
        return segments("message", self.counts, link)


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
    rows = CampaignLeadMessage.objects.filter(broadcast__in=started).order_by().values_list("broadcast_id", "status")
    counts: dict[int, dict[str, int]] = {}
    for pk, status, number in rows.annotate(Count("id")) if started else ():
        counts.setdefault(pk, {})[status] = number
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


def moves_of(broadcast: Broadcast) -> list[Move]:
    """The broadcast's history, oldest first."""
    history: Any = Broadcast.machine.moves
    moves = history.objects.filter(account_id=broadcast.account_id, row_id=broadcast.pk)
    return list(moves.order_by("id"))


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
    ids = [by_id for by_id in (*(move.by_id for move in moves), broadcast.created_by_id) if by_id]
    names: dict[int | None, str] = {user.pk: user.name or user.email for user in User.objects.filter(pk__in=set(ids))}
    told = [{"title": "Draft begun", "at": broadcast.created_at, "detail": _by(names, broadcast.created_by_id, "")}]
    for move in moves:
        title, tone = _TELLS[move.verb]
        told.append({"title": title, "tone": tone, "at": move.at, "detail": _by(names, move.by_id, move.reason)})
    return told[::-1]


def _by(names: Mapping[int | None, str], by_id: int | None, reason: str) -> str:
    who = f"By {names[by_id]}" if by_id in names else ""
    return " · ".join(filter(None, [who, f"“{reason}”" if reason else ""]))
