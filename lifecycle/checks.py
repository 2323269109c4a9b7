"""House rules that `manage.py check` holds: every status is guarded, and no admin moves one by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core import checks

from lifecycle.admin import TransitionAdminMixin
from lifecycle.guard import guarded_models

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import Model


@checks.register(checks.Tags.models)
def every_status_is_guarded(**_: Any) -> list[checks.CheckMessage]:
    """lifecycle.E001: a concrete Lifecycle model lacks `@guarded`."""
    return unguarded(guarded_models())


@checks.register(checks.Tags.admin)
def every_admin_moves_by_verbs(**_: Any) -> list[checks.CheckMessage]:
    """lifecycle.E002: a Lifecycle model is registered with an admin that does not move it by its verbs only."""
    return moved_otherwise(guarded_models(), admin.site)


def unguarded(models: Iterable[type[Model]]) -> list[checks.CheckMessage]:
    """An error for each model that PostgreSQL does not guard."""
    bare = [model for model in models if "machine" not in vars(model)]
    return [checks.Error("lacks @guarded(born=…)", obj=model, id="lifecycle.E001") for model in bare]


def moved_otherwise(models: Iterable[type[Model]], site: admin.AdminSite) -> list[checks.CheckMessage]:
    """An error for each of the models' admins on that site that could change a status without a verb."""
    registered = [site._registry.get(model) for model in models]  # noqa: SLF001 (no other way)
    strangers = [each for each in registered if each and not _moves_by_verbs(each)]
    return [checks.Error("does not use TransitionAdminMixin", obj=each, id="lifecycle.E002") for each in strangers]


def _moves_by_verbs(each: admin.ModelAdmin[Any]) -> bool:
    return isinstance(each, TransitionAdminMixin) and "status" not in each.list_editable
