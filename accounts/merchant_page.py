"""What every merchant's page shares: the caller's account, the look-ups that start with it, row numbers in addresses,
and search words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from django.http import Http404
from django.urls import register_converter

from accounts.roles import Permission
from campaigns_project.pages import Page

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet
    from django.http import HttpRequest, HttpResponse

    from accounts.models import Account, User

LONGEST_SEARCH = 100
ROW = re.compile("[1-9][0-9]{0,17}")


class RowId:
    """A row's number in an address: `[1-9]…`, no larger than PostgreSQL's bigint can hold."""

    regex = ROW.pattern

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


register_converter(RowId, "row")


class MerchantPage(Page):
    """A page over one account's rows. Whatever is not the account's own does not exist (404)."""

    @property
    def caller(self) -> Any:
        return self.request

    @property
    def account(self) -> Account:
        return cast("Account", self.caller.account)

    @property
    def user(self) -> User:
        return cast("User", self.caller.user)

    def may(self, permission: Permission) -> bool:
        return bool(self.caller.may(permission))

    def show(self, template: str, status: int = 200, **context: Any) -> HttpResponse:
        can = {each.value: self.may(each) for each in Permission}
        return super().show(template, status, can=can, **context)

    def find(self, rows: QuerySet[Any], **where: Any) -> Any:
        """One of the account's rows. Raises Http404."""
        try:
            return rows.for_account(self.account).get(**where)  # type: ignore[attr-defined]  # an AccountQuerySet
        except cast("type[Model]", rows.model).DoesNotExist:  # type: ignore[attr-defined]  # every model has one
            raise Http404 from None


def searched(request: HttpRequest) -> str:
    """The words of `?q=`, as PostgreSQL can take them."""
    return request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST_SEARCH]
