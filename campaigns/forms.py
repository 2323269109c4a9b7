"""What merchants' forms take: names, types and lengths. Whether it may be done is decided where it is done."""

from __future__ import annotations

import re
import zoneinfo
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from campaigns.content_types import (
    LANGUAGES,
    LONGEST_BODY,
    LONGEST_BUTTON_TITLE,
    LONGEST_FOOTER,
    MOST_BUTTONS,
    ContentType,
)
from campaigns.models import CampaignType
from campaigns.pages import words
from campaigns.variables import NAME
from campaigns_project.refusals import Invalid
from crm.phones import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_PASTED = 10_000
LONGEST_PASTED = 1_000_000
SHOWN_FAULTS = 5
_CELL = re.compile(r"[,;\t]")


class PhoneField(forms.CharField):
    """A phone number, cleaned to E.164."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=40, widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off"}), **options)

    def clean(self, value: Any) -> Any:
        typed = super().clean(value)
        if not typed:
            return ""
        try:
            return normalise(typed)
        except Invalid as refusal:
            raise ValidationError(refusal.details["phone_number"]) from None


class PeopleField(forms.CharField):
    """Pasted lines, `number` or `number, name`; cleaned to rows as `leads.add` takes them."""

    def __init__(self, **options: Any) -> None:
        box = forms.Textarea(
            attrs={"rows": 6, "placeholder": "+14155550101, Amira\n+14155550102", "spellcheck": "false"}
        )
        super().__init__(max_length=LONGEST_PASTED, widget=box, **options)

    def clean(self, value: Any) -> Any:
        lines = [line.strip() for line in super().clean(value).splitlines()]
        rows, faults = [], []
        for number, line in enumerate(lines, start=1):
            if line:
                phone, *rest = _CELL.split(line, maxsplit=1)
                try:
                    rows.append(_pasted(phone, rest))
                except Invalid:
                    faults.append(f"Line {number}: “{line[:40]}” does not begin with a phone number.")
        if len(rows) > MOST_PASTED:
            faults = [f"At most {MOST_PASTED:,} lines at once; upload a CSV file instead."]
        if faults:
            more = len(faults) - SHOWN_FAULTS
            raise ValidationError([*faults[:SHOWN_FAULTS], *([f"And {more} more."] if more > 0 else [])])
        return rows


def _pasted(phone: str, rest: list[str]) -> dict[str, Any]:
    name = " ".join(rest[0].split())[:200] if rest else ""
    return {"phone_number": normalise(phone), "custom_variables": {"lead_name": name} if name else {}}


class AudienceForm(forms.Form):
    """Step 1: more people, pasted or as a file."""

    people = PeopleField(required=False, label="Paste numbers", help_text="One a line: number, or number, name.")
    file = forms.FileField(
        required=False,
        label="Or upload a CSV file",
        help_text="One column is phone_number; the others become variables, such as lead_name.",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )
    again = forms.BooleanField(required=False, label="Also send to people who already had this template")


class PeopleForm(forms.Form):
    """More people for a template, outside the wizard."""

    people = PeopleField(required=False, label="Paste numbers", help_text="One a line: number, or number, name.")
    file = forms.FileField(
        required=False,
        label="Or upload a CSV file",
        help_text="One column is phone_number; the others become variables, such as lead_name.",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not cleaned.get("people") and not cleaned.get("file"):
            raise ValidationError("Paste at least one number, or choose a file.")
        return cleaned


class ValuesForm(forms.Form):
    """Step 3: one text for each variable of the template, for people who have none of their own.

    `pools` (id, name) are offered where the template names a code of one's own.
    """

    def __init__(
        self, names: Iterable[str], *args: Any, pools: Sequence[tuple[str, str]] | None = None, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        if pools is not None:
            self.fields["pool"] = forms.ChoiceField(
                required=False,
                label="Coupon codes from",
                choices=[("", "Nowhere: everybody reads the same words"), *pools],
                help_text="Each person gets a code of their own when it starts, and the same one if it is sent again.",
            )
        for name in names:
            self.fields[f"value_{name}"] = forms.CharField(required=False, max_length=1024, label=name)

    @property
    def values(self) -> dict[str, str]:
        """What was typed, by variable name."""
        typed = {name: value for name, value in self.cleaned_data.items() if name.startswith("value_")}
        return {name.removeprefix("value_"): value for name, value in typed.items()}


class LaunchForm(forms.Form):
    """Step 4: now or later, what was seen, and the number typed when it is large."""

    when = forms.ChoiceField(
        label="When", choices=[("now", "Send now"), ("later", "Schedule")], widget=forms.RadioSelect, initial="now"
    )
    at = forms.CharField(
        required=False,
        label="Day and time",
        max_length=40,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    seen = forms.CharField(max_length=80, widget=forms.HiddenInput)
    typed = forms.CharField(required=False, max_length=20, label="Type the number of people")

    def __init__(self, *args: Any, time_zone: str, expected: int | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.zone, self.expected = zoneinfo.ZoneInfo(time_zone), expected
        self.fields["at"].help_text = f"In your account's time zone, {time_zone}"
        if expected is None:
            del self.fields["typed"]
        else:
            self.fields["typed"].help_text = f"{expected:,}, because so many people cannot be called back"

    def clean_at(self) -> Any:
        if self.cleaned_data.get("when") != "later":
            return None
        with timezone.override(self.zone):
            moment = forms.DateTimeField(
                error_messages={"required": "Say when.", "invalid": "Give a day and a time."}
            ).clean(self.cleaned_data["at"])
        if moment <= timezone.now():
            raise ValidationError("This time has passed.")
        return moment

    def clean_typed(self) -> str:
        return expect(self.cleaned_data["typed"], self.expected)


def expect(typed: str, number: int | None) -> str:
    """The number as somebody types it, with or without separators. Raises ValidationError for another."""
    if re.sub(r"[\s,.]", "", typed) != str(number):
        raise ValidationError(f"Type {number:,} to go on.")
    return typed


class TestForm(forms.Form):
    """One message to one's own phone."""

    __test__ = False  # no test case, whatever its name says

    phone = PhoneField(label="Your WhatsApp number", help_text="With country code, such as +14155550101")


