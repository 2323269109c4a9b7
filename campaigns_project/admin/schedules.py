"""The clock's schedule and the operators' groups, both editable here; no script of theirs runs in our pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db.models import Q
from django.utils.module_loading import import_string
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from kombu.exceptions import OperationalError

from campaigns_project.admin.acts import Act, Said, act
from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.refusals import ServiceUnavailable

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

for theirs in (ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule, Group):
    admin.site.unregister(theirs)


class NobodyListens(ServiceUnavailable):
    message = "The broker does not answer, so no worker was told."


def task_names() -> list[str]:
    """The tasks of this installation, as a worker would find them."""
    app = _clock()
    app.loader.import_default_modules()
    return sorted(name for name in app.tasks if not name.startswith("celery."))


def _clock() -> Any:
    return import_string(settings.CLOCK)


class PeriodicTaskForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    task = forms.ChoiceField(choices=lambda: [(name, name) for name in task_names()])

    class Meta:
        model = PeriodicTask
        fields = ("name", "task", "enabled", "interval", "crontab", "description")


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(OperatorAdmin):
    """What runs how often. A lost or late run costs a delay, never a recipient."""

    account_path = None
    read_only = False
    form = PeriodicTaskForm
    list_display = ("name", "task", "interval", "crontab", "enabled", "last_run_at", "total_run_count")
    list_filter = ("enabled",)
    list_select_related = ("interval", "crontab")
    search_fields = ("name", "task")
    ordering = ("name",)
    fields = ("name", "task", "enabled", "interval", "crontab", "description", "last_run_at", "total_run_count")
    readonly_fields = ("last_run_at", "total_run_count")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Celery keeps one entry of its own.
        return super().get_queryset(request).exclude(task__startswith="celery.")

    @act("Run now", "A worker is told to run the task once, at once.", atomic=False)
    def run_now(self, periodic: Any, said: Said) -> None:  # noqa: ARG002 (an act)
        try:
            _clock().send_task(periodic.task, retry=False)
        except OperationalError:
            raise NobodyListens from None

    acts: ClassVar[list[Act]] = [run_now]


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(OperatorAdmin):
    account_path = None
    read_only = False
    list_display = ("__str__", "every", "period")


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(OperatorAdmin):
    account_path = None
    read_only = False
    list_display = ("__str__", "timezone")


@admin.register(Group)
class GroupAdmin(OperatorAdmin):
    """What a group of operators may look at and do: boxes to tick, of what there is in this admin."""

    account_path = None
    read_only = False
    list_display = ("name",)
    search_fields = ("name",)
    ordering = ("name",)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs |= {"queryset": _rights(), "widget": forms.CheckboxSelectMultiple}
        field: Any = super().formfield_for_manytomany(db_field, request, **kwargs)
        field.label_from_instance = lambda right: f"{right.codename.partition('_')[0]} {right.content_type.name}"
        return field


def _rights() -> QuerySet[Permission]:
    """What there is to allow here; of rows only memberships are ever deleted."""
    here = Q()
    for model in admin.site._registry:  # noqa: SLF001 (Django has no other way)
        here |= Q(content_type__app_label=model._meta.app_label, content_type__model=model._meta.model_name)
    rights = Permission.objects.filter(here & ~Q(codename__startswith="delete_") | Q(codename__endswith="_membership"))
    return rights.select_related("content_type").order_by("content_type__app_label", "content_type__model", "codename")
