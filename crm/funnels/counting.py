"""How many people got how far: the three funnels, counted at each person's first touch of a stage.

Every stage is counted by itself, from the rollup of days: somebody whose first touch of a stage lies before the period
is not in it, and a later stage may hold more people than the one before; a note says so. A breakdown counts the same
people in groups, from the first touches themselves: by the segments they are in now, or by the campaigns that have
reached them. Somebody in two groups counts in both, and whoever is no customer in none; groups say who, never why.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection, models
from django.db.models import Sum
from django.utils import timezone

from campaigns_project.refusals import Invalid
from crm.audiences import segments
from crm.models import Delivery, DeliveryStatus, FirstTouch, FunnelDay, MarketingCampaign, Segment, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accounts.models import Account

DAYS = 30
MOST_GROUPS = 50
MORE = "More people reached this stage in the period than an earlier one: each stage is counted at its own first touch."


class Funnel(models.TextChoices):
    ONBOARDING = "onboarding"
    PURCHASE = "purchase"
    RETENTION = "retention"


STAGES: dict[str, tuple[Stage, ...]] = {
    Funnel.ONBOARDING: (Stage.AWARENESS, Stage.INTEREST, Stage.CONSIDERATION, Stage.PURCHASE, Stage.ACTIVATION),
    Funnel.PURCHASE: (
        *(Stage.AWARENESS, Stage.INTEREST, Stage.CONSIDERATION),
        *(Stage.INTENT, Stage.EVALUATION, Stage.PURCHASE),
    ),
    Funnel.RETENTION: (Stage.PURCHASE, Stage.ONBOARDING, Stage.ACTIVATION, Stage.RETENTION, Stage.ADVOCACY),
}


class Breakdown(models.TextChoices):
    CAMPAIGN = "campaign"
    SEGMENT = "segment"


_REACHED = ", ".join(f"'{status}'" for status in (DeliveryStatus.SENT, *DeliveryStatus.ARRIVED))
_SENT = f"""
    SELECT sent.customer_id FROM {Delivery._meta.db_table} sent
    WHERE sent.account_id = groups.account_id AND sent.campaign_id = groups.id AND sent.status IN ({_REACHED})"""  # noqa: S608 (our own table)
# What is a group, and SQL of whom it holds.
_GROUPS = {
    Breakdown.CAMPAIGN: (MarketingCampaign, _SENT),
    Breakdown.SEGMENT: (Segment, segments.members_sql("groups.id")),
}
# A day begins at midnight in the account's time zone.
_BY_GROUP = """
SELECT groups.public_id, groups.name, touch.stage, count(*)
FROM {groups} groups CROSS JOIN LATERAL ({members}) held
JOIN {touches} touch ON touch.customer_id = held.customer_id AND touch.account_id = groups.account_id
WHERE groups.account_id = %(account)s AND touch.stage = ANY(%(stages)s)
    AND touch.at >= %(first)s::date::timestamp AT TIME ZONE %(zone)s
    AND touch.at < (%(last)s::date + 1)::timestamp AT TIME ZONE %(zone)s
GROUP BY groups.public_id, groups.name, touch.stage
"""


@dataclass(frozen=True)
class Period:
    """Days in the account's time zone, both included."""

    first: dt.date
    last: dt.date


def period(account: Account, first: dt.date | None = None, last: dt.date | None = None) -> Period:
    """The period asked for: 30 days where an end is open, until today. Raises Invalid when it ends before it starts."""
    last = last or timezone.now().astimezone(zoneinfo.ZoneInfo(account.time_zone)).date()
    first = first or last - dt.timedelta(days=DAYS - 1)
    if last < first:
        raise Invalid(details={"end_date": ["The period ends before it starts."]})
    return Period(first, last)


def measure(account: Account, funnel: str, span: Period) -> dict[str, Any]:
    """The funnel as integrators read it: `{funnel_type, period, stages, overall_conversion}`."""
    days = FunnelDay.objects.for_account(account).filter(stage__in=STAGES[funnel], day__range=(span.first, span.last))
    people = dict(days.values_list("stage").annotate(Sum("people")))
    stages = told([(stage, people.get(stage, 0)) for stage in STAGES[funnel]])
    return {
        "funnel_type": funnel,
        "period": {"start": span.first, "end": span.last},
        "stages": stages,
        "overall_conversion": stages[-1]["percentage"],
    }


def break_down(account: Account, funnel: str, span: Period, by: str) -> list[dict[str, Any]]:
    """The funnel of each segment or campaign that has anybody in it, those with most people first, at most 50:
    `{segment_id | campaign_id, name, stages, overall_conversion}`.
    """
    groups, members = _GROUPS[Breakdown(by)]
    tables = {"groups": groups._meta.db_table, "members": members, "touches": FirstTouch._meta.db_table}
    names: dict[str, Any] = {"account": account.pk, "stages": [stage.value for stage in STAGES[funnel]]}
    names |= {"first": span.first, "last": span.last, "zone": account.time_zone}
    found: dict[tuple[str, str], dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_BY_GROUP.format(**tables), names)
        for public_id, name, stage, people in cursor.fetchall():
            found.setdefault((public_id, name), {})[stage] = people
    largest = sorted(found.items(), key=lambda each: (-max(each[1].values()), each[0]))[:MOST_GROUPS]
    shown = []
    for (public_id, name), people in largest:
        stages = told([(stage, people.get(stage, 0)) for stage in STAGES[funnel]])
        overall = stages[-1]["percentage"]
        shown.append({f"{by}_id": public_id, "name": name, "stages": stages, "overall_conversion": overall})
    return shown


def told(counts: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """Stages with their percentage of the first one and, from the second on, the points lost since the one before and
    the percentage of it. Percentages have one decimal; of nobody they are 0.
    """
    first = counts[0][1]
    stages: list[dict[str, Any]] = []
    for number, (stage, people) in enumerate(counts):
        share = _tenths(people, first)
        row: dict[str, Any] = {"stage": str(stage), "count": people, "percentage": _plain(share)}
        if number:
            before = counts[number - 1][1]
            lost = max(0, _tenths(before, first) - share)
            row |= {"drop_off": _plain(lost), "step_conversion": _plain(_tenths(people, before))}
            row |= {"note": MORE} if people > min(before, first) else {}
        stages.append(row)
    return stages


def _tenths(part: int, whole: int) -> int:
    """The part in tenths of a percent, half a tenth rounded up."""
    return (2000 * part + whole) // (2 * whole) if whole else 0


def _plain(tenths: int) -> float:
    """98 → 9.8 and 1000 → 100, as the seed writes them."""
    return tenths / 10 if tenths % 10 else tenths // 10
