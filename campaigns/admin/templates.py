"""Template versions and their submissions, for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib import admin
from django.db.models import Q
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.utils.html import format_html

from accounts.roles import Permission
from campaigns import approval, authoring
from campaigns.models import Campaign, CampaignStatus, SubmissionAttempt
from campaigns_project.admin.acts import Act, Said, act
from campaigns_project.admin.lists import age, chosen
from campaigns_project.admin.shown import Happening, chip_of, provider_link, readable
from campaigns_project.refusals import ServiceUnavailable
from campaigns_project.templatetags import look
from dispatch.admin import AttemptAdmin
from dispatch.moving_admin import MovingAdmin, tried
from providers.base import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.utils.safestring import SafeString


TOO_LONG = Q(status__in=CampaignStatus.IN_REVIEW, status_at__lt=Now() - age("2d"))


class TwilioSilent(ServiceUnavailable):
    message = "Twilio gave no answer; nothing has changed."


@admin.register(Campaign)
class CampaignAdmin(MovingAdmin):
    processes: ClassVar = {"archive": authoring.archive}
    list_display = ("id", "name", "account", "language", "campaign_type", "author_type", "chip", "since", "is_on",
                    "content_sid")  # fmt: skip
    list_filter = ("status", "campaign_type", "author_type", "language",
                   chosen("in review", "review", {"long": ("Over 2 days", TOO_LONG)}))  # fmt: skip
    list_select_related = ("account",)
    show_facets = admin.ShowFacets.ALLOW
    search_fields = ("=id", "name", "=content_sid")
    fieldsets = (
        (None, {"fields": ("name", "account", "language", "campaign_type", "author_type", "chip", "since", "is_on",
                           "rejection_reason", "at_twilio")}),
        ("Content", {"fields": ("phone", "body", "content_type", "numbered", "defaults", "media_file")}),
        ("Versions and dates", {"fields": ("next_campaign", "submitted_at", "polled_at", "created_at", "updated_at")}),
    )  # fmt: skip

    chip = chip_of("template")

    @admin.display(description="may send", boolean=True)
    def is_on(self, campaign: Campaign) -> bool:
        return campaign.enabled_at is not None

    @admin.display(description="content at Twilio")
    def at_twilio(self, campaign: Campaign) -> SafeString | str:
        return provider_link("content", campaign.content_sid)

    @admin.display(description="on the phone")
    def phone(self, campaign: Campaign) -> SafeString:
        shown = look.bubble(
            campaign.account.name, campaign.content_context, campaign.variable_defaults, campaign.variables
        )
        return format_html('<div class="look">{}</div>', render_to_string("parts/bubble.html", shown))

    @admin.display(description="variables")
    def numbered(self, campaign: Campaign) -> SafeString:
        return readable(campaign.variables)

    @admin.display(description="defaults")
    def defaults(self, campaign: Campaign) -> SafeString:
        return readable(campaign.variable_defaults)

    def happenings(self, row: Campaign) -> Iterable[Happening]:
        return tried(row)

    @act(
        "Resync from Twilio",
        "Twilio is asked what WhatsApp thinks of this version, now.",
        fits=lambda campaign: campaign.content_sid and campaign.status in {*approval.WAYS},
        asks=Permission.AUTHOR,
        atomic=False,
        many=False,
    )
    def resync(self, campaign: Campaign, said: Said) -> str:  # noqa: ARG002 (an act)
        try:
            moved = approval.ask(campaign)
        except Unreachable:
            raise TwilioSilent from None
        return f"Now {campaign.status}." if moved else "Nothing new."

    @act(
        "Submit",
        "The version is handed to WhatsApp for review.",
        fits=lambda campaign: campaign.status == CampaignStatus.UNSUBMITTED and campaign.submitted_at is None,
        asks=Permission.AUTHOR,
    )
    def submit(self, campaign: Campaign, said: Said) -> None:
        approval.submit(campaign, by=said.by)

    @act(
        "Pause sends",
        "No further call starts with this version; what is queued waits until it may send again.",
        fits=lambda campaign: campaign.enabled_at is not None,
        asks=Permission.SEND,
    )
    def pause_sends(self, campaign: Campaign, said: Said) -> None:
        authoring.disable(campaign, by=said.by)

    @act(
        "Allow sends",
        "Broadcasts of this version go on where they stopped.",
        fits=lambda campaign: campaign.enabled_at is None and campaign.status == CampaignStatus.APPROVED,
        asks=Permission.SEND,
    )
    def allow_sends(self, campaign: Campaign, said: Said) -> None:
        authoring.enable(campaign, by=said.by)

    acts: ClassVar[list[Act]] = [resync, submit, pause_sends, allow_sends]


@admin.register(SubmissionAttempt)
class SubmissionAttemptAdmin(AttemptAdmin):
    console = "content"
