"""What integrators say and read about webhooks to them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from campaigns_project.api import BooleanField, ChoiceField, ListQuery, StrictSerializer, TextField
from crm.models import WebhookDelivery, WebhookEndpoint
from crm.webhooks_out.outgoing import LONGEST_TYPE, MOST_TYPES

URL_HELP = "An https address on a public host, port 443."
TYPES_HELP = "Types of events, such as `order.completed`; `email.*` for all of a kind, `*` for everything."


def _types(**options: Any) -> serializers.ListField:
    child = TextField(max_length=LONGEST_TYPE)
    return serializers.ListField(child=child, min_length=1, max_length=MOST_TYPES, help_text=TYPES_HELP, **options)


class EndpointInput(StrictSerializer):
    url = TextField(max_length=2048, help_text=URL_HELP)
    event_types = _types()
    description = TextField(max_length=200, required=False, allow_blank=True)
    enabled = BooleanField(required=False)

    example: dict[str, Any] = {
        "url": "https://shop.example.com/webhooks",
        "event_types": ["order.*", "email.opened", "consent.withdrawn"],
        "description": "The shop",
    }


class ChangeEndpointInput(EndpointInput):
    url = TextField(max_length=2048, required=False, help_text=URL_HELP)
    event_types = _types(required=False)

    example = {"event_types": ["*"], "enabled": True}


class EndpointsQuery(ListQuery):
    pass


class DeliveriesQuery(ListQuery):
    status = ChoiceField(choices=WebhookDelivery.Status.choices, required=False)


class EndpointShape(serializers.ModelSerializer[WebhookEndpoint]):
    id = serializers.CharField(source="public_id")
    event_types = serializers.ListField(child=serializers.CharField())
    disabled_reason = serializers.ChoiceField(
        choices=["", *WebhookEndpoint.Ended.values],
        help_text="`gone`: it answered 410. `failing`: every call failed for five days.",
    )

    class Meta:
        model = WebhookEndpoint
        fields = (
            *("id", "url", "description", "event_types", "enabled", "disabled_reason", "failing_since"),
            *("old_secret_until", "created_at"),
        )

    example: dict[str, Any] = {
        "id": "whe_7k2m0000000000ab",
        **EndpointInput.example,
        "enabled": True,
        "disabled_reason": "",
        "failing_since": None,
        "old_secret_until": None,
        "created_at": "2026-11-21T09:30:00Z",
    }


class NewEndpointShape(EndpointShape):
    secret = serializers.CharField(help_text="Shown once. Every webhook is signed with it.")

    class Meta(EndpointShape.Meta):
        fields = (*EndpointShape.Meta.fields, "secret")  # type: ignore[assignment]  # one more

    example = {**EndpointShape.example, "secret": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"}


class SecretShape(serializers.Serializer[Any]):
    id = serializers.CharField()
    secret = serializers.CharField(help_text="Shown once.")
    old_secret_until = serializers.DateTimeField(help_text="Until then each webhook bears a signature of both.")

    example: dict[str, Any] = {
        "id": "whe_7k2m0000000000ab",
        "secret": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3",
        "old_secret_until": "2026-11-22T09:30:00Z",
    }


class DeliveryShape(serializers.ModelSerializer[WebhookDelivery]):
    id = serializers.CharField(source="public_id", help_text="Its webhook-id, the same at every try.")
    event_id = serializers.CharField(source="event.public_id", default=None, allow_null=True)
    status = serializers.ChoiceField(choices=WebhookDelivery.Status.choices)
    response_body = serializers.CharField(help_text="The first KB of the last answer.")
    error = serializers.CharField(help_text="Why the last try had no answer.")

    class Meta:
        model = WebhookDelivery
        fields = (
            *("id", "type", "event_id", "status", "tries", "next_try_at", "delivered_at", "response_code"),
            *("response_body", "error", "duration_ms", "created_at"),
        )

    example: dict[str, Any] = {
        "id": "msg_7k2m0000000000ab",
        "type": "order.completed",
        "event_id": "evt_7k2m0000000000ab",
        "status": "delivered",
        "tries": 1,
        "next_try_at": None,
        "delivered_at": "2026-11-21T09:30:01Z",
        "response_code": 204,
        "response_body": "",
        "error": "",
        "duration_ms": 87,
        "created_at": "2026-11-21T09:30:00Z",
    }
