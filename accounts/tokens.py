"""Bearer tokens: what they claim, how strictly they are read, and what a role may do at a door.

The roles in a token only inform its bearer: what a request may do is read from the membership every time.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import jwt
from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission

from accounts.models import Account, AccountStatus, Membership, User
from accounts.roles import Permission
from campaigns_project.models import AuditEntry
from campaigns_project.refusals import Forbidden, NotFound, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest
    from rest_framework.request import Request

Kind = Literal["access", "refresh"]
ALGORITHM = "HS256"
LONGEST = 4096
REQUIRED = ["sub", "tenant_id", "roles", "aud", "iss", "iat", "exp", "jti", "type"]


def issue(membership: Membership, kind: Kind = "access") -> str:
    """A signed token of one person in one account."""
    now = int(time.time())
    claims = {
        "sub": str(membership.user_id),
        "tenant_id": str(membership.account.uuid),
        "roles": [membership.role],
        "aud": settings.TOKEN_AUDIENCE,
        "iss": settings.TOKEN_ISSUER,
        "iat": now,
        "exp": now + _lifetime(kind),
        "jti": uuid.uuid4().hex,
        "type": kind,
    }
    return jwt.encode(claims, _key(), algorithm=ALGORITHM)


def pair(membership: Membership) -> dict[str, Any]:
    """What signing in answers with (spec: api › Conventions)."""
    return {
        "access_token": issue(membership),
        "refresh_token": issue(membership, "refresh"),
        "token_type": "Bearer",
        "expires_in": _lifetime("access"),
        "user": {
            "id": membership.user_id,
            "tenant_id": str(membership.account.uuid),
            "email": membership.user.email,
            "roles": [membership.role],
        },
    }


def bearer_of(token: str, kind: Kind = "access") -> Membership:
    """The membership a token stands for, with its user and account.

    Raises Unauthorized, always the same one: nothing tells which check failed.
    """
    claims = _claims(token, kind)
    membership = (
        Membership.objects.select_related("user", "account")
        .filter(user=int(claims["sub"]), account__uuid=claims["tenant_id"], user__is_active=True)
        .exclude(account__status=AccountStatus.CLOSED)
        .first()
    )
    if membership is None:
        raise Unauthorized
    return membership


def _claims(token: str, kind: Kind) -> dict[str, Any]:
    # Byte for byte our own header: no other algorithm, and no key that came with the token.
    if len(token) > LONGEST or token.partition(".")[0] != _header():
        raise Unauthorized
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            _key(),
            algorithms=[ALGORITHM],
            audience=settings.TOKEN_AUDIENCE,
            issuer=settings.TOKEN_ISSUER,
            options={"require": REQUIRED, "strict_aud": True},
        )
    except (jwt.PyJWTError, ValueError, OverflowError) as error:
        raise Unauthorized from error
    if not _is_sane(claims, kind):
        raise Unauthorized
    return claims


def _is_sane(claims: Mapping[str, Any], kind: Kind) -> bool:
    times = [claims[name] for name in ("iat", "exp", "nbf") if name in claims]
    return (
        all(type(moment) is int for moment in times)
        and claims["exp"] - claims["iat"] <= _lifetime(kind)
        and claims["type"] == kind
        and _is_digits(claims["sub"])
        and _is_uuid(claims["tenant_id"])
    )


def _is_digits(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19  # noqa: PLR2004 (64 bits)


def _is_uuid(value: Any) -> bool:
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        return False


def _lifetime(kind: Kind) -> int:
    lifetime = settings.ACCESS_TOKEN_LIFETIME if kind == "access" else settings.REFRESH_TOKEN_LIFETIME
    return int(lifetime.total_seconds())


def _key() -> bytes:
    return hashlib.sha256(b"bearer tokens" + settings.SECRET_KEY.encode()).digest()


@cache
def _header() -> str:
    return jwt.encode({}, _key(), algorithm=ALGORITHM).partition(".")[0]


def work_as(request: HttpRequest, membership: Membership | None, account: Account | None) -> None:
    """Set what doors ask of a request: `account`, `membership` and `may(permission)`."""
    permissions = membership.permissions if membership else frozenset()
    request.account = account  # type: ignore[attr-defined]
    request.membership = membership  # type: ignore[attr-defined]
    request.may = lambda permission: permission in permissions  # type: ignore[attr-defined]


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer …`, and for platform roles `X-Account: {uuid}` to work in another account."""

    def authenticate(self, request: Request) -> tuple[User, str]:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer" or not token.isascii():
            raise Unauthorized
        membership = bearer_of(token)
        work_as(request._request, membership, self._account(request, membership))  # noqa: SLF001 (DRF wraps it)
        return membership.user, token

    def _account(self, request: Request, membership: Membership) -> Account:
        asked = request.META.get("HTTP_X_ACCOUNT")
        if asked is None or asked == str(membership.account.uuid):
            return membership.account
        if Permission.OTHER_ACCOUNTS not in membership.permissions:
            raise Forbidden
        account = Account.objects.filter(uuid=asked).first() if _is_uuid(asked) else None
        if account is None:
            raise NotFound
        _audit_visit(request, membership, account)
        return account


def _audit_visit(request: Request, membership: Membership, account: Account) -> None:
    AuditEntry.objects.create(
        account_id=account.pk,
        actor_id=membership.user_id,
        action="other_account",
        target=f"{request.method} {request.path}"[:120],
        request_id=getattr(request, "request_id", ""),
    )


class RolePermission(BasePermission):
    """The door's `needs` against the caller's role: reading needs VIEW, a method that is not named is refused."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method not in view.allowed_methods:
            return True  # The door answers 405.
        method = "GET" if request.method == "HEAD" else request.method
        needed = view.needs.get(method, Permission.VIEW if method == "GET" else None)
        return needed is not None and bool(request.may(needed))  # type: ignore[attr-defined]  # see work_as
