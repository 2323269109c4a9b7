"""Request ids, and whose account a page request works in."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts.models import AccountStatus, Membership, User
from accounts.tokens import work_as
from campaigns_project.api.errors import speaks_json

if TYPE_CHECKING:
    from django.db.models import QuerySet

Next = Callable[[HttpRequest], HttpResponse]
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
CHOSEN_ACCOUNT = "account"


def request_id_of(meta: Mapping[str, Any]) -> str:
    """The caller's request id when it is well-formed, else a new one; `meta` are the WSGI variables."""
    given = meta.get("HTTP_X_REQUEST_ID", "")
    return given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())


class RequestIdMiddleware:
    """`X-Request-ID` in and out: the caller's when it is well-formed, else a new one; also in every log line."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = request_id_of(request.META)
        request.request_id = request_id  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class AccountMiddleware:
    """Page sessions work in one of the person's accounts: the one they switched to, else the oldest.

    The API asks its tokens instead, never the session cookie.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        membership = _membership(request) if _has_session(request) else None
        work_as(request, membership, membership.account if membership else None)
        return self.get_response(request)


def _has_session(request: HttpRequest) -> bool:
    # Without the cookie, and at the API, no query is spent on finding out that there is no session.
    return settings.SESSION_COOKIE_NAME in request.COOKIES and not speaks_json(request)


def memberships_of(user: User) -> QuerySet[Membership]:
    """A person's memberships of accounts that are not closed, oldest first."""
    mine = user.memberships.select_related("account", "user").exclude(account__status=AccountStatus.CLOSED)
    return mine.order_by("id")


def _membership(request: HttpRequest) -> Membership | None:
    if not request.user.is_authenticated:
        return None
    mine = memberships_of(request.user)
    chosen = request.session.get(CHOSEN_ACCOUNT)
    return (chosen and mine.filter(account=chosen).first()) or mine.first()
