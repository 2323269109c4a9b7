import base64
import json
import time

import jwt
import pytest

from accounts.models import Account
from accounts.roles import Role
from accounts.tokens import _key, issue
from campaigns_project.models import AuditEntry
from tests.factories import AccountFactory, MembershipFactory, UserFactory, in_state
from tests.fixtures_http import caller

SIGN_IN = "/api/v1/auth/token"
REFRESH = "/api/v1/auth/refresh"
pytestmark = pytest.mark.django_db


@pytest.fixture
def member():
    return MembershipFactory(user=UserFactory(email="ada@example.test", password="correct horse"), role=Role.MANAGER)


def sign_in(client, email="ada@example.test", password="correct horse", **options):
    body = {"email": email, "password": password}
    return client.post(SIGN_IN, body, content_type="application/json", **options)


def test_signing_in_answers_with_the_contracts_shape(client, member):
    answer = sign_in(client, "Ada@Example.test")

    body = answer.json()
    assert answer.status_code == 200
    assert {**body, "access_token": "", "refresh_token": ""} == {
        "access_token": "",
        "refresh_token": "",
        "token_type": "Bearer",
        "expires_in": 3600,
        "user": {
            "id": member.user_id,
            "tenant_id": str(member.account.uuid),
            "email": "ada@example.test",
            "roles": ["manager"],
        },
    }
