"""Rows that move and are tried, as operators see them: verbs that belong to processes, and the calls that were made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db import transaction
from django.utils.timesince import timesince

from campaigns_project.admin.acts import Said, leave_trace
from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.admin.shown import Happening, chip_of
from campaigns_project.refusals import Refusal
from campaigns_project.tones import look_of
from lifecycle.admin import TransitionAdminMixin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.http import HttpRequest

    from dispatch.models import Attempt
    from lifecycle.transition import Edge


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


class Attempts(admin.TabularInline):  # type: ignore[type-arg]  # generic in the stubs only
    """The attempts of a row, to be looked at; subclasses say of which `model`."""

    fields = readonly_fields = ("chip", "called_at", "ended_at", "provider_id", "code", "detail", "checks")
    ordering = ("-id",)
    extra = 0
    can_delete = False
    show_change_link = True
    verbose_name_plural = "attempts"

    chip = chip_of("attempt", "state")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's signature)
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's signature)
        return False


def tried(row: Any) -> list[Happening]:
    """The attempts of a row, for its time line."""
    return [_tried(attempt) for attempt in row.attempts.order_by("-id")[:50]]


def _tried(attempt: Attempt) -> Happening:
    state = look_of("attempt", attempt.state)
    detail = " ".join(filter(None, (attempt.provider_id, attempt.code, attempt.detail)))
    return Happening(attempt.called_at, f"Attempt {attempt.pk}: {state.label}", detail, state.tone)
