"""How far people get, as integrators read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework import serializers
from rest_framework.response import Response

from campaigns_project.api import ChoiceField, DayField, Door, Query
from crm.funnels import counting as funnels
from crm.models import Stage

if TYPE_CHECKING:
    from rest_framework.request import Request


class FunnelQuery(Query):
    funnel_type = ChoiceField(choices=funnels.Funnel.choices)
    start_date = DayField(required=False, help_text="The first day; 29 days before the last when left out.")
    end_date = DayField(required=False, help_text="The last day, included; today when left out.")
    breakdown = ChoiceField(
        choices=funnels.Breakdown.choices,
        required=False,
        help_text="Also by the segments people are in now, or by the campaigns that have reached them.",
    )


class PeriodShape(serializers.Serializer[Any]):
    start = serializers.DateField(help_text="Days in the account's time zone, both included.")
    end = serializers.DateField()


class StageShape(serializers.Serializer[Any]):
    stage = serializers.ChoiceField(choices=Stage.choices)
    count = serializers.IntegerField(help_text="People whose first touch of this stage ever was in the period.")
    percentage = serializers.FloatField(help_text="Of the first stage, one decimal; 0 of nobody.")
    drop_off = serializers.FloatField(
        required=False, help_text="Percentage points lost since the stage before; absent on the first."
    )
    step_conversion = serializers.FloatField(
        required=False, help_text="Percent of the stage before; absent on the first."
    )
    note = serializers.CharField(required=False, help_text="Where an earlier stage has fewer people.")


class GroupShape(serializers.Serializer[Any]):
    """People in two groups count in both; who is no customer counts in none. At most 50, the largest first."""

    segment_id = serializers.CharField(required=False)
    campaign_id = serializers.CharField(required=False)
    name = serializers.CharField()
    stages = StageShape(many=True)
    overall_conversion = serializers.FloatField()


class FunnelShape(serializers.Serializer[Any]):
    funnel_type = serializers.ChoiceField(choices=funnels.Funnel.choices)
    period = PeriodShape()
    stages = StageShape(many=True)
    overall_conversion = serializers.FloatField(help_text="The last stage's percentage.")
    breakdown = GroupShape(many=True, required=False, help_text="Only when it is asked for.")

    example: ClassVar[dict[str, Any]] = {
        "funnel_type": "onboarding",
        "period": {"start": "2026-01-01", "end": "2026-01-24"},
        "stages": funnels.told(
            list(zip(funnels.STAGES[funnels.Funnel.ONBOARDING], (10000, 6500, 3200, 1200, 980), strict=True))
        ),
        "overall_conversion": 9.8,
    }


class Funnels(Door):
    tag = "funnels"
    queries: ClassVar = {"GET": FunnelQuery}
    answers: ClassVar = {"GET": FunnelShape}

    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show how many people got how far.

        A person counts in each stage once: on the day (in the account's time zone) on which they first reached it, also
        when we hear of it later. Whoever reached it before the period is not in it, and each stage is counted by
        itself. People we do not know as customers are known by their phone number, else by their e-mail address.
        """
        asked = dict(self.params)
        span = funnels.period(self.account, asked.get("start_date"), asked.get("end_date"))
        told = funnels.measure(self.account, asked["funnel_type"], span)
        if "breakdown" in asked:
            told["breakdown"] = funnels.break_down(self.account, asked["funnel_type"], span, asked["breakdown"])
        return Response(told)
