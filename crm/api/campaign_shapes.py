"""What integrators say and read about marketing campaigns, in the seed's words."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns_project import currencies
from campaigns_project.api import (
    ChoiceField,
    DayField,
    IntegerField,
    ListQuery,
    MomentField,
    NameField,
    StrictSerializer,
    TextField,
)
from campaigns_project.refusals import Invalid
from crm.api.promo_shapes import CodeField, PercentField
from crm.marketing import metrics
from crm.models import (
    Audience,
    Delivery,
    DeliveryStatus,
    LeftOut,
    MarketingCampaign,
    MarketingChannel,
    MarketingStatus,
    MarketingType,
    Segment,
)
from providers.urls import check_url

LONGEST_SUBJECT, LONGEST_BODY, LONGEST_CTA, LONGEST_URL = 200, 20_000, 100, 2_000
MOST_DAYS = 90
PERCENT = 100


class LinkField(TextField):
    """An address that anybody may open: http or https, a public host."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=LONGEST_URL, **options)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not text:
            return text
        try:
            return check_url(text)
        except Invalid as refusal:
            raise serializers.ValidationError(refusal.details["url"]) from None


class WordsInput(StrictSerializer):
    """What is said on one channel, where it differs."""

    subject = TextField(max_length=LONGEST_SUBJECT, required=False, allow_blank=True)
    body = TextField(max_length=LONGEST_BODY, lines=True, required=False, allow_blank=True)
    cta_text = TextField(max_length=LONGEST_CTA, required=False, allow_blank=True)
    cta_url = LinkField(required=False, allow_blank=True)


class WordsByChannelInput(StrictSerializer):
    email = WordsInput(required=False)
    sms = WordsInput(required=False)
    push = WordsInput(required=False)


class ContentInput(WordsInput):
    """The words of a campaign; `{{first_name|friend}}` and the like are filled in for each person."""

    channels = WordsByChannelInput(required=False)


class ScheduleInput(StrictSerializer):
    start_date = MomentField(required=False, allow_null=True)
    end_date = MomentField(required=False, allow_null=True)


class ChangeMarketingCampaignInput(StrictSerializer):
    name = NameField(required=False)
    type = ChoiceField(choices=MarketingType.choices, required=False)
    channels = serializers.ListField(
        child=ChoiceField(choices=MarketingChannel.choices),
        min_length=1,
        max_length=len(MarketingChannel),
        required=False,
        help_text="In the order of preference: each person gets one message, on the first that reaches them.",
    )
    segment_id = TextField(max_length=64, required=False)
    content = ContentInput(required=False)
    schedule = ScheduleInput(required=False)
    promo_code = CodeField(required=False, allow_null=True)
    promo_discount_percent = PercentField(required=False, allow_null=True, help_text="What the promo code gives.")
    coupon_campaign_id = TextField(max_length=36, required=False, allow_null=True, help_text="Of each `coupon_code`.")
    attribution_days = IntegerField(min_value=1, max_value=MOST_DAYS, required=False)
    holdout_percent = PercentField(required=False, help_text="So many percent of the people get nothing, to compare.")
    audience = ChoiceField(
        choices=Audience.choices, required=False, help_text="`live`: whoever joins the segment before the end, too."
    )

    example: dict[str, Any] = {"name": "Flash Sale Saturday", "holdout_percent": 5}

    def validate_segment_id(self, public_id: str) -> Segment:
        segment = Segment.objects.for_account(self.context["request"].account).filter(public_id=public_id).first()
        if segment is None:
            raise serializers.ValidationError("There is no such segment.")
        return segment

    def validate_holdout_percent(self, hundredths: int) -> float:
        if hundredths >= PERCENT * PERCENT:
            raise serializers.ValidationError("This must be less than 100.")
        return hundredths / PERCENT

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """In our own words: `segment`, `starts_at`, `ends_at`."""
        said = dict(attrs)
        if "segment_id" in said:
            said["segment"] = said.pop("segment_id")
        if "coupon_campaign_id" in said:
            said["code_pool"] = said.pop("coupon_campaign_id") or ""
        spelled = {"start_date": "starts_at", "end_date": "ends_at"}
        return said | {spelled[name]: at for name, at in said.pop("schedule", {}).items()}


