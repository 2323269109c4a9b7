"""Callers for tests: `api` (a merchant with a real token), `neighbour` (another account's), `page` (a session)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tokens import issue
from tests.factories import AccountFactory, MembershipFactory

if TYPE_CHECKING:
    from accounts.models import Account, Membership, User


class Caller:
    """`api.post(path, json=…)`: sends JSON with a bearer token; `.json()` of the answer is the body."""

    def __init__(self, membership: Membership) -> None:
        self.membership = membership
        self.account: Account = membership.account
        self.user: User = membership.user
        self.headers = {"authorization": f"Bearer {issue(membership)}"}
        self.client = Client()

    def send(self, method: str, path: str, *, json: Any = None, raw: Any = None, **options: Any) -> Any:
        """`raw` is the body as it is; with `content_type` (default JSON), `headers` and WSGI variables as options."""
        headers = {**self.headers, **options.pop("headers", {})}
        body = raw if raw is not None else b"" if json is None else dumps(json)
        content_type = options.pop("content_type", "application/json")
        return self.client.generic(method, path, body, content_type=content_type, headers=headers, **options)

    def get(self, path: str, **options: Any) -> Any:
        return self.send("GET", path, **options)

    def post(self, path: str, **options: Any) -> Any:
        return self.send("POST", path, **options)

    def put(self, path: str, **options: Any) -> Any:
        return self.send("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Any:
        return self.send("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.send("DELETE", path, **options)

    def upload(self, path: str, data: dict[str, Any], **options: Any) -> Any:
        """POST a multipart form."""
        return self.client.post(path, data, headers={**self.headers, **options.pop("headers", {})}, **options)


def dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


def caller(role: str = Role.TENANT_ADMIN, *, account: Account | None = None) -> Caller:
    """Somebody with this role, in a new account unless one is given."""
    return Caller(MembershipFactory(role=role, account=account or AccountFactory()))


@pytest.fixture
def api(db: None) -> Caller:
    return caller()


@pytest.fixture
def neighbour(db: None) -> Caller:
    """The same role in another account."""
    return caller()


@pytest.fixture
def page(api: Caller) -> Client:
    """A signed-in page session of `api.user`."""
    client = Client()
    client.force_login(api.user)
    return client
