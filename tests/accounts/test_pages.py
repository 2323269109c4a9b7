import pytest
from django.test import Client
from django.urls import path

from accounts.roles import Role
from campaigns_project.models import AuditEntry, Job
from tests.factories import ConnectionFactory, MembershipFactory, UserFactory, in_state

pytestmark = pytest.mark.django_db


@pytest.fixture
def member():
    return MembershipFactory(user=UserFactory(email="ada@example.test", password="correct horse"))


def sign_in(client, password="correct horse", **fields):
    return client.post("/login", {"email": "ada@example.test", "password": password, **fields})


def working_in(client):
    """The account a page request of this client works in."""
    request = client.get("/kit").wsgi_request
    return request.account


def test_the_sign_in_page_shows_a_form(client):
    assert b'name="password"' in client.get("/login").content


@pytest.mark.parametrize(
    ("next_page", "to"),
    [
        ("", "/"),
        ("/campaigns?page=2", "/campaigns?page=2"),
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/\\evil.example", "/"),
        ("\x01//evil.example", "/"),
    ],
)
def test_signing_in_goes_on_within_this_site_only(client, member, next_page, to):
    answer = sign_in(client, next=next_page)

    assert (answer.status_code, answer["Location"]) == (302, to)
    assert working_in(client) == member.account


@pytest.mark.parametrize(
    ("fields", "status"), [({"password": "no"}, 200), ({"email": ""}, 400), ({"email": "\0"}, 400)]
)
def test_a_wrong_pair_shows_the_form_again(client, member, fields, status):
    answer = client.post("/login", {"email": "ada@example.test", "password": "x", "next": "//evil.example", **fields})

    assert (answer.status_code, answer.context["error"], answer.context["next"]) == (status, True, "")
    assert working_in(client) is None


def test_a_hundred_wrong_passwords_end_in_429(client, member):
    statuses = [sign_in(client, "no").status_code for _ in range(22)]

    assert statuses == [200] * 20 + [429] * 2
    assert sign_in(client)["Retry-After"].isdigit()


def test_operators_sign_in_under_the_same_limit(client, settings):
    settings.SIGN_IN_TRIES_PER_MINUTE = 1
    UserFactory(email="op@example.test", password="correct horse", is_staff=True)
    wrong, right = ({"username": "op@example.test", "password": word} for word in ("no", "correct horse"))

    assert [client.post("/admin/login/", data).status_code for data in (wrong, right)] == [200, 429]
    assert client.get("/admin/login/").status_code == 200


def test_a_form_with_too_many_fields_is_400(client):
    assert client.post("/login", {f"f{n}": "x" for n in range(5000)}).status_code == 400


def test_a_form_without_its_token_is_403(member):
    assert sign_in(Client(enforce_csrf_checks=True)).status_code == 403


def test_signing_out_ends_the_session(client, member):
    sign_in(client)

    assert client.get("/logout").status_code == 405
    assert client.post("/logout")["Location"] == "/login"
    assert working_in(client) is None


def test_a_session_works_in_the_oldest_account_until_it_switches(client, member):
    second = MembershipFactory(user=member.user, role=Role.MARKETING)
    sign_in(client)
    assert working_in(client) == member.account

    assert client.post("/switch-account", {"account": second.account.uuid})["Location"] == "/"
    assert working_in(client) == second.account

    second.delete()
    assert working_in(client) == member.account
    in_state(member.account, "closed")
    assert working_in(client) is None


@pytest.mark.parametrize("which", ["another", "garbage", ""])
def test_nobody_switches_to_an_account_that_is_not_theirs(client, member, which):
    sign_in(client)
    account = MembershipFactory().account.uuid if which == "another" else which

    assert client.post("/switch-account", {"account": account}).status_code == 404


def test_a_session_opens_no_door_of_the_api(client, member):
    sign_in(client)

    answer = client.get("/api/v1/jobs/job_x")

    assert (answer.status_code, answer.wsgi_request.account) == (401, None)


@pytest.mark.parametrize(("address", "kind"), [("/api/nothing", "application/json"), ("/nothing", "text/html")])
def test_an_error_is_json_at_the_api_and_a_page_elsewhere(client, address, kind):
    answer = client.get(address)

    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (404, kind)


def broken(request):
    raise ZeroDivisionError


def forbidden(request):
    from django.core.exceptions import PermissionDenied

    raise PermissionDenied


class Errors:
    urlpatterns = [path(f"{base}{view.__name__}", view) for base in ("", "api/") for view in (broken, forbidden)]
    handler400 = "campaigns_project.api.errors.bad_request"
    handler403 = "campaigns_project.api.errors.permission_denied"
    handler500 = "campaigns_project.api.errors.server_error"


@pytest.mark.parametrize("base", ["/", "/api/"])
@pytest.mark.parametrize(
    ("view", "host", "status", "code"),
    [
        ("broken", "localhost", 500, "INTERNAL_SERVER_ERROR"),
        ("forbidden", "localhost", 403, "FORBIDDEN"),
        ("broken", "evil.example", 400, "VALIDATION_ERROR"),
    ],
)
def test_djangos_own_errors_speak_the_same_language(settings, base, view, host, status, code):
    settings.ROOT_URLCONF = Errors
    answer = Client(raise_request_exception=False).get(f"{base}{view}", headers={"host": host})

    assert answer.status_code == status
    if base == "/api/":
        assert answer.json()["code"] == code
    else:
        assert answer["Content-Type"].startswith("text/html")


ADMIN = ["account", "user", "connection", "approval", "campaigns_project/auditentry", "campaigns_project/job"]


@pytest.mark.parametrize("model", ADMIN)
def test_an_operator_looks_at_everything_and_at_no_secret(admin_client, model):
    address = f"/admin/{model if '/' in model else f'accounts/{model}'}/"
    connection = ConnectionFactory()
    AuditEntry.objects.create(account=connection.account, action="x")
    Job.objects.create(account=connection.account, kind="x")

    page = admin_client.get(address)

    assert page.status_code == 200
    shown = page.context["cl"].queryset.first()
    if shown is not None:
        change = admin_client.get(f"{address}{shown.pk}/change/")
        assert change.status_code == 200
        assert bytes(connection.sealed).decode() not in change.content.decode()
        assert connection.secret["auth_token"] not in change.content.decode()


@pytest.mark.parametrize("model", ["accounts/connection", "accounts/approval", *ADMIN[4:]])
@pytest.mark.parametrize("verb", ["add", "1/delete"])
def test_trails_and_credentials_are_read_only_in_the_admin(admin_client, model, verb):
    ConnectionFactory(pk=1)

    assert admin_client.get(f"/admin/{model}/{verb}/").status_code in {403, 302}


def test_an_operator_adds_a_person_by_e_mail(admin_client):
    data = {"email": "new@example.test", "usable_password": "true"}
    data |= {"password1": "correct horse", "password2": "correct horse"}
    data |= {f"memberships-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}

    assert admin_client.post("/admin/accounts/user/add/", data).status_code == 302
