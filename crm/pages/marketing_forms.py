"""What the forms of a marketing campaign take, step by step, in the words of `crm.marketing.campaigning`."""

from __future__ import annotations

import zoneinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from campaigns_project.refusals import Invalid
from crm.marketing import handing_out
from crm.marketing.trials import MOST_AT_ONCE
from crm.marketing.wording import KEYS
from crm.models import Audience, MarketingChannel, MarketingType, Segment
from providers.urls import check_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accounts.models import Account
    from campaigns_project.refusals import Refusal
    from crm.models import MarketingCampaign

LONGEST = {"subject": 200, "body": 20_000, "cta_text": 100, "cta_url": 2_000}
LABELS = {"subject": "Subject or title", "body": "Text", "cta_text": "Button", "cta_url": "The button leads to"}
MOST_DAYS = 90
HUNDREDTHS = 100
# The rules' words for the forms' fields, where they differ.
_NAMES = {
    "schedule.end_date": "ends_at",
    "schedule.start_date": "starts_at",
    "channels": "first",
    "code": "promo_code",
    "coupon_campaign_id": "code_pool",
    "segment_id": "segment",
}


class StepForm(forms.Form):
    """One step; `said` is what `campaigning.change` is told."""

    @property
    def said(self) -> dict[str, Any]:
        return dict(self.cleaned_data)

    def refuse(self, refusal: Refusal) -> None:
        """Show a refusal beside the fields it names, the rest above them."""
        told = False
        for path, sentences in refusal.details.items():
            name = _NAMES.get(path, path.removeprefix("content."))
            if isinstance(sentences, list):
                self.add_error(name if name in self.fields else None, sentences)
                told = True
        if not told:
            self.add_error(None, refusal.message)


class StartForm(StepForm):
    """A new campaign: a name, and what kind it is."""

    name = forms.CharField(max_length=200)
    type = forms.ChoiceField(choices=MarketingType.choices, initial=MarketingType.PROMOTION)


class AudienceForm(StartForm):
    """Step 1: whom it is for."""

    segment = forms.ChoiceField(label="Audience", help_text="Who has not agreed or opted out is left out by itself.")
    audience = forms.ChoiceField(
        label="Who joins it later",
        choices=[(Audience.SNAPSHOT, "gets nothing"), (Audience.LIVE, "gets it too, until the end")],
        widget=forms.RadioSelect,
    )
    holdout_percent = forms.DecimalField(
        label="Hold back", min_value=0, max_value=Decimal("99.99"), decimal_places=2, max_digits=4,
        help_text="Percent of the people who get nothing, to see what the campaign brings",
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )  # fmt: skip

    def __init__(self, *args: Any, account: Account, **options: Any) -> None:
        super().__init__(*args, **options)
        self.segments = {each.public_id: each for each in Segment.objects.for_account(account).order_by("name", "pk")}
        choices = [(key, f"{each.name} · {each.size:,} people") for key, each in self.segments.items()]
        self.fields["segment"].choices = [("", "Choose …"), *choices]  # type: ignore[attr-defined]  # a ChoiceField

    @property
    def said(self) -> dict[str, Any]:
        return super().said | {"segment": self.segments[self.cleaned_data["segment"]]}


def _words(key: str, *, label: str = "") -> forms.CharField:
    box: Any = forms.Textarea(attrs={"rows": 6}) if key == "body" else forms.TextInput()
    if key == "cta_url":
        box = forms.URLInput(attrs={"placeholder": "https://"})
    named = f"{label}: {LABELS[key].lower()}" if label else LABELS[key]
    return forms.CharField(required=False, label=named, max_length=LONGEST[key], widget=box)


