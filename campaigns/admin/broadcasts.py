"""Sends, for operators: paused, resumed and cancelled with everything that belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html

from campaigns import broadcasting
from campaigns.models import Broadcast, BroadcastStatus, MessageAttempt
from campaigns.sending import LANE
from campaigns_project.admin.lists import age, chosen
from campaigns_project.admin.shown import chip_of, readable
from campaigns_project.templatetags import look
from campaigns_project.tones import segments
from dispatch.moving_admin import MovingAdmin
from lifecycle.models import Lease

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

WAITS = Lease.objects.filter(queue=LANE, scope_id=OuterRef("pk"), owner=None, due_at__lt=Now() - age("1m"))
OPEN_QUESTION = MessageAttempt.objects.filter(
    row__broadcast=OuterRef("pk"), state="unknown", called_at__lt=Now() - age("15m")
)
# Sending, but work that is due is not taken, or somebody has to look a call up.
STUCK = Q(Exists(WAITS) | Exists(OPEN_QUESTION), status=BroadcastStatus.SENDING)


@admin.register(Broadcast)
class BroadcastAdmin(MovingAdmin):
    processes: ClassVar = {
        "pause": broadcasting.pause,
        "resume": broadcasting.resume,
        "cancel": broadcasting.cancel,
    }
    list_display = ("id", "campaign", "account", "chip", "since", "rate_per_second", "scheduled_at", "started_at",
                    "ended_at")  # fmt: skip
    list_filter = ("status", chosen("stuck", "stuck", {"yes": ("Stuck", STUCK)}), "test_send")
    list_select_related = ("account", "campaign")
    search_fields = ("=id", "campaign__name")
    fieldsets = (
        (None, {"fields": ("campaign", "account", "chip", "since", "people", "standing", "force", "test_send")}),
        ("When and how fast", {"fields": ("scheduled_at", "started_at", "ended_at", "rate_per_second")}),
        ("Before the start", {"fields": ("found", "given")}),
    )

    chip = chip_of("broadcast")

    @admin.display(description="people")
    def people(self, broadcast: Broadcast) -> SafeString:
        link = (
            f"{reverse('admin:campaigns_campaignleadmessage_changelist')}?broadcast__id__exact={broadcast.pk}&status="
        )
        bar = render_to_string("parts/bar.html", look.bar(segments("message", broadcasting.counts(broadcast), link)))
        return format_html('<div class="look">{}</div>', bar)

    @admin.display(description="where it stands")
    def standing(self, broadcast: Broadcast) -> str:
        stands = broadcasting.standing(broadcast)
        return f"{stands['sent']:,} sent, {stands['in_flight']:,} in flight, {stands['remaining']:,} remaining"

    @admin.display(description="preflight")
    def found(self, broadcast: Broadcast) -> SafeString:
        return readable(broadcast.preflight)

    @admin.display(description="values of the call")
    def given(self, broadcast: Broadcast) -> SafeString:
        return readable(broadcast.values)
