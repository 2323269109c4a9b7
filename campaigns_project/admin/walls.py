"""Whose rows an operator sees: everybody's with the permission for other accounts, else those of their own account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet
    from django.http import HttpRequest

    M = TypeVar("M", bound=Model)

OTHER_ACCOUNTS = "other_accounts"


def sees_all(request: HttpRequest) -> bool:
    """Whether the signed-in operator works across accounts."""
    caller: Any = request
    return bool(caller.user.is_superuser or caller.may(OTHER_ACCOUNTS))


def within(request: HttpRequest, rows: QuerySet[M], owner: str | None = "account_id") -> QuerySet[M]:
    """Those of `rows` that the operator may see. `owner` is the path to the account's id, None for the platform's."""
    if sees_all(request):
        return rows
    account = request.account  # type: ignore[attr-defined]  # AccountMiddleware
    return rows.filter(**{owner: account.pk}) if account and owner else rows.none()


def may_look(request: HttpRequest, model: type[Model]) -> bool:
    """Whether the operator's groups let them look at rows of `model`."""
    user: Any = request.user
    return bool(user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}"))
