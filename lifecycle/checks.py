"""House rules that `manage.py check` holds: every status is guarded, and no admin moves one by itself."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core import checks

from lifecycle.admin import TransitionAdminMixin
from lifecycle.guard import guarded_models


@checks.register(checks.Tags.models)
def every_status_is_guarded(**_: Any) -> list[checks.CheckMessage]:
    """lifecycle.E001: a concrete Lifecycle model lacks `@guarded`."""
    bare = [model for model in guarded_models() if "machine" not in vars(model)]
    return [checks.Error("lacks @guarded(born=…)", obj=model, id="lifecycle.E001") for model in bare]


@checks.register(checks.Tags.admin)
def every_admin_moves_by_verbs(**_: Any) -> list[checks.CheckMessage]:
    """lifecycle.E002: a Lifecycle model is registered with an admin that does not move it by its verbs only."""
    registered = {model: admin.site._registry.get(model) for model in guarded_models()}  # noqa: SLF001 (no other way)
    strangers = [each for each in registered.values() if each and not _moves_by_verbs(each)]
    return [checks.Error("does not use TransitionAdminMixin", obj=each, id="lifecycle.E002") for each in strangers]


def _moves_by_verbs(each: admin.ModelAdmin[Any]) -> bool:
    return isinstance(each, TransitionAdminMixin) and "status" not in each.list_editable
