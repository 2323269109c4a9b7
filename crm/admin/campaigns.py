"""Marketing campaigns, their deliveries and calls, for operators: paused, resumed, completed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html

from campaigns_project.admin.lists import age, chosen
from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.admin.shown import Happening, chip_of, readable
from campaigns_project.templatetags import look
from campaigns_project.tones import segments
from crm.marketing import campaign_words, launching, metrics
from crm.marketing.delivering import LANES
from crm.models import Delivery, DeliveryAttempt, MarketingCampaign, MarketingStatus, Trial
from dispatch.admin import AttemptAdmin
from dispatch.moving_admin import Attempts, MovingAdmin, tried
from lifecycle.models import Lease

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.utils.safestring import SafeString

WAITS = Lease.objects.filter(
    queue__in=LANES.values(), scope_id=OuterRef("pk"), owner=None, due_at__lt=Now() - age("1m")
)
OPEN_QUESTION = DeliveryAttempt.objects.filter(
    row__campaign=OuterRef("pk"), state="unknown", called_at__lt=Now() - age("15m")
)
# Active, but work that is due is not taken, or somebody has to look a call up.
STUCK = Q(Exists(WAITS) | Exists(OPEN_QUESTION), status=MarketingStatus.ACTIVE)
STAMPS = (
    ("delivered_at", "Reached them"),
    ("opened_at", "Opened"),
    ("clicked_at", "Link followed"),
    ("unsubscribed_at", "Unsubscribed"),
    ("converted_at", "Ordered"),
)


@admin.register(MarketingCampaign)
class MarketingCampaignAdmin(MovingAdmin):
    processes: ClassVar = {"pause": launching.pause, "resume": launching.resume, "complete": launching.complete}
    list_display = ("public_id", "name", "account", "type", "by_channels", "chip", "since", "segment", "starts_at",
                    "ends_at")  # fmt: skip
    list_filter = ("status", "type", "audience", chosen("stuck", "stuck", {"yes": ("Stuck", STUCK)}))
    list_select_related = ("account", "segment")
    search_fields = ("^public_id", "name")
    fieldsets = (
        (None, {"fields": ("public_id", "name", "account", "type", "by_channels", "chip", "since", "people", "sums",
                           "reasons")}),
        ("Whom, and what", {"fields": ("segment", "audience", "holdout_percent", "promo", "said")}),
        ("When", {"fields": ("starts_at", "ends_at", "launched_at", "ended_at", "planned_at", "attribution_days",
                             "created_at")}),
        ("Before the launch", {"fields": ("found",)}),
    )  # fmt: skip

    chip = chip_of("campaign")

    @admin.display(description="channels")
    def by_channels(self, campaign: MarketingCampaign) -> str:
        return ", ".join(campaign_words.CHANNELS[each] for each in campaign.channels)

    @admin.display(description="people")
    def people(self, campaign: MarketingCampaign) -> SafeString:
        link = f"{reverse('admin:crm_delivery_changelist')}?campaign__id__exact={campaign.pk}&status="
        bar = render_to_string("parts/bar.html", look.bar(segments("message", metrics.by_status(campaign), link)))
        return format_html('<div class="look">{}</div>', bar)

    @admin.display(description="metrics")
    def sums(self, campaign: MarketingCampaign) -> SafeString:
        return readable(metrics.sums([campaign])[campaign.pk])

    @admin.display(description="left out")
    def reasons(self, campaign: MarketingCampaign) -> SafeString:
        return readable({campaign_words.left_out(key): n for key, n in metrics.left_out(campaign).items()})

    @admin.display(description="content")
    def said(self, campaign: MarketingCampaign) -> SafeString:
        return readable(campaign.content)

    @admin.display(description="preflight")
    def found(self, campaign: MarketingCampaign) -> SafeString:
        return readable(campaign.preflight)


class AttemptInline(Attempts):
    model = DeliveryAttempt


@admin.register(Delivery)
class DeliveryAdmin(MovingAdmin):
    list_display = ("id", "customer", "channel", "address", "campaign", "chip", "why", "since", "tries", "account")
    list_filter = ("status", "channel", "skip_reason")
    list_select_related = ("account", "campaign", "customer")
    search_fields = ("=id", "^address", "=provider_id", "^customer__public_id")
    fieldsets = (
        (None, {"fields": ("customer", "channel", "address", "campaign", "account", "chip", "why", "tries",
                           "provider_id", "error_code", "time_zone")}),
        ("Afterwards", {"fields": ("delivered_at", "opened_at", "clicked_at", "unsubscribed_at", "converted_at",
                                   "revenue", "created_at")}),
    )  # fmt: skip
    inlines = (AttemptInline,)

    @admin.display(description="status", ordering="status")
    def chip(self, row: Any) -> SafeString:
        return look.badge("orange", "ring", "Not known yet") if row.is_unknown else look.chip("message", row.status)

    @admin.display(description="why")
    def why(self, row: Any) -> str:
        return campaign_words.what_happened(row)

    @admin.display(description="revenue")
    def revenue(self, row: Delivery) -> str:
        return look.money(row.revenue_minor, row.account.currency)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows: Any = super().get_queryset(request)
        with_outcome: QuerySet[Delivery] = rows.with_outcome()
        return with_outcome

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        # The bar of a campaign links here.
        return lookup == "campaign__id__exact" or super().lookup_allowed(lookup, value, request)

    def happenings(self, row: Delivery) -> Iterable[Happening]:
        stamped = [(getattr(row, name), label) for name, label in STAMPS]
        return [*tried(row), *(Happening(at, label, "", "green") for at, label in stamped if at)]


@admin.register(DeliveryAttempt)
class DeliveryAttemptAdmin(AttemptAdmin):
    console = "message"


@admin.register(Trial)
class TrialAdmin(OperatorAdmin):
    """Messages that merchants sent to themselves; kept for a month."""

    list_display = ("public_id", "campaign", "channel", "address", "chip", "code", "account", "created_at")
    list_filter = ("status", "channel")
    list_select_related = ("account", "campaign")
    search_fields = ("^public_id", "^address")
    fields = ("account", "campaign", "public_id", "channel", "address", "chip", "code", "provider_id", "asked_by",
              "created_at", "called_at", "ended_at")  # fmt: skip

    chip = chip_of("trial")