class ContentForm(StepForm):
    """Step 2: by which channels, and what is said; the same on all, and otherwise on some."""

    ORDER = ("first", "second", "third")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        ways = MarketingChannel.choices
        self.fields["first"] = forms.ChoiceField(label="First by", choices=ways)
        for name in self.ORDER[1:]:
            label = "Who is not reached so, by"
            self.fields[name] = forms.ChoiceField(required=False, label=label, choices=[("", "—"), *ways])
        for key in KEYS:
            self.fields[key] = _words(key)
        for channel in MarketingChannel:
            for key in self.own_keys(channel):
                self.fields[f"{channel.value}_{key}"] = _words(key, label=str(channel.label))

    @staticmethod
    def own_keys(channel: str) -> tuple[str, ...]:
        """What may be said otherwise on a channel."""
        return ("body",) if channel == MarketingChannel.SMS else ("subject", "body")

    @property
    def own(self) -> list[tuple[str, list[forms.BoundField]]]:
        """By channel, the fields of what it says otherwise."""
        return [
            (str(channel.label), [self[f"{channel.value}_{key}"] for key in self.own_keys(channel)])
            for channel in MarketingChannel
        ]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if url := given.get("cta_url"):
            try:
                check_url(url, field="cta_url")
            except Invalid as refusal:
                raise ValidationError(refusal.details) from None
        return given

    @property
    def said(self) -> dict[str, Any]:
        given = self.cleaned_data
        own = {
            channel.value: words
            for channel in MarketingChannel
            if (words := {key: text for key in self.own_keys(channel) if (text := given[f"{channel.value}_{key}"])})
        }
        content = {key: given[key] for key in KEYS} | ({"channels": own} if own else {})
        return {"channels": [given[name] for name in self.ORDER if given[name]], "content": content}

    @classmethod
    def initial_of(cls, campaign: MarketingCampaign) -> dict[str, Any]:
        """What the campaign says now, by field."""
        content = campaign.content
        own = {f"{channel}_{key}": text for channel, words in content.get("channels", {}).items()
               for key, text in words.items()}  # fmt: skip
        return {**dict(zip(cls.ORDER, campaign.channels, strict=False)), **own,
                **{key: content.get(key, "") for key in KEYS}}  # fmt: skip


def _moment(label: str, hint: str) -> forms.DateTimeField:
    box = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(required=False, label=label, help_text=hint, widget=box)


class OfferForm(StepForm):
    """Step 3: a promo code, when it runs, and which orders count."""

    promo_code = forms.CharField(required=False, max_length=32, help_text="One that there is, or a new one")
    promo_discount_percent = forms.DecimalField(
        required=False, label="It gives", min_value=0, max_digits=5, decimal_places=2,
        help_text="Percent; a new code is made with it", widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )  # fmt: skip
    code_pool = forms.ChoiceField(
        required=False, label="Coupon codes from",
        help_text="Each person gets one of their own, where the words say {{coupon_code}}",
    )  # fmt: skip
    starts_at = _moment("Starts", "As soon as you launch it, when empty")
    ends_at = _moment("Ends", "When everybody has it, when empty")
    attribution_days = forms.IntegerField(
        label="Orders count for", min_value=1, max_value=MOST_DAYS, help_text="Days after the message arrived",
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )  # fmt: skip

    def __init__(self, *args: Any, account: Account, **options: Any) -> None:
        super().__init__(*args, **options)
        self.zone = zoneinfo.ZoneInfo(account.time_zone)
        self.fields["code_pool"].choices = [("", "Nowhere"), *handing_out.offered(account.pk)]  # type: ignore[attr-defined]  # a choice field
        for name in ("starts_at", "ends_at"):
            self.fields[name].help_text += f"; your account's time zone, {account.time_zone}"

    def full_clean(self) -> None:
        with timezone.override(self.zone):
            super().full_clean()

    @property
    def said(self) -> dict[str, Any]:
        given = super().said
        percent = given.pop("promo_discount_percent")
        code = given.pop("promo_code") or None
        hundredths = None if percent is None else int(percent * HUNDREDTHS)
        return given | {"promo_code": code, "promo_discount_percent": hundredths}


class LaunchForm(forms.Form):
    """Step 4: what was seen, and the number typed when it is large."""

    seen = forms.CharField(max_length=80, widget=forms.HiddenInput)
    typed = forms.CharField(required=False, max_length=20, label="Type the number of people")

    def __init__(self, *args: Any, expected: int | None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.expected = expected
        if expected is None:
            del self.fields["typed"]
        else:
            self.fields["typed"].help_text = f"{expected:,}, because so many people cannot be called back"

    def clean_typed(self) -> str:
        digits = "".join(each for each in self.cleaned_data["typed"] if each not in " ,.\u00a0")
        if digits != str(self.expected):
            raise ValidationError(f"Type {self.expected:,} to go on.")
        return digits


class TestForm(forms.Form):
    """A message to oneself before it goes to people."""

    __test__ = False  # no test case, whatever its name says

    channel = forms.ChoiceField(label="By")
    to = forms.CharField(
        max_length=1_000,
        label="To",
        help_text=f"Up to {MOST_AT_ONCE}, with commas: e-mail addresses of your colleagues, for SMS phone numbers",
    )

    def __init__(self, *args: Any, channels: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["channel"] = forms.ChoiceField(
            label="By", choices=[(each, MarketingChannel(each).label) for each in channels]
        )

    def clean_to(self) -> list[str]:
        return [each.strip() for each in self.cleaned_data["to"].split(",") if each.strip()]


class ReasonForm(forms.Form):
    """Why, if one likes."""

    reason = forms.CharField(required=False, max_length=200)
