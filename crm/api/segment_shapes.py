"""What integrators say and read about segments (seed: marketing-crm-api › Customer Segments)."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns_project.api import (
    ChoiceField,
    FormSerializer,
    IntegerField,
    ListQuery,
    NameField,
    StrictSerializer,
    TextField,
)
from crm.audiences.segments import MAXIMA, MOST_NAMED
from crm.models import Channel, Customer, Segment, SegmentType

CRITERIA = {
    "total_spent": {"gte": 500},
    "order_count": {"gte": 10},
    "loyalty_tier": {"in": ["gold", "platinum"]},
}


@extend_schema_field({"type": "object"})
class CriteriaField(serializers.Field[Any, Any, Any, Any]):
    """Anything: what is no criteria has a refusal of its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_null=True, help_text="Fields and operators; see the list of segments.", **options)

    def to_internal_value(self, data: Any) -> Any:
        return data


def _customers(**options: Any) -> serializers.ListField:
    child = TextField(max_length=40)
    return serializers.ListField(
        child=child, min_length=1, max_length=MOST_NAMED, help_text="Ids of customers.", **options
    )


class SegmentInput(StrictSerializer):
    name = NameField()
    type = ChoiceField(choices=SegmentType.choices)
    criteria = CriteriaField(required=False)
    customer_ids = _customers(required=False)

    example: ClassVar[dict[str, Any]] = {"name": "High Value Customers", "type": "dynamic", "criteria": CRITERIA}

    def validate_type(self, value: str) -> str:
        if value == SegmentType.IMPORTED:
            raise serializers.ValidationError("An imported segment is made from a file: POST …/segments/import.")
        return value


class ChangeSegmentInput(StrictSerializer):
    name = NameField(required=False)
    criteria = CriteriaField(required=False)

    example: ClassVar[dict[str, Any]] = {"name": "Our best", "criteria": CRITERIA}


class PreviewSegmentInput(StrictSerializer):
    criteria = CriteriaField()

    example: ClassVar[dict[str, Any]] = {"criteria": CRITERIA}


class SegmentImportForm(FormSerializer):
    name = NameField()
    file = serializers.FileField(allow_empty_file=True, help_text="CSV in UTF-8; one column says who it is.")

    example: ClassVar[dict[str, Any]] = {"name": "From the till", "file": "email\nanna@example.test\n"}


class MembersInput(StrictSerializer):
    customer_ids = _customers()

    example: ClassVar[dict[str, Any]] = {"customer_ids": ["cust_7k2m0000000000ab"]}


class LimitsInput(StrictSerializer):
    email = IntegerField(min_value=0, max_value=MAXIMA[Channel.EMAIL], required=False)
    sms = IntegerField(min_value=0, max_value=MAXIMA[Channel.SMS], required=False)
    push = IntegerField(min_value=0, max_value=MAXIMA[Channel.PUSH], required=False)

    example: ClassVar[dict[str, Any]] = {"sms": 50_000}


class SegmentsQuery(ListQuery):
    type = ChoiceField(choices=SegmentType.choices, required=False)
    search = TextField(max_length=200, required=False, help_text="A part of the name.")


class SegmentShape(serializers.ModelSerializer[Segment]):
    id = serializers.CharField(source="public_id")
    type = serializers.ChoiceField(choices=SegmentType.choices)
    criteria = serializers.DictField()
    last_updated = serializers.DateTimeField(
        source="refreshed_at", required=False, help_text="What `size` and members are right for; absent until then."
    )

    class Meta:
        model = Segment
        fields = ("id", "name", "type", "size", "criteria", "last_updated")

    def to_representation(self, instance: Segment) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        if shown["last_updated"] is None:
            del shown["last_updated"]
        return shown

    example: ClassVar[dict[str, Any]] = {
        "id": "seg_7k2m0000000000ab",
        "name": "Gold Loyalty Members",
        "type": "dynamic",
        "size": 1250,
        "criteria": {"loyalty_tier": "gold"},
        "last_updated": "2026-01-24T00:00:00Z",
    }


class UseOfSegmentShape(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="Such as `promo`.")
    id = serializers.CharField()


class OneSegmentShape(SegmentShape):
    used_by = UseOfSegmentShape(many=True)

    class Meta(SegmentShape.Meta):
        fields = (*SegmentShape.Meta.fields, "created_at", "used_by")  # type: ignore[assignment]  # more of them

    example: ClassVar[dict[str, Any]] = {
        **SegmentShape.example,
        "created_at": "2026-01-20T09:30:00Z",
        "used_by": [{"kind": "promo", "id": "WELCOME20"}],
    }


class MemberShape(serializers.ModelSerializer[Customer]):
    id = serializers.CharField(source="public_id")

    class Meta:
        model = Customer
        fields = ("id", "external_id", "email", "phone", "first_name", "last_name", "loyalty_tier")

    example: ClassVar[dict[str, Any]] = {
        "id": "cust_7k2m0000000000ab",
        "external_id": "c-1001",
        "email": "anna@example.test",
        "phone": "+15550000001",
        "first_name": "Anna",
        "last_name": "",
        "loyalty_tier": "gold",
    }


class SegmentPreviewShape(serializers.Serializer[Any]):
    size = serializers.IntegerField()
    size_is_estimate = serializers.BooleanField(help_text="Counting would have taken longer than a second.")
    sample = MemberShape(many=True)

    example: ClassVar[dict[str, Any]] = {"size": 1250, "size_is_estimate": False, "sample": [MemberShape.example]}


class CancelledShape(serializers.Serializer[Any]):
    cancelled = serializers.IntegerField()

    example: ClassVar[dict[str, Any]] = {"cancelled": 1}


class MovedShape(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    size = serializers.IntegerField()

    example: ClassVar[dict[str, Any]] = {"added": 1, "size": 12}


class LimitsShape(serializers.Serializer[Any]):
    email = serializers.IntegerField()
    sms = serializers.IntegerField()
    push = serializers.IntegerField()

    example: ClassVar[dict[str, Any]] = {"email": 1_000_000, "sms": 50_000, "push": 1_000_000}
