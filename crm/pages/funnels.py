"""How far people get: one funnel over a period, as a picture, as a table and as a file. The address says all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.http import HttpResponse

from accounts.merchant_page import MerchantPage
from campaigns_project.jobs import csv_line
from campaigns_project.refusals import Invalid
from crm.funnels import counting as funnels
from crm.funnels.counting import Breakdown, Funnel
from crm.models import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest

    from accounts.models import Account

LEADS = {
    Funnel.ONBOARDING: "How new people come from a first contact to a second order.",
    Funnel.PURCHASE: "How people come from a first contact to an order.",
    Funnel.RETENTION: "How buyers become regulars who bring others.",
}
# The seed's words for each stage.
MEANINGS = {
    Stage.AWARENESS: "First touchpoint",
    Stage.INTEREST: "Browsed the menu or website",
    Stage.CONSIDERATION: "Added items to the cart",
    Stage.INTENT: "Started checkout",
    Stage.EVALUATION: "Compared options",
    Stage.PURCHASE: "Completed an order",
    Stage.ONBOARDING: "First-time experience",
    Stage.ACTIVATION: "Second order",
    Stage.RETENTION: "Third order: a regular",
    Stage.ADVOCACY: "Referred others",
}
EACH = (("", "Everybody together"), (Breakdown.CAMPAIGN, "Campaign"), (Breakdown.SEGMENT, "Audience"))
PLACES = {Breakdown.CAMPAIGN: "/campaigns", Breakdown.SEGMENT: "/audiences"}
EXPORTED = ("stage", "count", "percentage", "drop_off", "step_conversion")


def _day(label: str) -> forms.DateField:
    return forms.DateField(
        label=label, required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )


class FunnelForm(forms.Form):
    """What is shown: `period` once it is valid."""

    funnel_type = forms.ChoiceField(label="Funnel", choices=Funnel.choices)
    start_date, end_date = _day("From"), _day("Until")
    breakdown = forms.ChoiceField(label="Each", required=False, choices=EACH)

    def __init__(self, request: HttpRequest, account: Any) -> None:
        self.account = account
        self.period = funnels.period(account)
        asked = {name: request.GET[name] for name in self.base_fields if request.GET.get(name)}
        days = {"start_date", "end_date"} & set(asked)
        shown = {} if days else {"start_date": self.period.first, "end_date": self.period.last}
        super().__init__({"funnel_type": Funnel.ONBOARDING, **shown, **asked})

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if {"start_date", "end_date"} <= set(given):
            try:
                self.period = funnels.period(self.account, given["start_date"], given["end_date"])
            except Invalid as refusal:
                self.add_error("end_date", refusal.details["end_date"])
        return given


class Funnels(MerchantPage):
    """`/funnels?funnel_type=purchase&start_date=2026-01-01&end_date=2026-01-24`."""

    def get(self, request: HttpRequest) -> HttpResponse:
        form = FunnelForm(request, self.account)
        if not form.is_valid():
            return self.show("crm/funnels.html", 400, form=form, kind=Funnel.ONBOARDING, lead="")
        kind = Funnel(form.cleaned_data["funnel_type"])
        told = funnels.measure(self.account, kind, form.period)
        stages, by = drawn(told["stages"]), form.cleaned_data["breakdown"]
        return self.show(
            "crm/funnels.html",
            form=form,
            kind=kind,
            lead=LEADS[kind],
            stages=stages,
            overall=told["overall_conversion"],
            tiles=tiles(stages) if stages[0]["count"] else [],
            reached=any(each["count"] for each in stages),
            query=request.GET.urlencode(),
            by=by,
            groups=_groups(self.account, kind, form),
        )


class Export(MerchantPage):
    """`/funnels/export`: the same numbers as CSV."""

    def get(self, request: HttpRequest) -> HttpResponse:
        form = FunnelForm(request, self.account)
        if not form.is_valid():
            return self.show("crm/funnels.html", 400, form=form, kind=Funnel.ONBOARDING, lead="")
        kind, span = form.cleaned_data["funnel_type"], form.period
        stages = funnels.measure(self.account, kind, span)["stages"]
        everybody = {"id": "", "name": "", "stages": stages}
        groups = _groups(self.account, kind, form)
        more = ("group_id", "group") if form.cleaned_data["breakdown"] else ()
        lines = [csv_line([*more, *EXPORTED])]
        for group in [everybody, *groups]:
            who = [group["id"], group["name"]] if more else []
            lines += [csv_line([*who, *(each.get(name, "") for name in EXPORTED)]) for each in group["stages"]]
        response = HttpResponse(b"".join(lines), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{kind}-{span.first}-{span.last}.csv"'
        return response


def _groups(account: Account, kind: Funnel, form: FunnelForm) -> list[dict[str, Any]]:
    """The funnel of each campaign or segment as `funnels.break_down` tells it, with its `id` and its page's `href`."""
    by = form.cleaned_data["breakdown"]
    found = funnels.break_down(account, kind, form.period, by) if by else []
    for group in found:
        group["id"] = group[f"{by}_id"]
        group["href"] = f"{PLACES[by]}/{group['id']}"
    return found


def drawn(stages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The stages with their words, and with heights from 0 to 100: their own, and that of the stage after them."""
    most = max(each["count"] for each in stages) or 1
    heights = [round(100 * each["count"] / most, 1) for each in stages]
    return [
        {
            **each,
            "label": Stage(each["stage"]).label,
            "means": MEANINGS[Stage(each["stage"])],
            "before": before and {**before, "label": Stage(before["stage"]).label},
            "lost": max(0, before["count"] - each["count"]) if before else None,
            "top": round(100 - height, 1),
            "height": height,
            "next_top": None if following is None else round(100 - following, 1),
            "next": after,
        }
        for each, before, after, height, following in zip(
            stages, [None, *stages[:-1]], [*stages[1:], None], heights, [*heights[1:], None], strict=True
        )
    ]


def tiles(stages: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """What stands out: the whole way, the step that loses most, and the one that loses least."""
    first, *steps = stages
    last, loss = steps[-1], max(steps, key=lambda each: each["drop_off"])
    best = max(steps, key=lambda each: each["step_conversion"])
    way = {each["stage"]: f"{each['before']['label']} → {each['label']}" for each in steps}
    return [
        {
            "label": "Overall conversion",
            "value": f"{last['percentage']}%",
            "note": f"{last['count']:,} of {first['count']:,} people",
        },
        {
            "label": "Biggest loss",
            "value": way[loss["stage"]],
            "note": f"{loss['drop_off']} points, {loss['lost']:,} people",
        },
        {"label": "Best step", "value": f"{best['step_conversion']}%", "note": way[best["stage"]]},
    ]
