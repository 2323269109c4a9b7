"""Operators move rows by their verbs: a button for each move that is possible and allowed, and the same in bulk.

    class BroadcastAdmin(TransitionAdminMixin, admin.ModelAdmin):
        transition_inputs = {"schedule": ["scheduled_at"]}

Every move asks for a reason, is refused when the row has moved meanwhile, and leaves a history row and a log entry.
The status itself can be edited nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import quote, unquote
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Count
from django.http import Http404, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from campaigns_project.admin.lists import ids_in
from campaigns_project.admin.reasons import ReasonForm
from campaigns_project.refusals import Refusal
from lifecycle.moving import rows_moved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from django.db.models import Model, QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

    from lifecycle.transition import Edge

AT_ONCE = 10_000
SHOWN = 50
ACTION = "transition_"


class MoveForm(ReasonForm):
    """Why a move is made, from which status it was looked at, and what the verb is told with it."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    @property
    def arguments(self) -> dict[str, Any]:
        """What the verb is called with; a field left empty is not touched."""
        return {"reason": self.cleaned_data["reason"], **self.answers}


class TransitionAdminMixin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """For the admin of a model with a status; stands before `admin.ModelAdmin` among the bases.

    `transition_inputs` gives, by verb, the fields an operator fills in (names among the verb's `sets`).
    `move_rows` may be overridden where a verb is part of a process.
    """

    transition_inputs: ClassVar[Mapping[str, Sequence[str]]] = {}
    change_form_template = "lifecycle/change_form.html"
    confirm_template = "lifecycle/confirm_move.html"

    def move_rows(self, rows: QuerySet[Any], verb: str, *, by: Any, reason: str, **told: Any) -> list[int]:
        """Move `rows` and return the ids that moved."""
        moved: list[int] = rows.transition(verb, by=by, reason=reason, **told)  # type: ignore[attr-defined]  # LifecycleQuerySet
        return moved

    def may_move(self, request: HttpRequest, edge: Edge) -> bool:
        """Whether the signed-in operator has the permission that the edge asks; a machine's own move has none."""
        return edge.asks is not None and bool(request.may(edge.asks))  # type: ignore[attr-defined]  # AccountMiddleware

    # The status is read only, and what has a history is not deleted.

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*super().get_readonly_fields(request, obj), "status", "status_at"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's signature)
        return False

    # One row: its buttons, its confirm page, its history.

    def get_urls(self) -> list[URLPattern]:
        address = path(
            "<path:object_id>/transition/<str:verb>/",
            self.admin_site.admin_view(self.transition_view),
            name=self._name("transition"),
        )
        return [address, *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **options: Any) -> HttpResponse:
        row = options.get("obj")
        if row is not None:
            edges = [edge for edge in row.machine.offered_from(row.status) if self.may_move(request, edge)]
            context |= {
                "transitions": [(_spoken(edge.verb), self._address(row, edge.verb), edge.doc) for edge in edges],
                "moves": _history(row),
            }
        return super().render_change_form(request, context, *args, **options)

    def transition_view(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        """Ask for the reason (GET), then move the row (POST)."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]  # Django's
        edge = self._edge_for(request, row, verb)
        here = HttpResponseRedirect(reverse(self._route("change"), args=[quote(row.pk)]))
        if edge.asks is None or row.status not in edge.sources:
            messages.error(request, f"“{_spoken(verb)}” is not possible while the status is {row.status}.")
            return here
        form = self._form(request, edge, seen=row.status)
        if form.is_valid() and self._moved_one(request, row, edge, form):
            return here
        return self._confirm(request, edge, form, {"row": row, "back": here.url})

    def _edge_for(self, request: HttpRequest, row: Any, verb: str) -> Edge:
        """The edge of this name, if this person may ask for it at all."""
        edge: Edge | None = row.machine.edges.get(verb)
        if edge is None:
            raise Http404
        if not self.has_view_permission(request, row) or (edge.asks and not self.may_move(request, edge)):
            raise PermissionDenied
        return edge

    # Many rows: one action a verb, a page that says what would move, a report of what did.

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        found: dict[str, Any] = super().get_actions(request)
        for edge in self.model.machine.edges.values():
            if self.may_move(request, edge):
                name = f"{ACTION}{edge.verb}"
                found[name] = (_action(edge), name, f"{_spoken(edge.verb)} …")
        return found

    def move_many(self, request: HttpRequest, queryset: QuerySet[Any], edge: Edge) -> HttpResponse | None:
        """The page between, then (with the `chosen` ids it showed) the move; None goes back to the list."""
        confirmed = "chosen" in request.POST
        # One field, because forms hold no ten thousand.
        ids = (
            ids_in(self.model, request.POST["chosen"])
            if confirmed
            else list(queryset.values_list("pk", flat=True)[: AT_ONCE + 1])
        )
        if len(ids) > AT_ONCE:
            messages.error(request, f"At most {AT_ONCE:,} rows can be moved at once.")
            return None
        rows = self.get_queryset(request).filter(pk__in=ids)
        form = self._form(request, edge, confirmed=confirmed)
        if form.is_valid() and self._moved_many(request, rows, edge, form):
            return None
        counts = _counts(rows)
        able = sum(number for status, number in counts if status in edge.sources)
        page = {"counts": counts, "able": able, "ids": ids, "action": f"{ACTION}{edge.verb}", "back": request.path}
        return self._confirm(request, edge, form, page)

    # How both are done.

    def _form(self, request: HttpRequest, edge: Edge, *, seen: str = "", confirmed: bool = True) -> MoveForm:
        names = self.transition_inputs.get(edge.verb, ())
        told = {name: _input(self.opts.get_field(name)) for name in names}
        data = request.POST if request.method == "POST" and confirmed else None
        return MoveForm(data, told=told, initial={"seen": seen})

    def _moved_one(self, request: HttpRequest, row: Any, edge: Edge, form: MoveForm) -> bool:
        seen = form.cleaned_data["seen"]
        moved = self._moved(request, type(row)._default_manager.filter(pk=row.pk, status=seen), edge, form)
        if moved:
            messages.success(request, f"{row}: {seen} → {edge.target}.")
        elif moved is not None:
            row.refresh_from_db()
            messages.error(request, f"Nothing was done: the status moved meanwhile and is now {row.status}.")
        return moved is not None

    def _moved_many(self, request: HttpRequest, rows: QuerySet[Any], edge: Edge, form: MoveForm) -> bool:
        moved = self._moved(request, rows, edge, form)
        if moved is not None:
            refused = [f"{number:,} {status}" for status, number in _counts(rows.exclude(pk__in=moved))]
            number = rows.count() - len(moved)
            why = f": {', '.join(refused)}" if refused else ""
            messages.info(request, f"{len(moved):,} moved, {number:,} refused{why}.")
        return moved is not None

    def _moved(self, request: HttpRequest, rows: QuerySet[Any], edge: Edge, form: MoveForm) -> list[int] | None:
        """The ids that moved; None when a rule or the database said no, which the form then shows."""
        operator: Any = request.user
        try:
            with transaction.atomic():
                moved = self.move_rows(rows, edge.verb, by=operator, **form.arguments)
                LogEntry.objects.log_actions(
                    operator.pk,
                    self.model._default_manager.filter(pk__in=moved).select_related(),
                    CHANGE,
                    f"{_spoken(edge.verb)} → {edge.target}: {form.cleaned_data['reason']}",
                )
        except (Refusal, IntegrityError) as refused:
            form.add_error(None, getattr(refused, "message", "These values do not go with the new status."))
            return None
        return moved

    def _confirm(self, request: HttpRequest, edge: Edge, form: MoveForm, page: Mapping[str, Any]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _spoken(edge.verb),
            "opts": self.opts,
            "media": self.media + form.media,
            "edge": edge,
            "form": form,
            "list_address": reverse(self._route("changelist")),
            **page,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.confirm_template, context)

    def _name(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"

    def _route(self, page: str) -> str:
        return f"{self.admin_site.name}:{self._name(page)}"

    def _address(self, row: Model, verb: str) -> str:
        return reverse(self._route("transition"), args=[quote(row.pk), verb])


def _action(edge: Edge) -> Callable[..., HttpResponse | None]:
    def act(modeladmin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        answer: HttpResponse | None = modeladmin.move_many(request, queryset, edge)
        return answer

    return act


def _input(field: Any) -> forms.Field:
    """The form field of a model's field; moments are typed in UTC."""
    shown: forms.Field = field.formfield()
    if isinstance(shown, forms.DateTimeField):
        shown.widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        shown.help_text = "UTC"
    return shown


def _spoken(verb: str) -> str:
    return verb.replace("_", " ").capitalize()


def _counts(rows: QuerySet[Any]) -> list[tuple[str, int]]:
    return list(rows.order_by("status").values_list("status").annotate(Count("pk")))


def _history(row: Any) -> list[Any]:
    """The last moves of a row, newest first, each with the person who asked for it as `person`."""
    moves = list(rows_moved(type(row), row.pk).order_by("-id")[:SHOWN])
    people = get_user_model()._default_manager.in_bulk({move.by_id for move in moves if move.by_id})
    for move in moves:
        move.person = people.get(move.by_id)
    return moves
