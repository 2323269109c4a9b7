"""Accounts and people, for operators. Secrets are shown nowhere; trails are read only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db.models import Q
from django.forms.models import BaseInlineFormSet
from django.http import FileResponse, Http404
from django.urls import path, reverse
from django.utils.html import format_html

from accounts import connections, onboarding
from accounts.models import Account, Approval, Connection, Membership, User
from accounts.roles import Permission
from campaigns_project import jobs
from campaigns_project.admin import Tile, tile
from campaigns_project.admin.acts import Act, Said, act
from campaigns_project.admin.lists import chosen
from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.admin.shown import chip_of, masked, readable
from campaigns_project.admin.walls import may_look, sees_all, within
from campaigns_project.models import AuditEntry, Job
from lifecycle.admin import TransitionAdminMixin

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.utils.safestring import SafeString

REFUSED = Q(refused_at__isnull=False)


class MembershipForms(BaseInlineFormSet):  # type: ignore[type-arg]  # generic in the stubs only
    """An account has no name for its memberships, from which Django would make the fields' names."""

    @classmethod
    def get_default_prefix(cls) -> str:
        return "memberships"


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]  # generic in the stubs only
    model = Membership
    formset = MembershipForms
    extra = 0
    raw_id_fields = ("account", "user")
    readonly_fields = ("created_at",)

    # A role is power over an account: only those who work across accounts give or take one.

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return sees_all(request) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return sees_all(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return sees_all(request) and super().has_delete_permission(request, obj)


@admin.register(Account)
class AccountAdmin(TransitionAdminMixin, OperatorAdmin):
    account_path = "id"
    read_only = False
    change_form_template = "admin/row.html"
    list_display = ("name", "chip", "currency", "time_zone", "created_at")
    list_filter = ("status", "currency")
    search_fields = ("name", "=uuid")
    readonly_fields = ("uuid", "created_at")
    inlines = (MembershipInline,)

    chip = chip_of("account")

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        """A new account gets what every account starts with."""
        super().save_model(request, obj, form, change)
        if not change:
            onboarding.welcome(obj)


@admin.register(User)
class UserAdmin(OperatorAdmin, DjangoUserAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Our users have an e-mail address and no user name. Platform operators only: people belong to several accounts."""

    account_path = None
    read_only = False

    class CreationForm(AdminUserCreationForm):  # type: ignore[type-arg]  # generic in the stubs only
        class Meta:
            model = User
            fields = ("email",)

    add_form = CreationForm
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("Dates", {"fields": ("last_login", "created_at")}),
    )
    readonly_fields = ("last_login", "created_at")
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name")
    ordering = ("email",)
    filter_horizontal = ()
    inlines = (MembershipInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        kept = super().get_readonly_fields(request, obj)
        return kept if request.user.is_superuser else (*kept, "is_superuser")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Else somebody could sign in as their own superior.
        above = obj is not None and obj.is_superuser and not request.user.is_superuser
        return not above and super().has_change_permission(request, obj)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(db_field, request, **kwargs, widget=forms.CheckboxSelectMultiple)


@admin.register(Connection)
class ConnectionAdmin(OperatorAdmin):
    """Who is connected where; credentials are changed by their owner."""

    list_display = ("provider", "external_id", "sender", "account", "rate_per_second", "refused_at")
    list_filter = ("provider", chosen("refused", "refused", {"yes": ("Refused", REFUSED), "no": ("Working", ~REFUSED)}))
    list_select_related = ("account",)
    search_fields = ("^external_id", "^sender", "^sms_sender", "account__name")
    fields = ("account", "provider", "external_id", "sender", "sender_name", "sms_sender", "rate_per_second",
              "refused_at", "created_at")  # fmt: skip

    @act(
        "Try again",
        "The provider's refusal is forgotten: calls start again with these credentials.",
        fits=lambda connection: connection.refused_at is not None,
        asks=Permission.SETTINGS,
    )
    def try_again(self, connection: Connection, said: Said) -> None:  # noqa: ARG002 (an act)
        Connection.objects.filter(pk=connection.pk).update(refused_at=None)

    @act(
        "Disconnect",
        "The credentials are forgotten, campaigns that need them pause, and the provider's webhooks are refused.",
        asks=Permission.SETTINGS,
        many=False,
        removes=True,
    )
    def disconnect(self, connection: Connection, said: Said) -> None:
        connections.disconnect(connection.account, connection.provider, by=said.by, reason=said.reason)

    acts: ClassVar[list[Act]] = [try_again, disconnect]


@admin.register(Approval)
class ApprovalAdmin(OperatorAdmin):
    list_display = ("kind", "target_id", "account", "asked_by", "asked_at", "decided_by", "granted")
    list_filter = ("kind", "granted")
    list_select_related = ("account", "asked_by", "decided_by")
    search_fields = ("=id", "=target_id")
    fields = ("account", "kind", "target_id", "asked", "asked_by", "asked_at", "decided_by", "decided_at", "granted",
              "reason")  # fmt: skip

    @admin.display(description="what was asked")
    def asked(self, approval: Approval) -> SafeString:
        return readable(approval.summary)


@admin.register(AuditEntry)
class AuditEntryAdmin(OperatorAdmin):
    list_display = ("at", "actor", "action", "target", "account")
    list_filter = ("action",)
    list_select_related = ("account", "actor")
    search_fields = ("^target", "^actor__email", "=request_id")
    fields = ("at", "actor", "account", "action", "target", "reason", "told", "request_id")

    @admin.display(description="details")
    def told(self, entry: AuditEntry) -> SafeString:
        return readable(masked(entry.details))


@admin.register(Job)
class JobAdmin(OperatorAdmin):
    """Long work: imports of customers, segments and leads with what was uploaded and refused, exports, and the rest."""

    list_display = ("public_id", "kind", "chip", "file", "done", "failed", "total", "account", "created_at")
    list_filter = ("status", "kind")
    list_select_related = ("account",)
    search_fields = ("^public_id",)
    fields = ("account", "public_id", "kind", "chip", "file", "by", "done", "failed", "total", "refused", "message",
              "asked", "result_shown", "created_at", "started_at", "finished_at")  # fmt: skip

    chip = chip_of("job")

    @admin.display(description="file")
    def file(self, job: Job) -> str:
        """What was uploaded, by its own name; what an erasure or the clock took away is no longer there."""
        return str(job.params.get("file", "")) or ("A file" if job.input_file else "—")

    @admin.display(description="uploaded or asked for by")
    def by(self, job: Job) -> str:
        person = User.objects.filter(pk=job.created_by_id).first() if job.created_by_id else None
        return str(person or "—")

    @admin.display(description="refused rows")
    def refused(self, job: Job) -> str:
        if not job.errors_file:
            return "—"
        return format_html('<a href="{}">{} as CSV</a>', reverse("admin:job_errors", args=[job.pk]), f"{job.failed:,}")

    def get_urls(self) -> list[Any]:
        errors = path("<int:pk>/errors/", self.admin_site.admin_view(self.errors), name="job_errors")
        return [errors, *super().get_urls()]

    def errors(self, request: HttpRequest, pk: int) -> FileResponse:
        """The refused rows with their reasons. Who may not see the job finds nothing."""
        job = self.get_queryset(request).filter(pk=pk).exclude(errors_file="").first()
        if job is None or not self.has_view_permission(request, job) or not jobs.errors_of(job).is_file():
            raise Http404
        AuditEntry.objects.create(
            account=job.account, actor_id=request.user.pk, action="job.errors", target=job.public_id
        )
        return FileResponse(
            jobs.errors_of(job).open("rb"), as_attachment=True, filename=f"{job.public_id}-errors.csv",
            content_type="text/csv; charset=utf-8",
        )  # fmt: skip

    @admin.display(description="asked for")
    def asked(self, job: Job) -> SafeString:
        return readable(masked(job.params))

    @admin.display(description="result")
    def result_shown(self, job: Job) -> SafeString:
        return readable(job.result)


@tile(60)
def refused_connections(request: HttpRequest) -> Tile | None:
    """Accounts whose credentials a provider no longer takes."""
    if not may_look(request, Connection):
        return None
    number = within(request, Connection.objects.filter(REFUSED)).count()
    href = f"{reverse('admin:accounts_connection_changelist')}?refused=yes"
    return Tile("Refused connections", f"{number:,}", "credentials that no longer work", href)
