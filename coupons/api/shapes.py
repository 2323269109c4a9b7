"""What integrators say and read about coupon campaigns, in the seed's words. Money is in minor units."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns_project.api import (
    BooleanField,
    ChoiceField,
    IntegerField,
    ListQuery,
    MomentField,
    NameField,
    ObjectField,
    StrictSerializer,
    TextField,
)
from coupons import terms
from coupons.models import CouponCampaign, CouponCampaignStatus, CouponKind, DiscountType

BIGGEST_AMOUNT = 10**12
MINOR_UNITS = RegexValidator(r"\A[0-9]{1,12}\Z", "This must be digits only: minor units of the currency.")
CURRENCY = RegexValidator(r"\A[A-Z]{3}\Z", "This must be three capital letters, such as USD.")


class MillisecondsField(serializers.DateTimeField):
    """A moment of an answer, in UTC with milliseconds: `2023-04-17T04:10:20.712Z`."""

    def to_representation(self, value: datetime) -> str:
        return milliseconds(value)


def milliseconds(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


class CouponSettingsInput(StrictSerializer):
    """Exactly eight keys; null takes one away."""

    discount_type = ChoiceField(choices=DiscountType.choices, required=False, allow_null=True)
    discount_value = IntegerField(
        max_value=BIGGEST_AMOUNT, required=False, allow_null=True, help_text="Percent, or minor units."
    )
    display_code_on_listing = BooleanField(required=False, allow_null=True)
    low_coupons_threshold = IntegerField(min_value=0, max_value=terms.BIGGEST_COUNT, required=False, allow_null=True)
    single_use_min_cart_value = TextField(
        required=False, allow_null=True, validators=[MINOR_UNITS], help_text="Digits: minor units."
    )
    single_use_product_id = TextField(required=False, allow_null=True, min_length=1, max_length=120)
    single_use_quantity = IntegerField(min_value=1, max_value=terms.MOST_CODES, required=False, allow_null=True)
    single_use_variant_id = TextField(required=False, allow_null=True, min_length=1, max_length=120)


class ChangeCouponCampaignInput(StrictSerializer):
    name = NameField(required=False)
    prefix = TextField(
        required=False, allow_null=True, allow_blank=True, help_text="Begins its codes; kept once there are any."
    )
    settings = CouponSettingsInput(required=False, allow_null=True, help_text="Changed key by key; null clears all.")
    extradata = ObjectField(required=False, allow_null=True)
    starts_at = MomentField(required=False, allow_null=True)
    ends_at = MomentField(required=False, allow_null=True, help_text="Copied to its coupons, as starts_at is.")

    example: dict[str, Any] = {"name": "Summer sale", "settings": {"low_coupons_threshold": 25}}

    def validate_prefix(self, prefix: str | None) -> str:
        return prefix or ""


class CouponCampaignInput(ChangeCouponCampaignInput):
    name = NameField()
    kind = ChoiceField(choices=CouponKind.choices)

    example: dict[str, Any] = {
        "name": "Campaign",
        "kind": "group",
        "prefix": "camp-",
        "settings": {"display_code_on_listing": True, "low_coupons_threshold": 10},
        "starts_at": "2026-04-17T07:48:00.000Z",
        "ends_at": "2026-04-29T07:48:00.000Z",
    }


class CouponLimitsInput(StrictSerializer):
    """What is left out is not limited."""

    max_count = IntegerField(
        min_value=1, max_value=terms.BIGGEST_COUNT, default=None, allow_null=True, help_text="Uses of all its coupons."
    )
    per_customer_limit = IntegerField(min_value=1, max_value=terms.BIGGEST_COUNT, default=None, allow_null=True)
    budget = IntegerField(
        min_value=1,
        max_value=BIGGEST_AMOUNT,
        default=None,
        allow_null=True,
        help_text="What all discounts together may come to, in minor units.",
    )
    currency = TextField(default=None, allow_null=True, validators=[CURRENCY], help_text="Your account's when null.")
    customer_segment_id = TextField(default=None, allow_null=True, max_length=64)

    example: dict[str, Any] = {
        "max_count": 1000,
        "per_customer_limit": 1,
        "budget": 500_000,
        "currency": "USD",
        "customer_segment_id": None,
    }


class CouponCampaignsQuery(ListQuery):
    status = ChoiceField(choices=CouponCampaignStatus.choices, required=False)
    kind = ChoiceField(choices=CouponKind.choices, required=False)
    search = TextField(max_length=200, required=False, help_text="A part of a name, in any case.")


class CouponSettingsShape(serializers.Serializer[Any]):
    """The keys that were given."""

    discount_type = serializers.ChoiceField(choices=DiscountType.choices, required=False)
    discount_value = serializers.IntegerField(required=False, help_text="Percent, or minor units.")
    display_code_on_listing = serializers.BooleanField(required=False)
    low_coupons_threshold = serializers.IntegerField(required=False)
    single_use_min_cart_value = serializers.CharField(required=False, help_text="Digits: minor units.")
    single_use_product_id = serializers.CharField(required=False)
    single_use_quantity = serializers.IntegerField(required=False)
    single_use_variant_id = serializers.CharField(required=False)

    def to_representation(self, settings: dict[str, Any]) -> dict[str, Any]:
        return terms.merged(settings, {})


class CouponCampaignShape(serializers.ModelSerializer[CouponCampaign]):
    created_at = MillisecondsField()
    ends_at = MillisecondsField(allow_null=True)
    kind = serializers.ChoiceField(choices=CouponKind.choices)
    settings = CouponSettingsShape()
    extradata = serializers.SerializerMethodField()
    starts_at = MillisecondsField(allow_null=True)
    status = serializers.ChoiceField(choices=CouponCampaignStatus.choices)
    updated_at = MillisecondsField(source="changed_at")
    account_id = serializers.UUIDField(source="account.uuid")

    class Meta:
        model = CouponCampaign
        fields = (
            *("created_at", "ends_at", "id", "kind", "name", "prefix", "settings", "extradata", "starts_at"),
            *("status", "updated_at", "account_id"),
        )

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": {}})
    def get_extradata(self, campaign: CouponCampaign) -> Any:
        return campaign.extradata

    example: ClassVar[dict[str, Any]] = {
        "created_at": "2026-04-17T04:10:20.712Z",
        "ends_at": "2026-04-29T07:48:00.000Z",
        "id": "c9e0f639-eebb-466e-a63a-70f93542a9ef",
        "kind": "group",
        "name": "Campaign",
        "prefix": "camp-",
        "settings": {"display_code_on_listing": True, "low_coupons_threshold": 10},
        "extradata": None,
        "starts_at": "2026-04-17T07:48:00.000Z",
        "status": "draft",
        "updated_at": "2026-04-17T07:48:56.539Z",
        "account_id": "7d1f4a5e-2b0c-4c55-9a0e-3f8c6d2b9e10",
    }


class CouponLimitsShape(serializers.Serializer[Any]):
    max_count = serializers.IntegerField(allow_null=True)
    per_customer_limit = serializers.IntegerField(allow_null=True)
    budget = serializers.IntegerField(allow_null=True)
    currency = serializers.SerializerMethodField()
    customer_segment_id = serializers.CharField(source="segment.public_id", default=None, allow_null=True)

    example: ClassVar[dict[str, Any]] = CouponLimitsInput.example

    @extend_schema_field({"type": ["string", "null"]})
    def get_currency(self, campaign: CouponCampaign) -> str | None:
        return campaign.currency or None


class PendingActivationShape(serializers.Serializer[Any]):
    """A second person has to decide first."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=["approval_pending"])
    uses = serializers.IntegerField(allow_null=True, help_text="How often its coupons can be used.")
    amount = serializers.IntegerField(allow_null=True, help_text="What they can cost, in minor units.")

    example: ClassVar[dict[str, Any]] = {
        "id": "c9e0f639-eebb-466e-a63a-70f93542a9ef",
        "status": "approval_pending",
        "uses": 20_000,
        "amount": None,
    }
