"""Each person's message, its attempts and clicks: why somebody did or did not get it. Nothing moves by hand here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from campaigns.models import CampaignLeadMessage, Click, MessageAttempt, SkipReason
from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.admin.shown import Happening, provider_link, readable
from campaigns_project.templatetags import look
from campaigns_project.tones import look_of
from dispatch.admin import AttemptAdmin
from dispatch.moving_admin import Attempts, MovingAdmin, tried

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.utils.safestring import SafeString

WHY = {
    SkipReason.MISSING_VARIABLE: "a variable had no value for this person",
    SkipReason.ALREADY_SENT: "this person has had this template before",
    SkipReason.OPTED_OUT: "this person opted out",
    SkipReason.CANCELLED: "the broadcast was cancelled first",
}


class AttemptInline(Attempts):
    model = MessageAttempt


@admin.register(CampaignLeadMessage)
class CampaignLeadMessageAdmin(MovingAdmin):
    list_display = ("id", "conversation_user", "phone", "campaign", "chip", "since", "tries", "error_code", "account")
    list_filter = ("status", "skip_reason")
    list_select_related = ("account", "campaign", "conversation_user")
    search_fields = ("=id", "^phone", "=provider_id")
    fieldsets = (
        (None, {"fields": ("conversation_user", "phone", "campaign", "broadcast", "account", "chip", "why", "tries",
                           "at_provider")}),
        ("What was written", {"fields": ("filled_in",)}),
        ("Afterwards", {"fields": ("replied_at", "clicked_at", "created_at")}),
    )  # fmt: skip
    inlines = (AttemptInline,)

    @admin.display(description="status", ordering="status")
    def chip(self, message: Any) -> SafeString:
        if message.is_unknown:
            return look.badge("orange", "ring", "Not known yet")
        return look.chip("message", message.status)

    @admin.display(description="why")
    def why(self, message: Any) -> str:
        if message.skip_reason:
            return f"Left out: {WHY[message.skip_reason]}."
        if message.is_unknown:
            return "Called, and nobody knows yet whether it left: its attempt is being looked up, or resolve it below."
        said = look_of("message", message.status).label
        return f"{said}: Twilio said {message.error_code}." if message.error_code else f"{said}."

    @admin.display(description="message at Twilio")
    def at_provider(self, message: CampaignLeadMessage) -> SafeString | str:
        return provider_link("message", message.provider_id)

    @admin.display(description="text and variables")
    def filled_in(self, message: CampaignLeadMessage) -> SafeString:
        return readable(message.context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CampaignLeadMessage]:
        rows: Any = super().get_queryset(request)
        with_outcome: QuerySet[CampaignLeadMessage] = rows.with_outcome()
        return with_outcome

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        # The bar of a broadcast links here.
        return lookup == "broadcast__id__exact" or super().lookup_allowed(lookup, value, request)

    def happenings(self, row: CampaignLeadMessage) -> Iterable[Happening]:
        clicks = row.clicks.order_by("-id")[:50]
        return [*tried(row), *(Happening(click.at, "Link followed", click.url, "green") for click in clicks)]


@admin.register(MessageAttempt)
class MessageAttemptAdmin(AttemptAdmin):
    console = "message"


@admin.register(Click)
class ClickAdmin(OperatorAdmin):
    list_display = ("id", "at", "message", "url", "account")
    list_select_related = ("account", "message")
    search_fields = ("=id", "=message__id")
    fields = ("message", "account", "url", "user_agent", "at")
