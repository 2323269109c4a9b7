"""What integrators say about people. Whether it makes sense is checked where the rule is."""

from __future__ import annotations

import zoneinfo
from typing import Any

from django.core.validators import EmailValidator, RegexValidator
from rest_framework import serializers

from campaigns_project.api import ChoiceField, ListQuery, NameField, ObjectField, StrictSerializer, TextField
from campaigns_project.api.fields import BIGGEST
from campaigns_project.refusals import Invalid
from crm.models import LoyaltyTier
from crm.phones import normalise

MOST_TAGS = 50
MOST_ATTRIBUTES = 100
LONGEST_VALUE = 500
_ATTRIBUTE = r"[A-Za-z0-9_][A-Za-z0-9_ .-]{0,59}"


class EmailText(TextField):
    """An e-mail address as people write it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=254, **options)
        self.validators.append(EmailValidator())


class PhoneText(TextField):
    """A phone number, read to E.164."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=40, **options)

    def to_internal_value(self, data: Any) -> str:
        try:
            return normalise(super().to_internal_value(data))
        except Invalid as refusal:
            raise serializers.ValidationError(refusal.details["phone_number"]) from None


class AttributesField(ObjectField):
    """The merchant's own facts: up to 100 names with a text, a number, true, false or null each."""

    def to_internal_value(self, data: Any) -> Any:
        found = super().to_internal_value(data)
        if len(found) > MOST_ATTRIBUTES:
            raise serializers.ValidationError([f"At most {MOST_ATTRIBUTES} attributes."])
        name = RegexValidator(rf"\A{_ATTRIBUTE}\Z", "A name is 1 to 60 letters, digits, spaces, dots, hyphens or _.")
        value = TextField(max_length=LONGEST_VALUE, lines=True, allow_blank=True)
        for key, each in found.items():
            name(key)
            if isinstance(each, str):
                value.run_validation(each)
            elif not _is_plain(each):
                raise serializers.ValidationError({key: ["This must be a text, a number, true, false or null."]})
        return found


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool) or (isinstance(value, int | float) and abs(value) <= BIGGEST)


def _shaped(pattern: str, sentence: str, **options: Any) -> TextField:
    return TextField(required=False, allow_blank=True, validators=[RegexValidator(pattern, sentence)], **options)


class CustomerInput(StrictSerializer):
    """A person; what is left out stays as it is, and empty at first."""

    external_id = TextField(max_length=120, required=False, allow_blank=True, help_text="Yours; once in an account.")
    email = EmailText(required=False, allow_blank=True)
    phone = PhoneText(required=False, allow_blank=True)
    first_name = TextField(max_length=200, required=False, allow_blank=True)
    last_name = TextField(max_length=200, required=False, allow_blank=True)
    country = _shaped(r"\A[A-Z]{2}\Z", "Two capital letters, such as GB.", max_length=2)
    language = _shaped(r"\A[a-z]{2,3}([-_][A-Za-z]{2,4})?\Z", "A language code, such as en or pt-BR.", max_length=10)
    time_zone = TextField(max_length=64, required=False, allow_blank=True, help_text="Such as Europe/London.")
    loyalty_tier = ChoiceField(choices=LoyaltyTier.choices, required=False, allow_blank=True)
    tags = serializers.ListField(child=NameField(max_length=50), max_length=MOST_TAGS, required=False)
    attributes = AttributesField(required=False)

    example: dict[str, Any] = {
        "external_id": "c-1001",
        "email": "anna@example.test",
        "phone": "+15550000001",
        "first_name": "Anna",
        "country": "GB",
        "language": "en",
        "loyalty_tier": "gold",
        "tags": ["regular"],
        "attributes": {"favourite_table": 7},
    }

    def validate_time_zone(self, name: str) -> str:
        if name and name not in zoneinfo.available_timezones():
            raise serializers.ValidationError("There is no such time zone.")
        return name

    def validate_tags(self, tags: list[str]) -> list[str]:
        return list(dict.fromkeys(tags))


class CustomersQuery(ListQuery):
    search = TextField(max_length=200, required=False, help_text="How a name, an address, a number or an id begins.")
    email = TextField(max_length=254, required=False, help_text="In any case.")
    phone = PhoneText(required=False)
    external_id = TextField(max_length=120, required=False)
    tag = TextField(max_length=50, required=False)
