import base64
import json
import time

import jwt
import pytest
from django.core.management import CommandError, call_command

from accounts.roles import Role
from accounts.tokens import _key, issue
from campaigns_project.api import limits
from campaigns_project.models import AuditEntry, RateWindow
from tests.factories import AccountFactory, MembershipFactory, UserFactory, in_state
from tests.fixtures_http import Caller, caller

SIGN_IN = "/api/v1/auth/token"
REFRESH = "/api/v1/auth/refresh"
DOOR = "/api/v1/jobs/job_none"
pytestmark = pytest.mark.django_db


@pytest.fixture
def member():
    return MembershipFactory(user=UserFactory(email="ada@example.test", password="correct horse"), role=Role.MANAGER)


def sign_in(client, email="ada@example.test", password="correct horse", **options):
    return client.post(SIGN_IN, {"email": email, "password": password}, content_type="application/json", **options)


def ask(client, authorization):
    headers = {} if authorization is None else {"authorization": authorization}
    return client.get(DOOR, headers=headers)


def claims_of(membership, **changes):
    claims = jwt.decode(issue(membership), options={"verify_signature": False}) | changes
    return {name: value for name, value in claims.items() if value is not None}


def signed(claims, key=None, **header):
    return jwt.encode(claims, key or _key(), algorithm=header.pop("alg", "HS256"), headers=header or None)


def without_what_differs(answer):
    return {**answer.json(), "request_id": "", "timestamp": ""}


def test_signing_in_answers_with_the_contracts_shape(client, member):
    answer = sign_in(client, "Ada@Example.test")

    assert answer.status_code == 200
    assert {**answer.json(), "access_token": "", "refresh_token": ""} == {
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


def test_a_token_opens_a_door_and_a_refresh_token_gets_new_ones(client, member):
    first = sign_in(client).json()
    refreshed = client.post(REFRESH, {"refresh_token": first["refresh_token"]}, content_type="application/json")

    assert ask(client, f"Bearer {first['access_token']}").status_code == 404
    assert ask(client, f"bearer {refreshed.json()['access_token']}").status_code == 404
    assert refreshed.json()["user"] == first["user"]


@pytest.mark.parametrize(
    ("email", "password"),
    [("ada@example.test", "wrong"), ("nobody@example.test", "correct horse"), ("", "x"), ("x" * 254, "y")],
)
def test_nobody_learns_why_a_sign_in_failed(client, member, email, password):
    answer = sign_in(client, email or "a", password)

    assert without_what_differs(answer) == without_what_differs(sign_in(client, password="other"))
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="campaigns"')


def test_somebody_who_left_cannot_sign_in(client, member):
    member.user.is_active = False
    member.user.save()

    assert sign_in(client).status_code == 401


def test_somebody_without_an_account_is_forbidden(client):
    UserFactory(email="ada@example.test", password="correct horse")

    assert sign_in(client).json()["code"] == "FORBIDDEN"


def test_tries_are_counted_per_address_and_email_over_all_processes(client, member, settings):
    settings.SIGN_IN_TRIES_PER_MINUTE = 2

    tries = [sign_in(client, password="no", HTTP_X_FORWARDED_FOR=f"1.1.1.{n}") for n in range(3)]

    assert [answer.status_code for answer in tries] == [401, 401, 429]
    assert 1 <= int(tries[2]["Retry-After"]) <= 60
    assert sign_in(client).status_code == 429
    assert sign_in(client, "other@example.test").status_code == 401
    assert sign_in(client, REMOTE_ADDR="10.0.0.9").status_code == 200


def test_one_address_cannot_try_many_people(client, settings):
    settings.SIGN_IN_TRIES_PER_MINUTE = 1

    statuses = [sign_in(client, f"p{n}@example.test").status_code for n in range(11)]

    assert statuses == [401] * 10 + [429]


def test_a_new_minute_gives_new_tries(client, member, settings):
    settings.SIGN_IN_TRIES_PER_MINUTE = 1
    sign_in(client)
    RateWindow.objects.update(starts_at="2026-01-01T00:00:00Z")

    assert sign_in(client).status_code == 200
    assert limits.purge() == 0
    RateWindow.objects.update(starts_at="2026-01-01T00:00:00Z")
    assert limits.purge() == 2


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer a b", "Basic YTpi", "Bearer a.b.c", "Bearer ü", "Bearer " + "a" * 5000],
)
def test_what_is_no_token_is_401(client, authorization):
    answer = ask(client, authorization)

    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")
    assert answer["WWW-Authenticate"] == 'Bearer realm="campaigns"'


