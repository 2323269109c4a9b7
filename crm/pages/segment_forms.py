"""How merchants say whom a segment is for: rows of field, operator and value, or the grammar itself as JSON."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from itertools import chain
from typing import TYPE_CHECKING, Any

from django import forms

from campaigns_project.api import parse_json
from campaigns_project.refusals import InvalidJSON
from crm.audiences import criteria
from crm.audiences.criteria import InvalidSegmentCriteria

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 6
OPS = {
    "eq": "is",
    "ne": "is not",
    "gte": "is at least",
    "lte": "is at most",
    "gt": "is more than",
    "lt": "is less than",
    "between": "is between",
    "in": "is one of",
    "nin": "is none of",
    "contains": "contains",
    "exists": "is known",
}
LISTS = ("in", "nin", "between")
ATTRIBUTE = "attributes."
_SAID = {"yes": True, "true": True, "no": False, "false": False}
LONGEST_NUMBER = 20
_TEXTS = ("loyalty_tier", "tags", "country", "language")
# A condition as a row has it: field, the attribute's name, operator, value as typed.
Row = tuple[str, str, str, str]


class RowForm(forms.Form):
    """One condition; an empty field is no condition."""

    field = forms.ChoiceField(
        required=False,
        choices=[("", "—"), *((name, name.replace("_", " ")) for name in criteria.FIELDS), (ATTRIBUTE, "attribute")],
    )
    name = forms.CharField(required=False, max_length=60, label="Attribute")
    op = forms.ChoiceField(required=False, choices=list(OPS.items()), label="Is")
    value = forms.CharField(required=False, max_length=2_000)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, field in self.fields.items():
            label = f"{field.label or name.capitalize()} of condition {self.prefix}"
            field.widget.attrs |= {"class": "input", "aria-label": label}


class SegmentForm(forms.Form):
    """A segment's name and criteria."""

    name = forms.CharField(max_length=200)
    match = forms.ChoiceField(label="Who", choices=[("all", "All conditions hold"), ("any", "Any condition holds")])
    words = forms.CharField(
        required=False,
        max_length=20_000,
        label="Criteria as JSON",
        help_text="For groups in groups; when it is filled, the rows above do not count",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )

    def __init__(self, data: Any = None, *, name: str = "", asked: Any = None, by_hand: bool = False) -> None:
        match, rows = _rows_of(asked or {})
        words = json.dumps(asked) if asked and rows is None else ""
        super().__init__(data, initial={"name": name, "match": match, "words": words})
        shown = [*(rows or []), *[("", "", "eq", "")] * ROWS][: max(ROWS, len(rows or []))]
        self.rows = [
            RowForm(data, prefix=str(n), initial=dict(zip(("field", "name", "op", "value"), row, strict=True)))
            for n, row in enumerate(shown, start=1)
        ]
        if by_hand:
            self.rows = []
            del self.fields["match"], self.fields["words"]

    @property
    def criteria(self) -> Any:
        """What was typed, in the grammar; {} for nothing. Raises InvalidSegmentCriteria for what cannot be read."""
        self.is_valid()
        given = getattr(self, "cleaned_data", {})
        if words := given.get("words", "").strip():
            return _read(words)
        for row in self.rows:
            if not row.is_valid():
                raise InvalidSegmentCriteria(details={f"criteria.row {row.prefix}": ["This is no condition."]})
        found = [_condition(row.cleaned_data) for row in self.rows if row.cleaned_data["field"]]
        match = given.get("match") or "all"
        alone = {0: {}, 1: found[0] if match == "all" and found else None}.get(len(found))
        return {match: found} if alone is None else alone

    def refuse(self, refusal: InvalidSegmentCriteria) -> None:
        """Show what is wrong with the criteria."""
        for path, sentences in refusal.details.items():
            where = path.removeprefix("criteria").strip(".")
            self.add_error(None, [f"{where}: {sentence}" if where else sentence for sentence in sentences])


def _read(words: str) -> Any:
    try:
        return parse_json(words.encode())
    except InvalidJSON as refusal:
        raise InvalidSegmentCriteria(details={"criteria": [refusal.message]}) from None


def told(asked: Any) -> Iterator[str]:
    """Criteria as lines to read; groups in groups as JSON."""
    match, rows = _rows_of(asked)
    for field, name, op, value in rows or []:
        shown = f"{name}" if field == ATTRIBUTE else field.replace("_", " ")
        yield f"{'or ' if match == 'any' else ''}{shown} {OPS[op]} {value}".strip()
    if rows is None:
        yield json.dumps(asked)


def _condition(row: dict[str, str]) -> dict[str, Any]:
    field = f"{ATTRIBUTE}{row['name']}" if row["field"] == ATTRIBUTE else row["field"]
    op, value = row["op"] or "eq", row["value"].strip()
    if op in LISTS:
        return {field: {op: [_value(field, op, each.strip()) for each in value.split(",") if each.strip()]}}
    return {field: {op: _value(field, op, value)}}


def _value(field: str, op: str, typed: str) -> Any:
    """What somebody typed as the grammar wants it; what cannot be that is left to the grammar to refuse."""
    if field.endswith("_opt_in") or op == "exists":
        return _SAID.get(typed.lower(), typed)
    return typed if field in _TEXTS or op == "contains" else _number(typed)


def _number(typed: str) -> Any:
    try:
        number = Decimal(typed)
    except InvalidOperation:
        return typed
    if not number.is_finite() or len(typed) > LONGEST_NUMBER:
        return typed
    return int(number) if number == int(number) else float(number)


def _rows_of(asked: Any) -> tuple[str, list[Row] | None]:
    """How rows say these criteria, None where they cannot."""
    match = "any" if set(asked) == {"any"} else "all"
    groups = asked[match] if set(asked) == {match} else [asked]
    keys = list(chain.from_iterable(groups))
    several = match == "any" and len(keys) > len(groups)
    if several or {"any", "all", "not"} & set(keys):
        return match, None
    said = chain.from_iterable(group.items() for group in groups)
    return match, list(chain.from_iterable(_rows_of_field(key, value) for key, value in said))


def _rows_of_field(key: str, value: Any) -> Iterator[Row]:
    field, name = (ATTRIBUTE, key.removeprefix(ATTRIBUTE)) if key.startswith(ATTRIBUTE) else (key, "")
    for op, operand in (value if isinstance(value, dict) else {"eq": value}).items():
        yield field, name, op, ", ".join(map(_typed, operand)) if isinstance(operand, list) else _typed(operand)


def _typed(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


class ByHandForm(forms.Form):
    """Customers to put into a segment."""

    people = forms.CharField(
        max_length=200_000,
        help_text="One a line: an e-mail address, a phone number with +, your id or ours",
        widget=forms.Textarea(attrs={"rows": 4}),
    )


class FileForm(forms.Form):
    """A segment from a file."""

    name = forms.CharField(max_length=200)
    file = forms.FileField(help_text="CSV in UTF-8; one column is customer_id, external_id, email or phone")
