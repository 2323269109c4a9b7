"""Strict fields: JSON types are not converted into each other, text is storable and in NFC, numbers have bounds.

In a `Query` or a form, where everything is text, numbers and booleans are read from their one plain spelling.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

BIGGEST = 2**63 - 1
# Line and paragraph separators break rows in logs and exports just as control characters do.
_CONTROL = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
ONE_LINE = RegexValidator(rf"\A[^{_CONTROL}]*\Z", "Control characters are not allowed.")
SOME_TEXT = RegexValidator(rf"\A[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*\Z", "This may not be blank.")
STORABLE = RegexValidator(
    r"\A[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*\Z", "Control characters are not allowed."
)
_PLAIN_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_PLAIN_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST_DAY_IN_FILTERS = date(1900, 1, 1)


def is_textual(field: serializers.Field[Any, Any, Any, Any]) -> bool:
    """Whether the field stands in a query or a form."""
    return bool(getattr(field.root, "textual", False))


class TextField(serializers.CharField):
    """Text in NFC, of one line unless `lines`; no control characters."""

    default_error_messages = {"not_text": "This must be a string."}

    def __init__(self, *, lines: bool = False, **options: Any) -> None:
        options.setdefault("max_length", 1000)
        options.setdefault("trim_whitespace", False)
        super().__init__(**options)
        self.validators.append(STORABLE if lines else ONE_LINE)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("not_text")
        return unicodedata.normalize("NFC", super().to_internal_value(data))


class NameField(TextField):
    """A name: 1–200 characters, NFC, not blank, no control characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=options.pop("max_length", 200), min_length=1, **options)
        self.validators.append(SOME_TEXT)


class IntegerField(serializers.IntegerField):
    """A whole number within 64 bits; `true`, `"1"` and `1.0` are none."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_value", BIGGEST)
        options.setdefault("min_value", -BIGGEST - 1)
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> int:
        if is_textual(self):
            if isinstance(data, str) and _PLAIN_INTEGER.fullmatch(data):
                return int(data)
        elif isinstance(data, int) and not isinstance(data, bool):
            return data
        return self.fail("invalid")


class NumberField(serializers.FloatField):
    """A finite number; the parser has refused the others."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return super().to_internal_value(data)


class BooleanField(serializers.BooleanField):
    """`true` or `false`, nothing else."""

    def to_internal_value(self, data: Any) -> bool:
        if is_textual(self) and data in ("true", "false"):
            return bool(data == "true")
        if not is_textual(self) and isinstance(data, bool):
            return data
        return self.fail("invalid", input=data)


class ChoiceField(serializers.ChoiceField):
    """One of the given strings, spelled exactly."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "format": "date-time", "pattern": "^(20[0-9]{2}|2100)-"})
class MomentField(serializers.DateTimeField):
    """A moment from 2000 to 2100 in ISO 8601 with its offset; the value is in UTC."""

    default_error_messages = {
        "no_offset": "The time needs an offset, for example Z.",
        "range": "The year must be from 2000 to 2100.",
    }

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or not data.isascii():
            self.fail("invalid", format="YYYY-MM-DDThh:mm:ssZ")
        try:
            moment = datetime.fromisoformat(data)
        except ValueError:
            self.fail("invalid", format="YYYY-MM-DDThh:mm:ssZ")
        if moment.tzinfo is None:
            self.fail("no_offset")
        if not 2000 <= moment.year <= 2100:  # noqa: PLR2004 (spec: api › Strict input)
            self.fail("range")
        return moment.astimezone(UTC)


class DayField(serializers.DateField):
    """A calendar date `YYYY-MM-DD` from 1900 on, for filters."""

    default_error_messages = {"range": "The date must not be before 1900."}

    def to_internal_value(self, data: Any) -> date:
        if not isinstance(data, str) or not _PLAIN_DAY.fullmatch(data):
            self.fail("invalid", format="YYYY-MM-DD")
        day: date = super().to_internal_value(data)
        if day < _FIRST_DAY_IN_FILTERS:
            self.fail("range")
        return day


@extend_schema_field({"type": "object", "additionalProperties": {}})
class ObjectField(serializers.DictField):
    """A JSON object whose inside is checked by a rule of the domain."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            self.fail("not_a_dict", input_type=type(data).__name__)
        return data


class RowsField(serializers.ListField):
    """A bounded list of rows that a process checks one by one; only the number is checked here."""

    def __init__(self, *, at_most: int, **options: Any) -> None:
        super().__init__(min_length=1, max_length=at_most, **options)

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        return data


class CommaListField(serializers.ListField):
    """`a,b,c` in a query: at most 100 items, each read by `child`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=100, **options)

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, str):
            self.fail("not_a_list", input_type=type(data).__name__)
        return super().to_internal_value(data.split(","))
