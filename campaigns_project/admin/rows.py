"""The base of every operators' list: walled by account, read only unless it says otherwise, quick at any size.

@admin.register(Broadcast)
class BroadcastAdmin(TransitionAdminMixin, OperatorAdmin):
    list_display = ("id", "campaign", "chip")
    chip = chip_of("broadcast")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper

from campaigns_project.admin.acts import ActsMixin
from campaigns_project.admin.lists import AccountFilter, EstimatedPaginator, search
from campaigns_project.admin.shown import Happening, timeline
from campaigns_project.admin.walls import sees_all, within

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django import forms
    from django.db.models import ForeignKey, Model, QuerySet
    from django.http import HttpRequest, HttpResponse


class OperatorAdmin(ActsMixin, admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """A list and a page a row. `account_path` leads to the account's id; None: only platform operators see it."""

    account_path: ClassVar[str | None] = "account_id"
    read_only: ClassVar[bool] = True
    change_form_template = "admin/row.html"
    paginator = EstimatedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_max_show_all = 0
    list_per_page = 50
    ordering = ("-pk",)
    search_help_text = "One or several, separated by commas; each from its beginning."

    # Walls: rows of other accounts are not there.

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return within(request, super().get_queryset(request), self.account_path)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> forms.ModelChoiceField[Any] | None:
        related: Any = db_field.related_model
        path = "id" if related._meta.label == "accounts.Account" else "account_id"
        if path == "id" or any(each.name == "account" for each in related._meta.fields):
            kwargs["queryset"] = within(request, related._default_manager.all(), path)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        shown: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        # What a row refers to is made and changed on its own page.
        if isinstance(widget := getattr(shown, "widget", None), RelatedFieldWidgetWrapper):
            widget.can_add_related = widget.can_change_related = widget.can_view_related = False
        return shown

    def get_list_filter(self, request: HttpRequest) -> Any:
        own = super().get_list_filter(request)
        return [*own, AccountFilter] if self.account_path == "account_id" else own

    # Rights: what has a history is neither added, changed nor deleted by hand.

    def has_add_permission(self, request: HttpRequest) -> bool:
        return not self.read_only and self._open_to(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not self.read_only and self._open_to(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's signature)
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._open_to(request) and super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._open_to(request) and super().has_module_permission(request)

    def _open_to(self, request: HttpRequest) -> bool:
        return self.account_path is not None or sees_all(request)

    # One row: its acts above, its time line below.

    def happenings(self, row: Any) -> Iterable[Happening]:  # noqa: ARG002 (for subclasses)
        """What else happened to a row, for its time line."""
        return ()

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **options: Any) -> HttpResponse:
        row: Model | None = options.get("obj")
        if row is not None:
            context |= {
                "buttons": self.buttons(request, row),
                "happenings": timeline(row, context.get("moves", ()), self.happenings(row)),
            }
        return super().render_change_form(request, context, *args, **options)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return search(queryset, self.get_search_fields(request), search_term), False
