"""Webhooks to merchants, for operators: which addresses fail, and what was answered; turned off, or sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib import admin

from accounts.roles import Permission
from campaigns_project.admin.acts import Act, Said, act
from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.admin.shown import chip_of, readable
from crm.models import WebhookDelivery, WebhookEndpoint
from crm.webhooks_out import outgoing

if TYPE_CHECKING:
    from django.utils.safestring import SafeString


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(OperatorAdmin):
    list_display = ("public_id", "url", "chip", "failing_since", "account", "created_at")
    list_filter = ("enabled", "disabled_reason")
    list_select_related = ("account",)
    search_fields = ("^public_id", "^url")
    fields = ("account", "public_id", "url", "description", "told_of", "chip", "failing_since", "old_secret_until",
              "created_at")  # fmt: skip

    chip = chip_of("endpoint", "standing", ordering="enabled")

    @admin.display(description="told of")
    def told_of(self, endpoint: WebhookEndpoint) -> str:
        return ", ".join(endpoint.event_types)

    @act("Turn off", "Nothing is sent there until somebody turns it on.", asks=Permission.SETTINGS,
         fits=lambda endpoint: endpoint.enabled)  # fmt: skip
    def turn_off(self, endpoint: WebhookEndpoint, said: Said) -> None:
        outgoing.change(endpoint, by=said.by, enabled=False)

    acts: ClassVar[list[Act]] = [turn_off]


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(OperatorAdmin):
    list_display = ("public_id", "type", "chip", "tries", "next_try_at", "response_code", "duration_ms", "endpoint",
                    "account", "created_at")  # fmt: skip
    list_select_related = ("account", "endpoint")
    search_fields = ("^public_id",)
    fields = ("account", "endpoint", "public_id", "type", "event", "chip", "tries", "begun_at", "next_try_at",
              "delivered_at", "response_code", "answered", "error", "duration_ms", "created_at")  # fmt: skip

    chip = chip_of("webhook", "status", ordering=None)

    @admin.display(description="answer")
    def answered(self, delivery: WebhookDelivery) -> SafeString:
        return readable(delivery.response_body)

    @act("Send again", "It is sent under its old id; whoever has it already knows it by that.",
         asks=Permission.SETTINGS)  # fmt: skip
    def send_again(self, delivery: WebhookDelivery, said: Said) -> None:  # noqa: ARG002 (the trace keeps who and why)
        outgoing.replay(delivery)

    acts: ClassVar[list[Act]] = [send_again]
