"""What operators do besides moving a status: an act is a method of the admin, offered as a button and in bulk.

    @act("Replay", "Puts the webhook back in line.", fits=lambda entry: entry.result != "waiting")
    def replay(self, entry, said):
        inbox.replay(entry)

Every act asks for a reason on a page of its own, and leaves a log entry and an audit entry. It raises a Refusal when
it may not be done; nothing has happened then. What it returns, if anything, is said to the operator.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from campaigns_project.admin.lists import ids_in
from campaigns_project.admin.reasons import ReasonForm
from campaigns_project.models import AuditEntry
from campaigns_project.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from django import forms
    from django.db.models import Model, QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

AT_ONCE = 500
LISTED = 20
ACTION = "act_"


@dataclass(frozen=True)
class Said:
    """What the operator said: who, why, and what the act asked for besides."""

    by: Any
    reason: str
    answers: Mapping[str, Any]
    request_id: str = ""


@dataclass(frozen=True)
class Act:
    """One act: `asks` is the permission of accounts.roles it needs besides the right to change the model."""

    name: str
    label: str
    meaning: str
    does: Callable[..., str | None]
    asks: str | None = None
    fits: Callable[[Any], bool] = field(default=lambda _row: True)
    fields: Callable[[], Mapping[str, forms.Field]] = field(default=dict)
    # An act that asks the world outside does so before its transaction.
    atomic: bool = True
    many: bool = True
    # The row is gone afterwards.
    removes: bool = False


def act(label: str, meaning: str, **options: Any) -> Callable[[Callable[..., str | None]], Act]:
    """Declare an act; see the module's text. `options` are those of Act."""

    def declare(does: Callable[..., str | None]) -> Act:
        return Act(does.__name__, label, meaning, does, **options)

    return declare


def leave_trace(row: Any, said: Said, action: str, **details: Any) -> None:
    """The audit entry of what an operator did to `row`."""
    AuditEntry.objects.create(
        account_id=getattr(row, "account_id", None),
        actor=said.by,
        action=action,
        target=f"{row._meta.model_name} {row.pk}"[:120],
        reason=said.reason,
        details=details,
        request_id=said.request_id,
    )


class ActsMixin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """The buttons, bulk actions and confirm page of an admin's acts."""

    acts: ClassVar[Sequence[Act]] = ()

    def may_act(self, request: HttpRequest, asks: str | None) -> bool:
        """Whether the operator may change rows of this model at all, and has the role for it."""
        caller: Any = request
        right = f"{self.opts.app_label}.change_{self.opts.model_name}"
        return bool(caller.user.has_perm(right) and (asks is None or caller.user.is_superuser or caller.may(asks)))

    def get_urls(self) -> list[URLPattern]:
        address = path(
            "<path:object_id>/act/<str:name>/", self.admin_site.admin_view(self.act_view), name=self._named("act")
        )
        return [address, *super().get_urls()]

    def buttons(self, request: HttpRequest, row: Model) -> list[tuple[str, str, str]]:
        """Label, address and meaning of each act that fits the row."""
        fitting = [each for each in self.acts if each.fits(row) and self.may_act(request, each.asks)]
        return [(each.label, self._to("act", quote(row.pk), each.name), each.meaning) for each in fitting]

    def act_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Ask for the reason (GET), then do it (POST)."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]  # Django's
        found = self._act_for(request, row, name)
        here = HttpResponseRedirect(self._to("change", quote(row.pk)))
        if not found.fits(row):
            messages.error(request, f"“{found.label}” is not possible here now.")
            return here
        form = ReasonForm(request.POST if request.method == "POST" else None, told=found.fields())
        if form.is_valid():
            refused = self._done(request, row, found, form)
            if refused is None:
                return HttpResponseRedirect(self._to("changelist")) if found.removes else here
            form.add_error(None, refused)
        return self._ask_first(request, found, form, {"rows": [row], "row": row, "back": here.url})

    def _act_for(self, request: HttpRequest, row: Any, name: str) -> Act:
        """The act of this name, if this operator may do it at all."""
        found = {each.name: each for each in self.acts}.get(name)
        if found is None:
            raise Http404
        if not self.has_view_permission(request, row) or not self.may_act(request, found.asks):
            raise PermissionDenied
        return found

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        found: dict[str, Any] = super().get_actions(request)
        for each in self.acts:
            if each.many and self.may_act(request, each.asks):
                found[f"{ACTION}{each.name}"] = (_bulk(each), f"{ACTION}{each.name}", f"{each.label} …")
        return found

    def act_on_many(self, request: HttpRequest, queryset: QuerySet[Any], each: Act) -> HttpResponse | None:
        """The page between, then (with the `chosen` ids it showed) the act, row by row; None goes back to the list."""
        confirmed = "chosen" in request.POST
        ids = (
            ids_in(self.model, request.POST["chosen"])
            if confirmed
            else list(queryset.values_list("pk", flat=True)[:AT_ONCE])
        )
        rows = list(self.get_queryset(request).filter(pk__in=ids[:AT_ONCE]))
        fitting = [row for row in rows if each.fits(row)]
        form = ReasonForm(request.POST if confirmed else None, told=each.fields())
        if form.is_valid():
            refused = [why for row in fitting if (why := self._done(request, row, each, form, quiet=True))]
            number = len(rows) - len(fitting) + len(refused)
            reasons = f": {' '.join(sorted(set(refused)))}" if refused else ""
            messages.info(request, f"{len(rows) - number:,} done, {number:,} refused{reasons}.".replace("..", "."))
            return None
        page = {"rows": fitting[:LISTED], "able": len(fitting), "ids": ids, "action": f"{ACTION}{each.name}"}
        return self._ask_first(request, each, form, {**page, "back": request.path})

    def _done(self, request: HttpRequest, row: Any, each: Act, form: ReasonForm, *, quiet: bool = False) -> str | None:
        """Do it and keep a trace; returns the sentence of a refusal."""
        caller: Any = request
        said = Said(caller.user, form.cleaned_data["reason"], form.answers, caller.request_id)
        together = transaction.atomic if each.atomic else contextlib.nullcontext
        try:
            with together():
                answer = each.does(self, row, said)
                self._trace(row, each, said)
        except Refusal as refusal:
            return refusal.message
        if not quiet:
            messages.success(request, answer or f"{each.label}: done.")
        return None

    def _trace(self, row: Any, each: Act, said: Said) -> None:
        leave_trace(row, said, f"{self.opts.model_name}.{each.name}")
        sentence = f"{each.label}: {said.reason}"
        LogEntry.objects.log_actions(said.by.pk, [row], CHANGE, sentence, single_object=True)

    def _ask_first(self, request: HttpRequest, each: Act, form: ReasonForm, page: Mapping[str, Any]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": each.label,
            "opts": self.opts,
            "media": self.media + form.media,
            "meaning": each.meaning,
            "form": form,
            "list_address": self._to("changelist"),
            **page,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/confirm_act.html", context)

    def _named(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"

    def _to(self, page: str, *args: Any) -> str:
        return reverse(f"{self.admin_site.name}:{self._named(page)}", args=args)


def _bulk(each: Act) -> Callable[..., HttpResponse | None]:
    def run(modeladmin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        answer: HttpResponse | None = modeladmin.act_on_many(request, queryset, each)
        return answer

    return run
