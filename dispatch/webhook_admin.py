"""Connections of providers that deliver webhooks, for operators: how much came, and how often a signature was wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from django.contrib import admin
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from accounts import connections
from accounts.roles import Permission
from campaigns_project.admin import Tile, tile
from campaigns_project.admin.acts import Act, Said, act
from campaigns_project.admin.lists import chosen
from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.admin.walls import may_look, within
from dispatch import keyring
from dispatch.models import WebhookConnection, WebhookSecret

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

LATELY = Q(refused_at__gt=Now() - timedelta(hours=1))


@admin.register(WebhookConnection)
class WebhookConnectionAdmin(OperatorAdmin):
    list_display = ("id", "provider", "events_received", "last_event_at", "refused", "refused_at", "account")
    list_filter = ("provider", chosen("wrong signatures", "refused", {"hour": ("In the last hour", LATELY)}))
    list_select_related = ("account",)
    search_fields = ("=id", "=token")
    fields = ("account", "provider", "token", "events_received", "last_event_at", "refused", "refused_at", "secrets",
              "created_at")  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookConnection]:
        return super().get_queryset(request).prefetch_related("tallies")

    @admin.display(description="secrets")
    def secrets(self, connection: WebhookConnection) -> str:
        """What kind, never which."""
        kinds = WebhookSecret.Kind(WebhookSecret.Kind.SHARED), WebhookSecret.Kind(WebhookSecret.Kind.PUBLIC_KEY)
        known = {kind: connection.secrets.filter(kind=kind).count() for kind in kinds}
        return ", ".join(f"{number} {kind.label.lower()}" for kind, number in known.items() if number) or "None"

    @act(
        "End old secrets",
        "Only the present secret verifies from now on: for one that became known, after the account rotated it.",
        asks=Permission.SETTINGS,
    )
    def end_old(self, connection: WebhookConnection, said: Said) -> str:  # noqa: ARG002 (the trace keeps who and why)
        ended = keyring.end_old(connection)
        return f"{ended} ended."

    @act(
        "Disconnect",
        "All that the account keeps of this provider is forgotten, also what messages are sent with. Campaigns that "
        "need it pause, and its webhooks are refused.",
        asks=Permission.SETTINGS,
        many=False,
        removes=True,
    )
    def disconnect(self, connection: WebhookConnection, said: Said) -> None:
        connections.disconnect(connection.account, connection.provider, by=said.by, reason=said.reason)

    acts: ClassVar[list[Act]] = [end_old, disconnect]


@tile(45)
def wrong_signatures(request: HttpRequest) -> Tile | None:
    """Connections to which something was delivered in the last hour that nobody signed."""
    if not may_look(request, WebhookConnection):
        return None
    found = within(request, WebhookConnection.objects.filter(LATELY)).count()
    href = f"{reverse('admin:dispatch_webhookconnection_changelist')}?refused=hour"
    return Tile("Wrong signatures", f"{found:,}", "webhook connections, last hour", href)
