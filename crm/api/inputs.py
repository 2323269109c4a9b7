"""What integrators say about people. Whether it makes sense is checked where the rule is."""

from __future__ import annotations

import json
import zoneinfo
from functools import cache
from typing import Any

from django.core.validators import EmailValidator, RegexValidator
from rest_framework import serializers

from campaigns_project.api import (
    BooleanField,
    ChoiceField,
    FormSerializer,
    IntegerField,
    ListQuery,
    MomentField,
    NameField,
    ObjectField,
    Query,
    RowsField,
    StrictSerializer,
    TextField,
    parse_json,
)
from campaigns_project.api.fields import BIGGEST
from campaigns_project.api.lists import DEFAULT_LIMIT, MAX_LIMIT
from campaigns_project.refusals import Invalid, InvalidJSON
from crm.models import Channel, LoyaltyTier
from crm.phones import normalise

MOST_TAGS = 50
MOST_ATTRIBUTES = 100
LONGEST_VALUE = 500
LONGEST_OBJECT = 10_000
MOST_EVENTS = 1_000
WHO = ("customer_id", "external_id", "email", "phone")
# Of our own events, such as `whatsapp:12:delivered`, and of what providers report.
OURS = ("whatsapp:", "sendgrid:", "twilio:", "mailchimp:", "hubspot:")
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


class TimeZoneText(TextField):
    """The name of a time zone."""

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name not in _time_zones():
            raise serializers.ValidationError(["There is no such time zone."])
        return name


@cache
def _time_zones() -> set[str]:
    return zoneinfo.available_timezones()


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
    time_zone = TimeZoneText(max_length=64, required=False, allow_blank=True, help_text="Such as Europe/London.")
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

    def validate_tags(self, tags: list[str]) -> list[str]:
        return list(dict.fromkeys(tags))


class MappingText(TextField):
    """A JSON object in a form: by a column's name, what it is."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            found = parse_json(super().to_internal_value(data).encode())
        except InvalidJSON as refusal:
            raise serializers.ValidationError([refusal.message]) from None
        if not all(isinstance(value, str) for value in found.values()):
            raise serializers.ValidationError(["Each column's value must be a text."])
        return found


class CustomerImportForm(FormSerializer):
    """A CSV file, and what its columns are where their names do not say it."""

    file = serializers.FileField(allow_empty_file=True, help_text="CSV in UTF-8; the first line names the columns.")
    mapping = MappingText(
        max_length=20_000,
        required=False,
        help_text='A JSON object, such as {"Kundennummer": "external_id"}; "" leaves a column out.',
    )

    example: dict[str, Any] = {
        "file": "email,first_name,tags,email_consent\nanna@example.test,Anna,regular;vip,yes\n",
        "mapping": '{"email": "email"}',
    }


class CustomersQuery(ListQuery):
    search = TextField(
        max_length=200,
        required=False,
        help_text="How a name or an e-mail address begins, in any case, or a phone number or an id, as written.",
    )
    email = TextField(max_length=254, required=False, help_text="In any case.")
    phone = PhoneText(required=False)
    external_id = TextField(max_length=120, required=False)
    tag = TextField(max_length=50, required=False)


class SmallObject(ObjectField):
    """An object of up to 10,000 characters of JSON."""

    def to_internal_value(self, data: Any) -> Any:
        found = super().to_internal_value(data)
        if len(json.dumps(found)) > LONGEST_OBJECT:
            raise serializers.ValidationError([f"At most {LONGEST_OBJECT:,} characters of JSON."])
        return found


class TimelineQuery(Query):
    limit = IntegerField(min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)
    cursor = TextField(max_length=1000, required=False, help_text="`next_cursor` of the page before.")


class ConsentInput(StrictSerializer):
    channel = ChoiceField(choices=Channel.choices)
    purpose = TextField(
        max_length=30,
        default="marketing",
        validators=[RegexValidator(r"\A[a-z][a-z0-9_]*\Z", "Small letters, digits and _.")],
        help_text="Only `marketing` decides whether something is sent; others are written down.",
    )
    granted = BooleanField()
    source = NameField(max_length=60, help_text="Where they said so, such as `checkout`.")  # type: ignore[assignment]  # its own name on the wire
    proof = SmallObject(required=False, help_text="What shows it, such as the words they ticked.")

    example: dict[str, Any] = {
        "channel": "email",
        "purpose": "marketing",
        "granted": True,
        "source": "checkout",
        "proof": {"form": "newsletter", "ip": "192.0.2.7"},
    }


class ValueInput(StrictSerializer):
    amount = IntegerField(min_value=0, max_value=10**12, help_text="Minor units.")
    currency = TextField(max_length=3, validators=[RegexValidator(r"\A[A-Z]{3}\Z", "Three capital letters.")])


class EventInput(StrictSerializer):
    """One thing that happened to a person, who is named in at least one way."""

    event_id = NameField(max_length=120, help_text="Yours: the same one again changes nothing.")
    type = TextField(
        max_length=60,
        validators=[RegexValidator(r"\A[a-z0-9_]+([.:-][a-z0-9_]+)*\Z", "Such as order.completed.")],
        help_text="`order.completed` and `order.refunded` move what the customer spent.",
    )
    customer_id = TextField(max_length=40, required=False, allow_null=True)
    external_id = TextField(max_length=120, required=False, allow_null=True)
    email = EmailText(required=False, allow_null=True)
    phone = PhoneText(required=False, allow_null=True)
    occurred_at = MomentField(required=False, help_text="Now, when it is left out.")
    value = ValueInput(required=False, allow_null=True)
    properties = SmallObject(required=False)

    example: dict[str, Any] = {
        "event_id": "e-1",
        "type": "order.completed",
        "email": "anna@example.test",
        "occurred_at": "2026-01-24T18:30:00Z",
        "value": {"amount": 4680, "currency": "USD"},
        "properties": {"order_id": "o1", "code": "FLASH25"},
    }

    def validate_event_id(self, event_id: str) -> str:
        if event_id.startswith(OURS):
            raise serializers.ValidationError(f"Ids that begin with {event_id.partition(':')[0]}: are ours.")
        return event_id

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not any(attrs.get(name) for name in WHO):
            raise serializers.ValidationError({"customer_id": [f"Say who it happened to: {', '.join(WHO)}."]})
        return attrs


class EventsInput(EventInput):
    """One event, or up to 1,000 as `events`; those are checked one by one, so that one does not refuse the rest."""

    event_id = NameField(max_length=120, required=False)
    type = TextField(max_length=60, required=False)
    events = RowsField(at_most=MOST_EVENTS, child=EventInput(), required=False)

    example: dict[str, Any] = {"events": [EventInput.example]}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "events" in attrs and len(attrs) > 1:
            raise serializers.ValidationError({"events": ["Give one event or `events`, not both."]})
        return attrs
