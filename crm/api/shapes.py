"""What integrators read about people. Every shape carries an example for OpenAPI."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from campaigns_project.api import MoneyShape
from crm.models import Channel, Customer

WRITTEN_AT = "2026-11-21T09:30:00Z"


class ConsentShape(serializers.Serializer[Any]):
    marketing = serializers.ChoiceField(choices=["granted", "withdrawn", "none"])
    suppressed = serializers.BooleanField(help_text="Nothing is sent to this address on this channel.")


class ConsentsShape(serializers.Serializer[Any]):
    """What the person said last, by channel; `none` also where they have no address."""

    email = ConsentShape()
    sms = ConsentShape()
    push = ConsentShape()
    whatsapp = ConsentShape()
    mail = ConsentShape()


class CustomerShape(serializers.ModelSerializer[Customer]):
    id = serializers.CharField(source="public_id")
    tags = serializers.ListField(child=serializers.CharField())
    attributes = serializers.DictField()
    total_spent = MoneyShape()
    order_count = serializers.IntegerField()
    last_order_at = serializers.DateTimeField(allow_null=True)
    consents = ConsentsShape()

    class Meta:
        model = Customer
        fields = (
            "id",
            "external_id",
            "email",
            "phone",
            "first_name",
            "last_name",
            "country",
            "language",
            "time_zone",
            "loyalty_tier",
            "tags",
            "attributes",
            "total_spent",
            "order_count",
            "last_order_at",
            "consents",
            "created_at",
            "updated_at",
        )

    example = {
        "id": "cust_7k2m0000000000ab",
        "external_id": "c-1001",
        "email": "anna@example.test",
        "phone": "+15550000001",
        "first_name": "Anna",
        "last_name": "",
        "country": "GB",
        "language": "en",
        "time_zone": "",
        "loyalty_tier": "gold",
        "tags": ["regular"],
        "attributes": {"favourite_table": 7},
        "total_spent": {"amount": 4680, "currency": "USD"},
        "order_count": 1,
        "last_order_at": WRITTEN_AT,
        "consents": {each: {"marketing": "none", "suppressed": False} for each in Channel.values}
        | {"email": {"marketing": "granted", "suppressed": False}},
        "created_at": WRITTEN_AT,
        "updated_at": WRITTEN_AT,
    }


class EntryShape(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="`event`, `consent`, or `message` for what was sent to them.")
    id = serializers.CharField()
    type = serializers.CharField()
    at = serializers.DateTimeField()
    properties = serializers.DictField()


class OnwardShape(serializers.Serializer[Any]):
    limit = serializers.IntegerField()
    next_cursor = serializers.CharField(allow_null=True)


class TimelineShape(serializers.Serializer[Any]):
    data = EntryShape(many=True)  # type: ignore[assignment]  # the field of that name, as DRF allows it
    pagination = OnwardShape()

    example: ClassVar[dict[str, Any]] = {
        "data": [
            {
                "kind": "event",
                "id": "evt_7k2m0000000000ab",
                "type": "order.completed",
                "at": WRITTEN_AT,
                "properties": {"order_id": "o1", "value": {"amount": 4680, "currency": "USD"}},
            }
        ],
        "pagination": {"limit": 20, "next_cursor": None},
    }


class InvalidEventShape(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    code = serializers.CharField()
    message = serializers.CharField()


class EventsShape(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField(help_text="Known by their `event_id`; nothing changed.")
    invalid = InvalidEventShape(many=True)

    example: ClassVar[dict[str, Any]] = {
        "accepted": 1,
        "duplicates": 0,
        "invalid": [{"index": 1, "code": "invalid", "message": "customer_id: There is no such customer."}],
    }