NOW = int(time.time())
BAD_CLAIMS = {
    "expired": {"exp": NOW - 5, "iat": NOW - 100},
    "no exp": {"exp": None},
    "no tenant": {"tenant_id": None},
    "no type": {"type": None},
    "exp text": {"exp": "9999999999"},
    "exp huge": {"exp": 1e300},
    "exp float": {"exp": NOW + 60.5},
    "exp true": {"exp": True},
    "exp far": {"exp": NOW + 10**6},
    "iat ahead": {"iat": NOW + 600},
    "nbf ahead": {"nbf": NOW + 3600},
    "nbf text": {"nbf": "0"},
    "aud other": {"aud": "other"},
    "aud list": {"aud": ["campaigns-api"]},
    "iss other": {"iss": "other"},
    "sub number": {"sub": 1},
    "sub text": {"sub": "1 OR 1=1"},
    "sub digits": {"sub": "١"},
    "sub long": {"sub": "9" * 30},
    "tenant list": {"tenant_id": ["a", "b"]},
    "tenant upper": {"tenant_id": "A" * 36},
    "tenant unknown": {"tenant_id": "00000000-0000-4000-8000-000000000000"},
    "refresh": {"type": "refresh"},
}


@pytest.mark.parametrize("case", BAD_CLAIMS)
def test_a_token_with_odd_claims_is_401_like_no_token(client, member, case):
    answer = ask(client, f"Bearer {signed(claims_of(member, **BAD_CLAIMS[case]))}")

    assert answer.status_code == 401
    assert without_what_differs(answer) == without_what_differs(ask(client, None))


@pytest.mark.parametrize(
    ("key", "header"),
    [
        ("another key of thirty-two bytes ", {}),
        (None, {"alg": "HS512"}),
        (None, {"kid": "../../dev/null"}),
        (None, {"jku": "https://evil.example"}),
        (None, {"jwk": {"kty": "oct", "k": "AAAA"}}),
        (None, {"typ": "at+jwt"}),
        (None, {"crit": ["x"], "x": 1}),
    ],
)
@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
def test_a_token_with_another_key_or_header_is_401(client, member, key, header):
    assert ask(client, f"Bearer {signed(claims_of(member), key, **header)}").status_code == 401


def test_an_unsigned_or_changed_token_is_401(client, member):
    head, body, signature = issue(member).split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).decode().rstrip("=")
    changed = f"{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"

    for token in (f"{none}.{body}.", f"{head}.{body}.", f"{head}.{body}", f"{head}.{body}.{changed}"):
        assert ask(client, f"Bearer {token}").status_code == 401


def test_a_token_ends_with_its_membership_its_user_and_its_account(client, member):
    token = f"Bearer {issue(member)}"
    assert ask(client, token).status_code == 404

    in_state(member.account, "closed")
    assert ask(client, token).status_code == 401

    other = MembershipFactory(user=member.user)
    token = f"Bearer {issue(other)}"
    other.delete()
    assert ask(client, token).status_code == 401


@pytest.mark.urls("tests.campaigns_project.doors")
def test_a_role_is_read_anew_on_every_request(member):
    api = Caller(member)
    member.role = Role.MARKETING
    member.save()

    answer = api.post("/api/v1/try/bulk", json={"rows": [1]})

    assert answer.json()["code"] == "FORBIDDEN"


def test_a_platform_role_works_in_another_account_and_leaves_a_trail():
    operator, account = caller(Role.PLATFORM_ADMIN), AccountFactory()

    answer = operator.get(DOOR, headers={"x-account": str(account.uuid)})

    entry = AuditEntry.objects.get()
    assert answer.status_code == 404
    assert (entry.account, entry.actor, entry.action, entry.target, entry.request_id) == (
        account,
        operator.user,
        "other_account",
        f"GET {DOOR}",
        answer["X-Request-ID"],
    )


@pytest.mark.parametrize(
    ("role", "asked", "status"),
    [
        (Role.TENANT_ADMIN, "other", 403),
        (Role.TENANT_ADMIN, "own", 404),
        (Role.SUPER_ADMIN, "00000000-0000-4000-8000-000000000000", 404),
        (Role.SUPER_ADMIN, "garbage", 404),
        (Role.SUPER_ADMIN, "", 404),
    ],
)
def test_nobody_else_works_in_another_account(role, asked, status):
    who = caller(role)
    header = {"other": str(AccountFactory().uuid), "own": str(who.account.uuid)}.get(asked, asked)

    assert who.get(DOOR, headers={"x-account": header}).status_code == status
    assert not AuditEntry.objects.exists()


def test_the_command_prints_a_token_that_works(client, member, capsys):
    call_command("token", "ADA@example.test")

    assert ask(client, f"Bearer {capsys.readouterr().out.strip()}").status_code == 404
    with pytest.raises(CommandError):
        call_command("token", "nobody@example.test")