class ReasonForm(forms.Form):
    """Level 1: why, if one likes."""

    reason = forms.CharField(required=False, max_length=200)


class NameTypedForm(ReasonForm):
    """Level 3: the name, typed by hand."""

    typed = forms.CharField(max_length=200)

    def __init__(self, name: str, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.name = name
        self.fields["typed"].label = f"Type {name} to go on"

    def clean_typed(self) -> str:
        typed = str(self.cleaned_data["typed"])
        if typed.strip() != self.name:
            raise ValidationError(f"Type {self.name} to go on.")
        return typed


class NumberTypedForm(ReasonForm):
    """Level 3: the number of people, typed by hand."""

    typed = forms.CharField(max_length=20)

    def __init__(self, number: int, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.number = number
        self.fields["typed"].label = f"Type {number:,} to go on"

    def clean_typed(self) -> str:
        return expect(self.cleaned_data["typed"], self.number)


class OptForm(forms.Form):
    """A person's word on being written to, and how we know."""

    proof = forms.CharField(
        max_length=200, label="How do you know?", help_text="For the record, such as “asked in the shop”"
    )


class FallbacksField(forms.CharField):
    """Lines `variable: text`; cleaned to a dict."""

    def __init__(self, **options: Any) -> None:
        box = forms.Textarea(attrs={"rows": 3, "placeholder": "lead_name: there", "spellcheck": "false"})
        super().__init__(max_length=20_000, widget=box, **options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(f"{name}: {text}" for name, text in value.items()) if isinstance(value, dict) else value

    def clean(self, value: Any) -> Any:
        found: dict[str, str] = {}
        for line in filter(str.strip, super().clean(value).splitlines()):
            name, _, text = (part.strip() for part in line.partition(":"))
            if not NAME.fullmatch(name) or not text:
                raise ValidationError(f"Write “variable: text”, not “{line[:40]}”.")
            found[name] = text
        return found


class TemplateForm(forms.Form):
    """A template as a merchant writes it; `editor.content_of` makes Twilio's content of it."""

    name = forms.CharField(max_length=200)
    language = forms.ChoiceField(choices=[], initial="en")
    campaign_type = forms.ChoiceField(
        label="Kind",
        choices=[(CampaignType.MARKETING, "Marketing"), (CampaignType.SERVICE, "Service")],
        initial=CampaignType.MARKETING,
        widget=forms.RadioSelect,
    )
    content_type = forms.ChoiceField(
        label="Layout", choices=ContentType.choices, initial=ContentType.TEXT, widget=forms.RadioSelect
    )
    body = forms.CharField(
        required=False, label="Message", max_length=LONGEST_BODY, widget=forms.Textarea(attrs={"rows": 8}), strip=False
    )
    footer = forms.CharField(required=False, max_length=LONGEST_FOOTER, help_text="Under the message; no variables")
    media_url = forms.CharField(
        required=False,
        label="Address of a picture or file",
        max_length=2048,
        widget=forms.TextInput(attrs={"inputmode": "url"}),
    )
    upload = forms.FileField(required=False, label="Or upload one", help_text="JPEG, PNG, MP4 or PDF")
    fallbacks = FallbacksField(
        required=False, help_text="For people without a value: one variable a line, such as lead_name: there"
    )

    def __init__(self, *args: Any, fixed: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        languages = sorted((words.language(code), code) for code in LANGUAGES)
        self.fields["language"].choices = [(code, name) for name, code in languages]  # type: ignore[attr-defined]
        for row in range(1, MOST_BUTTONS + 1):
            self._add_button(row)
        if fixed:
            # A version keeps the name and language of its line.
            del self.fields["name"], self.fields["language"]

    def _add_button(self, row: int) -> None:
        # Three small fields stand in one line, so their names are said to screen readers only.
        def named(what: str, hint: str = "") -> dict[str, str]:
            return {"class": "input", "aria-label": f"Button {row} {what}", **({"placeholder": hint} if hint else {})}

        kinds = [("QUICK_REPLY", "Reply"), ("URL", "Link"), ("PHONE_NUMBER", "Call")]
        self.fields[f"button_{row}_kind"] = forms.ChoiceField(
            required=False, choices=kinds, widget=forms.Select(attrs=named("does"))
        )
        self.fields[f"button_{row}_title"] = forms.CharField(
            required=False, max_length=LONGEST_BUTTON_TITLE, widget=forms.TextInput(attrs=named("says", "Says"))
        )
        self.fields[f"button_{row}_value"] = forms.CharField(
            required=False,
            max_length=2048,
            widget=forms.TextInput(attrs=named("leads to", "Address, number or reply id")),
        )

    @property
    def buttons(self) -> list[list[forms.BoundField]]:
        """The rows of buttons, each with its three fields."""
        return [
            [self[f"button_{row}_{part}"] for part in ("kind", "title", "value")] for row in range(1, MOST_BUTTONS + 1)
        ]

    def refuse(self, details: Mapping[str, Iterable[str]], fields: Mapping[str, str]) -> None:
        """Show a refusal at the fields it is about; `fields` maps dotted paths to field names."""
        for path, sentences in details.items():
            name = fields.get(path) or fields.get(path.partition(".")[0], "")
            self.add_error(name if name in self.fields else None, list(sentences))
