"""Whatever an operator does asks for a reason, which is kept."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MinLengthValidator

if TYPE_CHECKING:
    from collections.abc import Mapping


def printable(value: str) -> None:
    """A validator: control characters other than line ends are refused."""
    if any(unicodedata.category(character)[0] == "C" and character not in "\r\n" for character in value):
        raise ValidationError("Control characters are not allowed.")


class ReasonForm(forms.Form):
    """A reason, and what the act is told besides: `told` maps names to form fields."""

    reason = forms.CharField(
        max_length=500,
        validators=[MinLengthValidator(3), printable],
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept in the history: why is this right?",
    )

    def __init__(self, *args: Any, told: Mapping[str, forms.Field], **options: Any) -> None:
        super().__init__(*args, **options)
        self.told = list(told)
        self.fields.update(told)

    @property
    def answers(self) -> dict[str, Any]:
        """What was filled in besides the reason; a field left empty is left out."""
        return {name: value for name in self.told if (value := self.cleaned_data[name]) not in (None, "")}
