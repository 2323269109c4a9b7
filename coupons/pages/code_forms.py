"""What the pages of codes take."""

from __future__ import annotations

from typing import Any

from django import forms

from coupons import importing, terms
from coupons.models import CouponStatus

# What a list is narrowed to, as a person chooses it.
NARROW: dict[str, dict[str, Any]] = {
    "unused": {"used": False, "status": CouponStatus.ACTIVE},
    "used": {"used": True},
    "handed-out": {"handed_out": True},
    "inactive": {"status": CouponStatus.INACTIVE},
    "void": {"status": CouponStatus.VOID},
}


def narrowed(chosen: str) -> dict[str, Any]:
    """What `listing.filtered` is told; everything for a word we do not know."""
    return NARROW.get(chosen, {})


class MakeForm(forms.Form):
    quantity = forms.IntegerField(
        min_value=1,
        max_value=terms.MOST_CODES,
        label="How many",
        help_text="The only code of a group is short, to be typed; others are long, so that nobody guesses them.",
    )


class UploadForm(forms.Form):
    file = forms.FileField(
        label="CSV file",
        allow_empty_file=True,
        help_text="In UTF-8. The first line names the columns: code, and notes if you like.",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )


class NotesForm(forms.Form):
    notes = forms.CharField(required=False, max_length=importing.LONGEST_NOTES, label="Notes")