class MarketingCampaignInput(ChangeMarketingCampaignInput):
    name = NameField()
    type = ChoiceField(choices=MarketingType.choices)
    channels = serializers.ListField(
        child=ChoiceField(choices=MarketingChannel.choices), min_length=1, max_length=len(MarketingChannel)
    )
    segment_id = TextField(max_length=64)
    content = ContentInput()

    example = {
        "name": "Flash Sale Friday",
        "type": "promotion",
        "channels": ["push", "email"],
        "segment_id": "seg_7k2m0000000000ab",
        "content": {
            "subject": "Flash Sale - 25% Off Today Only!",
            "body": "Don't miss our biggest sale of the season...",
            "cta_text": "Shop Now",
            "cta_url": "https://order.example.com?promo=FLASH25",
        },
        "schedule": {"start_date": "2026-01-31T12:00:00Z", "end_date": "2026-01-31T23:59:59Z"},
        "promo_code": "FLASH25",
        "promo_discount_percent": 25,
    }


class StatusInput(StrictSerializer):
    status = ChoiceField(choices=MarketingStatus.choices)
    reason = TextField(max_length=500, required=False, allow_blank=True)

    example: ClassVar[dict[str, Any]] = {"status": "paused"}


class CampaignsQuery(ListQuery):
    status = ChoiceField(choices=MarketingStatus.choices, required=False)
    type = ChoiceField(choices=MarketingType.choices, required=False)
    start_date = DayField(required=False, help_text="Campaigns that start on this day or later, in your time zone.")


class DeliveriesQuery(ListQuery):
    status = ChoiceField(choices=DeliveryStatus.choices, required=False)
    channel = ChoiceField(choices=MarketingChannel.choices, required=False)
    skip_reason = ChoiceField(choices=LeftOut.choices, required=False)


@extend_schema_field({"type": "number"})
class RevenueField(serializers.Field[Any, Any, Any, Any]):
    """Minor units of the account's currency, as a number of major ones: 468000 cents are 4680."""

    def to_representation(self, minor: int) -> int | float:
        return currencies.major(minor, self.context["request"].account.currency)


class FewMarketingMetricsShape(serializers.Serializer[Any]):
    sent = serializers.IntegerField()
    opened = serializers.IntegerField()
    clicked = serializers.IntegerField()
    converted = serializers.IntegerField(help_text="People who ordered after it reached them.")


class _Rate(serializers.Field[Any, Any, Any, Any]):
    """Percent of what was delivered; reads one of the sums."""

    def __init__(self, of: str) -> None:
        self.of = of
        super().__init__(source="*", read_only=True)

    def to_representation(self, sums: dict[str, int]) -> float:
        return metrics.rate(sums[self.of], sums["delivered"])


RateField = extend_schema_field({"type": "number"})(_Rate)


class MarketingMetricsShape(serializers.Serializer[Any]):
    """Rates are percent of what was delivered."""

    sent = serializers.IntegerField()
    delivered = serializers.IntegerField()
    opened = serializers.IntegerField()
    open_rate = RateField("opened")
    clicked = serializers.IntegerField()
    click_rate = RateField("clicked")
    converted = serializers.IntegerField(help_text="People who ordered after it reached them.")
    conversion_rate = RateField("converted")
    revenue_attributed = RevenueField(source="revenue_minor", read_only=True)
    unsubscribed = serializers.IntegerField()


class MarketingLineShape(serializers.ModelSerializer[MarketingCampaign]):
    id = serializers.CharField(source="public_id")
    channels = serializers.ListField(child=serializers.ChoiceField(choices=MarketingChannel.choices))
    segment_id = serializers.CharField(source="segment.public_id", allow_null=True, default=None)
    start_date = serializers.DateTimeField(source="starts_at", allow_null=True)
    end_date = serializers.DateTimeField(source="ends_at", allow_null=True)
    metrics = FewMarketingMetricsShape(source="sums")

    class Meta:
        model = MarketingCampaign
        fields = ("id", "name", "type", "status", "channels", "segment_id", "start_date", "end_date", "metrics")

    example: ClassVar[dict[str, Any]] = {
        "id": "camp_7k2m0000000000ab",
        "name": "Summer Promo 2026",
        "type": "promotion",
        "status": "active",
        "channels": ["email", "push", "sms"],
        "segment_id": "seg_7k2m0000000000ab",
        "start_date": "2026-06-01T00:00:00Z",
        "end_date": "2026-08-31T23:59:59Z",
        "metrics": {"sent": 5420, "opened": 2180, "clicked": 845, "converted": 156},
    }


