"""What integrators read about templates. Every shape carries an example for OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns.metrics import described
from campaigns.models import Campaign, CampaignStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

Shape = serializers.Serializer[Any]
WRITTEN_AT = "2026-11-21T09:30:00Z"


class MetricsShape(Shape):
    """Counts of people, and rates in percent of the delivered."""

    messages_sent = serializers.IntegerField()
    delivered = serializers.IntegerField()
    read = serializers.IntegerField()
    replied = serializers.IntegerField()
    reply_rate = serializers.FloatField()
    conversion_rate = serializers.FloatField(help_text="With an order within seven days after the delivery.")


class VersionShape(Shape):
    id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=CampaignStatus.choices)
    next_campaign_id = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()


class TemplateColumns(serializers.ModelSerializer[Campaign]):
    """The columns of one version."""

    merchant_id = serializers.IntegerField(source="account_id")
    next_campaign_id = serializers.IntegerField(allow_null=True)
    variables = serializers.DictField(child=serializers.CharField())
    variable_defaults = serializers.DictField(child=serializers.CharField())
    content_context = serializers.DictField()
    enabled = serializers.SerializerMethodField(help_text="Since when it may be sent; null: it may not.")

    class Meta:
        model = Campaign
        fields = (
            "id",
            "merchant_id",
            "next_campaign_id",
            "name",
            "body",
            "language",
            "content_sid",
            "status",
            "rejection_reason",
            "variables",
            "variable_defaults",
            "content_type",
            "content_context",
            "campaign_type",
            "author_type",
            "channel",
            "enabled",
            "created_at",
            "updated_at",
        )

    @extend_schema_field({"type": ["string", "null"], "format": "date-time"})
    def get_enabled(self, campaign: Campaign) -> Any:
        return campaign.enabled_at


class CampaignShape(TemplateColumns):
    """One version of a template with how it fares, and its other versions."""

    metrics = MetricsShape(read_only=True)
    custom_variable_keys = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Variables that active leads carry."
    )
    versions = VersionShape(many=True, read_only=True)

    class Meta:
        model = Campaign
        fields = (*TemplateColumns.Meta.fields, "metrics", "custom_variable_keys", "versions")

    example = {
        "id": 3,
        "merchant_id": 1,
        "next_campaign_id": None,
        "name": "autumn",
        "body": "Hi {{lead_name}}, the autumn menu is here.",
        "language": "en",
        "content_sid": "HX0123456789abcdef0123456789abcdef",
        "status": "approved",
        "rejection_reason": None,
        "variables": {"1": "lead_name"},
        "variable_defaults": {"lead_name": "there"},
        "content_type": "twilio/text",
        "content_context": {"body": "Hi {{1}}, the autumn menu is here."},
        "campaign_type": "marketing",
        "author_type": "merchant",
        "channel": "twilio",
        "enabled": WRITTEN_AT,
        "created_at": WRITTEN_AT,
        "updated_at": WRITTEN_AT,
        "metrics": {
            "messages_sent": 200,
            "delivered": 190,
            "read": 120,
            "replied": 19,
            "reply_rate": 10.0,
            "conversion_rate": 4.2,
        },
        "custom_variable_keys": ["table"],
        "versions": [{"id": 3, "status": "approved", "next_campaign_id": None, "created_at": WRITTEN_AT}],
    }

    def to_representation(self, campaign: Campaign) -> dict[str, Any]:
        return _told([TemplateColumns(campaign).data], campaign.account_id)[0]


def with_metrics(rows: Iterable[dict[str, Any]], account_id: int) -> None:
    """Turn `TemplateColumns` of one page into `CampaignShape`s, in the same few statements for any number."""
    rows = list(rows)
    for row, told in zip(rows, _told(rows, account_id), strict=True):
        row.update(told)


def _told(rows: list[Any], account_id: int) -> list[dict[str, Any]]:
    found = described(account_id, [row["id"] for row in rows]) if rows else {}
    return [{**row, **found[row["id"]]} for row in rows]


class ContentTypeShape(Shape):
    type = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    schema = serializers.DictField(help_text="JSON Schema (2020-12) of `content_context`.")
    variable_rules = serializers.ListField(child=serializers.CharField())
    example = serializers.DictField()


def in_data(name: str, field: serializers.Field[Any, Any, Any, Any], example: Any) -> type[Shape]:
    """`{"data": …}`: a list that has no pages."""
    return type(name, (serializers.Serializer,), {"data": field, "example": {"data": [example]}})


CampaignsShape = in_data("Campaigns", CampaignShape(many=True), CampaignShape.example)
NamesShape = in_data("Names", serializers.ListField(child=serializers.CharField()), "hello_world")
ContentTypesShape = in_data(
    "ContentTypes",
    ContentTypeShape(many=True),
    {
        "type": "twilio/text",
        "title": "Text",
        "description": "A plain message.",
        "schema": {"type": "object", "required": ["body"], "properties": {"body": {"type": "string"}}},
        "variable_rules": ["Write a variable as {{lead_name}}."],
        "example": {"body": "Hi {{lead_name}}, we have a fresh menu."},
    },
)
