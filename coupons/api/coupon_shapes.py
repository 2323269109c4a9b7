"""What integrators say and read about the coupons of a campaign. Money is in minor units."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns_project.api import (
    BooleanField,
    ChoiceField,
    FormSerializer,
    IntegerField,
    ListQuery,
    ObjectField,
    Query,
    RowsField,
    StrictSerializer,
    TextField,
)
from coupons import importing, terms
from coupons.api.shapes import MillisecondsField
from coupons.models import Coupon, CouponStatus, DiscountType
from coupons.models.coupon import LONGEST_CODE
from coupons.pictures import PictureKind

# Within a body of 16 MiB.
MOST_GIVEN = 100_000


class CouponsQuery(ListQuery):
    status = ChoiceField(choices=CouponStatus.choices, required=False)
    search = TextField(max_length=LONGEST_CODE, required=False, help_text="How a code begins, in any case.")
    used = BooleanField(required=False, help_text="Whether it has been used, held included.")
    handed_out = BooleanField(required=False, help_text="Whether somebody was given it out of the pool.")


class CouponsInput(StrictSerializer):
    """Codes to be made, or one's own: one of the two."""

    quantity = IntegerField(min_value=1, max_value=terms.MOST_CODES, required=False)
    codes = RowsField(
        at_most=MOST_GIVEN, required=False, child=serializers.CharField(), help_text="Kept as they are spelt."
    )

    example: dict[str, Any] = {"quantity": 5000}

    def validate_codes(self, codes: list[Any]) -> list[str]:
        wrong = [index for index, code in enumerate(codes) if not isinstance(code, str)]
        if wrong:
            raise serializers.ValidationError({str(index): ["This must be a string."] for index in wrong[:100]})
        return codes

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError({"quantity": ["Say how many codes to make, or give your own as codes."]})
        return attrs


class CouponImportForm(FormSerializer):
    """A CSV file with a column `code`, and `notes` beside it if wanted."""

    file = serializers.FileField(allow_empty_file=True, help_text="CSV in UTF-8; the first line names the columns.")

    example: dict[str, Any] = {"file": "code,notes\nSUMMER-1,for Anna\nSUMMER-2,\n"}


class ChangeCouponInput(StrictSerializer):
    notes = TextField(max_length=importing.LONGEST_NOTES, required=False, allow_null=True, allow_blank=True)
    extradata = ObjectField(required=False, allow_null=True)

    example: dict[str, Any] = {"notes": "for Anna"}

    def validate_notes(self, notes: str | None) -> str | None:
        return notes or None


class PictureQuery(Query):
    kind = ChoiceField(choices=PictureKind.choices, default=PictureKind.QR)


class CouponShape(serializers.ModelSerializer[Coupon]):
    account_id = serializers.UUIDField(source="account.uuid")
    coupon_campaign_id = serializers.UUIDField(source="campaign_id")
    status = serializers.ChoiceField(choices=CouponStatus.choices)
    starts_at = MillisecondsField(allow_null=True)
    ends_at = MillisecondsField(allow_null=True)
    max_count = serializers.SerializerMethodField(help_text="Its own, or what its campaign allows all of them.")
    discount_type = serializers.ChoiceField(choices=DiscountType.choices, allow_null=True)
    extradata = serializers.SerializerMethodField()
    created_at = MillisecondsField()
    updated_at = MillisecondsField()

    class Meta:
        model = Coupon
        fields = (
            *("id", "account_id", "coupon_campaign_id", "code", "status", "starts_at", "ends_at", "max_count"),
            *("used_count", "min_cart_value", "discount_type", "discount_value", "product_id", "variant_id"),
            *("notes", "extradata", "created_at", "updated_at"),
        )

    @extend_schema_field({"type": ["integer", "null"]})
    def get_max_count(self, coupon: Coupon) -> int | None:
        return coupon.campaign.max_count if coupon.max_count is None else coupon.max_count

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": {}})
    def get_extradata(self, coupon: Coupon) -> Any:
        return coupon.extradata

    example: ClassVar[dict[str, Any]] = {
        "id": "01963f2e-91d8-7000-8000-4f1c9a6b2e07",
        "account_id": "7d1f4a5e-2b0c-4c55-9a0e-3f8c6d2b9e10",
        "coupon_campaign_id": "c9e0f639-eebb-466e-a63a-70f93542a9ef",
        "code": "camp-K7M2QX4WPD",
        "status": "active",
        "starts_at": "2026-04-17T07:48:00.000Z",
        "ends_at": "2026-04-29T07:48:00.000Z",
        "max_count": 1,
        "used_count": 0,
        "min_cart_value": None,
        "discount_type": "percentage",
        "discount_value": 10,
        "product_id": None,
        "variant_id": None,
        "notes": None,
        "extradata": None,
        "created_at": "2026-04-17T04:10:20.712Z",
        "updated_at": "2026-04-17T04:10:20.712Z",
    }