class SegmentOfCampaignShape(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    size = serializers.IntegerField()


class ScheduleShape(serializers.Serializer[Any]):
    start_date = serializers.DateTimeField(source="starts_at", allow_null=True)
    end_date = serializers.DateTimeField(source="ends_at", allow_null=True)


class MarketingCampaignShape(serializers.ModelSerializer[MarketingCampaign]):
    id = serializers.CharField(source="public_id")
    channels = serializers.ListField(child=serializers.ChoiceField(choices=MarketingChannel.choices))
    segment = SegmentOfCampaignShape(allow_null=True)
    content = serializers.DictField()
    metrics = MarketingMetricsShape(source="sums")
    schedule = ScheduleShape(source="*")
    promo_code = serializers.CharField(source="promo.code", allow_null=True, default=None)
    coupon_campaign_id = serializers.CharField(allow_null=True, read_only=True)
    holdout_percent = serializers.FloatField()

    class Meta:
        model = MarketingCampaign
        fields = (
            *("id", "name", "type", "status", "channels", "segment", "content", "metrics", "created_at"),
            *("schedule", "promo_code", "coupon_campaign_id", "attribution_days", "holdout_percent", "audience"),
        )

    example: ClassVar[dict[str, Any]] = {
        "id": "camp_7k2m0000000000ab",
        "name": "Flash Sale Friday",
        "type": "promotion",
        "status": "completed",
        "channels": ["push", "email"],
        "segment": {"id": "seg_7k2m0000000000ab", "name": "All Customers", "size": 5420},
        "content": MarketingCampaignInput.example["content"],
        "metrics": {
            "sent": 5420,
            "delivered": 5380,
            "opened": 2180,
            "open_rate": 40.5,
            "clicked": 845,
            "click_rate": 15.7,
            "converted": 156,
            "conversion_rate": 2.9,
            "revenue_attributed": 4680.00,
            "unsubscribed": 12,
        },
        "created_at": "2026-01-25T10:00:00Z",
        "schedule": MarketingCampaignInput.example["schedule"],
        "promo_code": "FLASH25",
        "coupon_campaign_id": None,
        "attribution_days": 7,
        "holdout_percent": 0.0,
        "audience": "snapshot",
    }


class PendingLaunchShape(serializers.Serializer[Any]):
    """A second person has to decide first."""

    id = serializers.CharField()
    status = serializers.ChoiceField(choices=["approval_pending"])
    people = serializers.IntegerField()

    example: ClassVar[dict[str, Any]] = {
        "id": "camp_7k2m0000000000ab",
        "status": "approval_pending",
        "people": 12_000,
    }


class MarketingDeliveryShape(serializers.ModelSerializer[Delivery]):
    customer_id = serializers.CharField(source="customer.public_id")
    outcome = serializers.SerializerMethodField(help_text="`unknown` while nobody knows whether the call took effect.")
    revenue_attributed = RevenueField(source="revenue_minor", read_only=True)

    class Meta:
        model = Delivery
        fields = (
            *("id", "customer_id", "channel", "address", "status", "outcome", "skip_reason", "error_code"),
            *("delivered_at", "opened_at", "clicked_at", "unsubscribed_at", "converted_at", "revenue_attributed"),
        )

    def get_outcome(self, row: Any) -> str:
        return "unknown" if row.is_unknown else str(row.status)

    example: ClassVar[dict[str, Any]] = {
        "id": 7,
        "customer_id": "cust_7k2m0000000000ab",
        "channel": "email",
        "address": "anna@example.test",
        "status": "delivered",
        "outcome": "delivered",
        "skip_reason": "",
        "error_code": "",
        "delivered_at": "2026-11-21T09:30:00Z",
        "opened_at": None,
        "clicked_at": None,
        "unsubscribed_at": None,
        "converted_at": None,
        "revenue_attributed": 0,
    }
