"""People we talk with, what was said, and whom a template is meant for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib import admin

from accounts.roles import Permission
from campaigns import leads
from campaigns.models import CampaignLead, ConversationUser, Message
from campaigns_project.admin.acts import Act, Said, act
from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.admin.shown import provider_link, readable

if TYPE_CHECKING:
    from django.utils.safestring import SafeString


@admin.register(ConversationUser)
class ConversationUserAdmin(OperatorAdmin):
    list_display = ("id", "phone", "name", "account", "customer", "last_inbound_at", "created_at")
    list_select_related = ("account", "customer")
    search_fields = ("=id", "^phone")
    fields = ("account", "phone", "name", "customer", "last_inbound_at", "created_at")


@admin.register(Message)
class MessageAdmin(OperatorAdmin):
    list_display = ("id", "created_at", "direction", "conversation_user", "short", "account")
    list_filter = ("direction",)
    list_select_related = ("account", "conversation_user")
    search_fields = ("=id", "=provider_id", "^conversation_user__phone")
    fields = ("conversation_user", "account", "direction", "created_at", "text", "structure", "at_provider")

    @admin.display(description="text")
    def short(self, message: Message) -> str:
        return f"{message.body[:60]}…" if len(message.body) > 60 else message.body  # noqa: PLR2004 (fits the column)

    @admin.display(description="text")
    def text(self, message: Message) -> SafeString:
        return readable(message.body)

    @admin.display(description="content")
    def structure(self, message: Message) -> SafeString:
        return readable(message.content)

    @admin.display(description="message at Twilio")
    def at_provider(self, message: Message) -> SafeString | str:
        return provider_link("message", message.provider_id)


@admin.register(CampaignLead)
class CampaignLeadAdmin(OperatorAdmin):
    list_display = ("id", "conversation_user", "campaign", "active", "account", "created_at")
    list_filter = ("active",)
    list_select_related = ("account", "campaign", "conversation_user")
    search_fields = ("=id", "^conversation_user__phone", "=campaign__id")
    fields = ("conversation_user", "campaign", "account", "active", "variables", "created_at")

    @admin.display(description="own variables")
    def variables(self, lead: CampaignLead) -> SafeString:
        return readable(lead.custom_variables)

    @act(
        "Deactivate",
        "The person is not in the next send of this template; the lead stays for the record.",
        fits=lambda lead: lead.active,
        asks=Permission.AUTHOR,
    )
    def deactivate(self, lead: CampaignLead, said: Said) -> None:  # noqa: ARG002 (an act)
        leads.remove(lead)

    acts: ClassVar[list[Act]] = [deactivate]
