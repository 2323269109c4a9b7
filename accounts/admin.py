"""Accounts and people, for operators. Secrets are shown nowhere; trails are read only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm

from accounts import onboarding
from accounts.models import Account, Approval, Connection, Membership, User
from campaigns_project.models import AuditEntry, Job
from lifecycle.admin import TransitionAdminMixin

if TYPE_CHECKING:
    from django.http import HttpRequest


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Looked at, never changed here."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 (Django's signature)
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's signature)
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's signature)
        return False


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]  # generic in the stubs only
    model = Membership
    extra = 0
    autocomplete_fields = ("account", "user")
    readonly_fields = ("created_at",)


@admin.register(Account)
class AccountAdmin(TransitionAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    list_display = ("name", "status", "currency", "time_zone", "created_at")
    list_filter = ("status", "currency")
    search_fields = ("name", "uuid")
    readonly_fields = ("uuid", "created_at")
    inlines = (MembershipInline,)

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        """A new account gets what every account starts with."""
        super().save_model(request, obj, form, change)
        if not change:
            onboarding.welcome(obj)


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Our users have an e-mail address and no user name."""

    class CreationForm(AdminUserCreationForm):  # type: ignore[type-arg]  # generic in the stubs only
        class Meta:
            model = User
            fields = ("email",)

    add_form = CreationForm
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "created_at")}),
    )
    readonly_fields = ("last_login", "created_at")
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name")
    ordering = ("email",)
    inlines = (MembershipInline,)


@admin.register(Connection)
class ConnectionAdmin(ReadOnly):
    """Who is connected where; credentials are changed by their owner."""

    list_display = ("provider", "external_id", "sender", "account", "rate_per_second", "refused_at")
    list_filter = ("provider",)
    list_select_related = ("account",)
    search_fields = ("external_id", "sender", "account__name")
    exclude = ("sealed",)


@admin.register(Approval)
class ApprovalAdmin(ReadOnly):
    list_display = ("kind", "target_id", "account", "asked_by", "asked_at", "decided_by", "granted")
    list_filter = ("kind", "granted")
    list_select_related = ("account", "asked_by", "decided_by")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    list_display = ("at", "actor", "action", "target", "account")
    list_filter = ("action",)
    list_select_related = ("account", "actor")
    search_fields = ("target", "actor__email", "request_id")
    date_hierarchy = "at"


@admin.register(Job)
class JobAdmin(ReadOnly):
    list_display = ("public_id", "kind", "status", "done", "failed", "total", "account", "created_at")
    list_filter = ("status", "kind")
    list_select_related = ("account",)
    search_fields = ("public_id",)
