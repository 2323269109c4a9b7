"""What integrators say: bodies and queries. Whether it makes sense is checked where the rule is."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from campaigns.leads import MOST_ROWS
from campaigns.models import Campaign, CampaignStatus, CampaignType, MessageStatus
from campaigns_project.api import (
    BooleanField,
    ChoiceField,
    CommaListField,
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
from campaigns_project.refusals import InvalidJSON

LONGEST_JSON = 100_000
FASTEST = 1_000
ORDERS = ["id", "-id", "name", "-name", "created_at", "-created_at", "updated_at", "-updated_at"]


class JSONText(TextField):
    """A JSON object as text, in a form; read as strictly as a body."""

    def __init__(self, **options: Any) -> None:
        super().__init__(lines=True, max_length=LONGEST_JSON, **options)

    def to_internal_value(self, data: Any) -> Any:
        try:
            return parse_json(super().to_internal_value(data).encode())
        except InvalidJSON as refusal:
            raise serializers.ValidationError(refusal.message) from None


class TemplateQuery(ListQuery):
    search = TextField(max_length=200, required=False, help_text="In the name and the body.")
    order_by = ChoiceField(choices=ORDERS, default="-id")
    campaign_ids = CommaListField(child=IntegerField(min_value=1), required=False)
    campaign_type = ChoiceField(choices=CampaignType.choices, required=False)
    status = ChoiceField(choices=CampaignStatus.choices, required=False)
    language = TextField(max_length=20, required=False)


class DefaultsQuery(Query):
    campaign_names = CommaListField(
        child=TextField(max_length=100), required=False, help_text="Some of the built-in ones; all when absent."
    )


class VersionInput(StrictSerializer):
    """What may differ from version to version."""

    content_type = TextField(max_length=60, required=False)
    content_context = ObjectField(required=False)
    campaign_type = ChoiceField(choices=CampaignType.choices, required=False)
    variables = ObjectField(required=False, help_text='`{"1": "lead_name"}`, for a content with numbers.')
    variable_defaults = ObjectField(required=False)
    name = NameField(required=False, help_text="Accepted when it is the template's own.")
    language = TextField(max_length=20, required=False, help_text="Accepted when it is the template's own.")

    example: dict[str, Any] = {"content_context": {"body": "Hi {{lead_name}}, the winter menu is here."}}


class VersionForm(FormSerializer):
    content_type = TextField(max_length=60, required=False)
    content_context_json = JSONText(required=False)
    campaign_type = ChoiceField(choices=CampaignType.choices, required=False)
    variables = JSONText(required=False)
    variable_defaults = JSONText(required=False)
    name = NameField(required=False)
    language = TextField(max_length=20, required=False)
    media = serializers.FileField(required=False, help_text="JPEG, PNG, MP4 or PDF; becomes the content's `media`.")

    example: dict[str, Any] = {"content_context_json": '{"body": "Hi {{lead_name}}, the winter menu is here."}'}


class CreateInput(VersionInput):
    name = NameField()
    language = TextField(max_length=20, default="en")
    content_type = TextField(max_length=60)
    content_context = ObjectField()
    campaign_type = ChoiceField(choices=CampaignType.choices, default=CampaignType.MARKETING)

    example = {
        "name": "autumn",
        "content_type": "twilio/text",
        "language": "en",
        "campaign_type": "marketing",
        "content_context": {"body": "Hi {{lead_name}}, the autumn menu is here."},
        "variable_defaults": {"lead_name": "there"},
    }


class CreateForm(VersionForm):
    name = NameField()
    language = TextField(max_length=20, default="en")
    content_type = TextField(max_length=60)
    content_context_json = JSONText()
    campaign_type = ChoiceField(choices=CampaignType.choices, default=CampaignType.MARKETING)

    example = {
        "name": "autumn",
        "content_type": "twilio/media",
        "content_context_json": '{"body": "Hi {{lead_name}}, look what is new."}',
        "variable_defaults": '{"lead_name": "there"}',
    }


class LeadsQuery(ListQuery):
    active = BooleanField(required=False, default=None, allow_null=True)


class LeadInput(StrictSerializer):
    """One lead, as OpenAPI shows it; the rows are checked one by one, so that one bad row does not refuse the rest."""

    phone_number = TextField(max_length=40, required=False)
    conversation_user_id = IntegerField(min_value=1, required=False)
    custom_variables = ObjectField(required=False)


class AddLeadsInput(StrictSerializer):
    campaign_id = IntegerField(min_value=1)
    leads = RowsField(at_most=MOST_ROWS, child=LeadInput())

    example = {
        "campaign_id": 3,
        "leads": [{"phone_number": "+15550000001", "custom_variables": {"table": "7"}}],
    }


class FromSegmentInput(StrictSerializer):
    campaign_id = IntegerField(min_value=1)
    segment_id = TextField(max_length=40)

    example = {"campaign_id": 3, "segment_id": "seg_7k2m0000000000ab"}


class ImportForm(FormSerializer):
    campaign_id = IntegerField(min_value=1)
    file = serializers.FileField(
        allow_empty_file=True, help_text="CSV in UTF-8; one column is the phone number, the rest custom variables."
    )

    example = {"campaign_id": "3", "file": "phone_number,table\n+15550000001,7\n"}


class PreviewInput(StrictSerializer):
    lead_id = IntegerField(min_value=1, required=False)
    values = ObjectField(required=False)

    example = {"values": {"lead_name": "Anna"}}


class TestSendInput(StrictSerializer):
    phone_number = TextField(max_length=40)
    values = ObjectField(required=False)

    example = {"phone_number": "+15550000001", "values": {"lead_name": "Anna"}}


class BroadcastInput(StrictSerializer):
    campaign_id = IntegerField(min_value=1)
    scheduled_at = MomentField(required=False, allow_null=True)
    rate_per_second = IntegerField(min_value=1, max_value=FASTEST, required=False, allow_null=True)
    force = BooleanField(default=False, help_text="Also people who had this marketing template before.")
    coupon_campaign_id = TextField(
        max_length=36, default="", allow_blank=True, help_text="Where each person's own `coupon_code` comes from."
    )

    example = {"campaign_id": 3, "scheduled_at": "2026-12-01T10:00:00Z", "rate_per_second": 20}

    def validate_scheduled_at(self, moment: Any) -> Any:
        if moment is not None and moment <= timezone.now():
            raise serializers.ValidationError("This moment has passed.")
        return moment


class ReasonInput(StrictSerializer):
    reason = TextField(max_length=500, required=False, allow_blank=True)

    example = {"reason": "The menu has changed."}


class MessagesQuery(ListQuery):
    status = ChoiceField(choices=MessageStatus.choices, required=False)


class MediaQuery(Query):
    signature = TextField(max_length=200, required=False, help_text="Instead of a token: what we gave to WhatsApp.")


def differing(campaign: Campaign, said: dict[str, Any]) -> dict[str, list[str]]:
    """What the caller would change that no version can, by field; takes `name` and `language` out of `said`."""
    own = {name: said.pop(name) for name in ("name", "language") if name in said}
    return {
        name: ["A new version keeps it; create another template."]
        for name, value in own.items()
        if value != getattr(campaign, name)
    }
