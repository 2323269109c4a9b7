"""What integrators read about leads, broadcasts and messages. Every shape carries an example for OpenAPI."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns import broadcasting
from campaigns.api.template_shapes import WRITTEN_AT, Shape
from campaigns.models import (
    Broadcast,
    BroadcastStatus,
    CampaignLead,
    CampaignLeadMessage,
    CampaignStatus,
    MessageStatus,
)
from campaigns_project.api import MoneyShape


class LeadShape(serializers.ModelSerializer[CampaignLead]):
    campaign_id = serializers.IntegerField()
    conversation_user_id = serializers.IntegerField()
    phone_number = serializers.CharField(source="conversation_user.phone")
    name = serializers.CharField(source="conversation_user.name")
    custom_variables = serializers.DictField(child=serializers.CharField())

    class Meta:
        model = CampaignLead
        fields = (
            "id",
            "campaign_id",
            "conversation_user_id",
            "phone_number",
            "name",
            "active",
            "custom_variables",
            "created_at",
        )

    example = {
        "id": 12,
        "campaign_id": 3,
        "conversation_user_id": 40,
        "phone_number": "+15550000001",
        "name": "Anna",
        "active": True,
        "custom_variables": {"table": "7"},
        "created_at": WRITTEN_AT,
    }


class InvalidRowShape(Shape):
    index = serializers.IntegerField()
    code = serializers.CharField()
    message = serializers.CharField()


class AddedShape(Shape):
    created = serializers.IntegerField()
    reactivated = serializers.IntegerField(help_text="Made active again, or given new variables.")
    unchanged = serializers.IntegerField()
    invalid = InvalidRowShape(many=True)

    example = {
        "created": 1,
        "reactivated": 0,
        "unchanged": 0,
        "invalid": [{"index": 1, "code": "invalid", "message": "phone_number: Start the number with +."}],
    }


class PreviewShape(Shape):
    content = serializers.DictField(help_text="`content_context` as the person reads it.")
    body = serializers.CharField()
    variables = serializers.DictField(child=serializers.CharField())
    missing = serializers.ListField(child=serializers.CharField())

    example = {
        "content": {"body": "Hi Anna, the autumn menu is here."},
        "body": "Hi Anna, the autumn menu is here.",
        "variables": {"lead_name": "Anna"},
        "missing": [],
    }


class MessageShape(serializers.ModelSerializer[CampaignLeadMessage]):
    broadcast_id = serializers.IntegerField()
    campaign_id = serializers.IntegerField()
    outcome = serializers.SerializerMethodField(help_text="`unknown` while nobody knows whether the call took effect.")

    class Meta:
        model = CampaignLeadMessage
        fields = (
            "id",
            "broadcast_id",
            "campaign_id",
            "phone",
            "status",
            "outcome",
            "skip_reason",
            "error_code",
            "provider_id",
            "context",
            "created_at",
            "status_at",
        )

    example = {
        "id": 90,
        "broadcast_id": 7,
        "campaign_id": 3,
        "phone": "+15550000001",
        "status": "delivered",
        "outcome": "delivered",
        "skip_reason": "",
        "error_code": "",
        "provider_id": "SM0123456789abcdef0123456789abcdef",
        "context": {"body": "Hi Anna, the autumn menu is here.", "content_variables": {"1": "Anna"}},
        "created_at": WRITTEN_AT,
        "status_at": WRITTEN_AT,
    }

    @extend_schema_field(serializers.ChoiceField(choices=["unknown", *MessageStatus.values]))
    def get_outcome(self, message: Any) -> str:
        return "unknown" if message.is_unknown else str(message.status)


class PreflightShape(Shape):
    audience = serializers.IntegerField()
    skips = serializers.DictField(child=serializers.IntegerField())
    missing_variables = serializers.ListField(child=serializers.CharField())
    template_status = serializers.ChoiceField(choices=CampaignStatus.choices)
    estimated_cost = MoneyShape()
    can_start = serializers.BooleanField()


class BroadcastShape(serializers.ModelSerializer[Broadcast]):
    campaign_id = serializers.IntegerField()
    counts = serializers.SerializerMethodField()
    preflight = PreflightShape()
    coupon_campaign_id = serializers.SerializerMethodField()

    class Meta:
        model = Broadcast
        fields = (
            "id",
            "campaign_id",
            "status",
            "scheduled_at",
            "rate_per_second",
            "force",
            "test_send",
            "coupon_campaign_id",
            "counts",
            "preflight",
            "created_at",
            "started_at",
            "ended_at",
        )

    example = {
        "id": 7,
        "campaign_id": 3,
        "status": "draft",
        "scheduled_at": None,
        "rate_per_second": None,
        "force": False,
        "test_send": False,
        "coupon_campaign_id": None,
        "counts": dict.fromkeys(MessageStatus.values, 0) | {"queued": 500, "skipped": 1},
        "preflight": {
            "audience": 500,
            "skips": {"opted_out": 1},
            "missing_variables": [],
            "template_status": "approved",
            "estimated_cost": {"amount": 3500, "currency": "USD"},
            "can_start": True,
        },
        "created_at": WRITTEN_AT,
        "started_at": None,
        "ended_at": None,
    }

    @extend_schema_field({"type": ["string", "null"]})
    def get_coupon_campaign_id(self, broadcast: Broadcast) -> str | None:
        return broadcast.code_pool or None

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
    def get_counts(self, broadcast: Broadcast) -> dict[str, int]:
        return broadcasting.counts(broadcast)


class StandingShape(Shape):
    """Where a broadcast stands: calls under way, people the provider has, people still waiting."""

    status = serializers.ChoiceField(choices=BroadcastStatus.choices)
    in_flight = serializers.IntegerField()
    sent = serializers.IntegerField()
    remaining = serializers.IntegerField()

    example = {"status": "paused", "in_flight": 12, "sent": 203, "remaining": 285}


class PendingShape(StandingShape):
    """As StandingShape, while a second person has to decide."""

    status = serializers.ChoiceField(choices=[("approval_pending", "Waits for a second person")])

    example = {"status": "approval_pending", "in_flight": 0, "sent": 0, "remaining": 12000}
