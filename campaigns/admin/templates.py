"""Template versions and their submissions, for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.timesince import timesince

from accounts.roles import Permission
from campaigns import approval, authoring
from campaigns.models import Campaign, CampaignStatus, SubmissionAttempt
from campaigns_project.admin.acts import Act, Said, act, leave_trace
from campaigns_project.admin.lists import age, chosen
from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.admin.shown import Happening, chip_of, provider_link, readable
from campaigns_project.refusals import Refusal, ServiceUnavailable
from campaigns_project.templatetags import look
from campaigns_project.tones import look_of
from dispatch.admin import AttemptAdmin
from lifecycle.admin import TransitionAdminMixin
from providers.base import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from django.http import HttpRequest
    from django.utils.safestring import SafeString

    from dispatch.models import Attempt
    from lifecycle.transition import Edge

TOO_LONG = Q(status__in=CampaignStatus.IN_REVIEW, status_at__lt=Now() - age("2d"))


class TwilioSilent(ServiceUnavailable):
    message = "Twilio gave no answer; nothing has changed."


class MovingAdmin(TransitionAdminMixin, OperatorAdmin):
    """Rows with a status whose verbs belong to processes: `processes` holds those that operators are offered."""

    change_form_template = "admin/row.html"
    # Called with the row, `by` and `reason`.
    processes: ClassVar[Mapping[str, Callable[..., Any]]] = {}

    def may_move(self, request: HttpRequest, edge: Edge) -> bool:
        return edge.verb in self.processes and self.may_act(request, edge.asks) and super().may_move(request, edge)

    def move_rows(self, rows: Any, verb: str, *, by: Any, reason: str, **told: Any) -> list[int]:
        """Each row goes through its process, so that everything else that belongs to the verb happens too."""
        edge = self.model.machine.edge(verb)
        moved: list[int] = []
        refused: Refusal | None = None
        for row in rows.filter(status__in=edge.sources).select_related("account"):
            try:
                with transaction.atomic():
                    self.processes[verb](row, by=by, reason=reason, **told)
                    leave_trace(row, Said(by, reason, told), f"{self.opts.model_name}.{verb}")
            except Refusal as refusal:
                refused = refusal
            else:
                moved.append(row.pk)
        if refused is not None and not moved:
            raise refused
        return moved

    @admin.display(description="in this status for", ordering="status_at")
    def since(self, row: Any) -> str:
        return timesince(row.status_at, depth=1)


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


def tried(row: Any) -> list[Happening]:
    """The attempts of a row, for its time line."""
    return [_tried(attempt) for attempt in row.attempts.order_by("-id")[:50]]


def _tried(attempt: Attempt) -> Happening:
    state = look_of("attempt", attempt.state)
    detail = " ".join(filter(None, (attempt.provider_id, attempt.code, attempt.detail)))
    return Happening(attempt.called_at, f"Attempt {attempt.pk}: {state.label}", detail, state.tone)
