"""What every campaign's pages say of it, whatever it is sent by: its people by status, and who did what to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Count

from accounts.models import User
from campaigns_project.tones import Segment, segments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.db.models import QuerySet

    from lifecycle.history import Move

# The people's tabs: name in the address, label, statuses.
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "waiting": ("In progress", ("queued", "sending")),
    "reached": ("Sent", ("sent", "delivered", "read")),
    "failed": ("Failed", ("failed", "undelivered")),
    "left_out": ("Left out", ("skipped",)),
}


class Tally:
    """Mixed into a campaign's progress: sums over `counts`, its people by status."""

    counts: Mapping[str, int]

    def of(self, *statuses: str) -> int:
        return sum(self.counts.get(status, 0) for status in statuses)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def meant(self) -> int:
        """People who can get one."""
        return self.total - self.of("skipped")

    def segments(self, link: str = "") -> list[Segment]:
        """The stacked bar; its legend leads to these people."""
        return segments("message", self.counts, link)


def people(number: int) -> str:
    """1 → 1 person, 1212 → 1,212 people."""
    return "1 person" if number == 1 else f"{number:,} people"


def counts_by(rows: QuerySet[Any], campaign: str) -> dict[int, dict[str, int]]:
    """The rows of several campaigns, by the id in the column `campaign` and by status, in one query."""
    counts: dict[int, dict[str, int]] = {}
    for pk, status, number in rows.order_by().values_list(campaign, "status").annotate(Count("pk")):
        counts.setdefault(pk, {})[status] = number
    return counts


def moves_of(campaign: Any) -> list[Move]:
    """The campaign's history, oldest first."""
    history: Any = type(campaign).machine.moves
    return list(history.objects.filter(account_id=campaign.account_id, row_id=campaign.pk).order_by("id"))


def timeline(campaign: Any, moves: Sequence[Move], tells: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """What happened to the campaign, newest first, with who did it. `tells` words each verb: title and tone."""
    # Not every kind remembers who began it.
    began = getattr(campaign, "created_by_id", None)
    ids = {by_id for by_id in (*(move.by_id for move in moves), began) if by_id}
    names: dict[int | None, str] = {user.pk: user.name or user.email for user in User.objects.filter(pk__in=ids)}

    def by(who: int | None, reason: str) -> str:
        said = f"By {names[who]}" if who in names else ""
        return " · ".join(filter(None, [said, f"“{reason}”" if reason else ""]))

    told = [{"title": "Draft begun", "at": campaign.created_at, "detail": by(began, "")}]
    for move in moves:
        title, tone = tells[move.verb]
        told.append({"title": title, "tone": tone, "at": move.at, "detail": by(move.by_id, move.reason)})
    return told[::-1]
