"""How e-mail leaves, as merchants set it up."""

import pytest

from accounts.models import Connection
from accounts.roles import Role
from providers.base import SendGridKey, SmtpServer
from providers.email import credentials_of
from providers.sandbox.mail.events import PUBLIC_KEY
from tests.factories import ConnectionFactory, MembershipFactory

pytestmark = pytest.mark.django_db
URL = "/settings/email"
SENDGRID = {
    "api_key": "SG.fake-key.not-a-secret",
    "webhook_public_key": PUBLIC_KEY,
    "sender": "hello@example.com",
    "sender_name": "Corner Bakery",
    "rate_per_second": "40",
}
SMTP = {
    "host": "smtp.example.com",
    "port": "587",
    "security": "starttls",
    "username": "shop",
    "password": "fake-password",
    "sender": "hello@example.com",
    "sender_name": "",
    "rate_per_second": "5",
}
WAYS = {"sendgrid": SENDGRID, "smtp": SMTP}


@pytest.fixture
def admin(client):
    membership = MembershipFactory(role=Role.TENANT_ADMIN)
    client.force_login(membership.user)
    return membership


def post(client, through, **changed):
    return client.post(f"{URL}?through={through}", WAYS[through] | changed)


@pytest.mark.parametrize(
    ("through", "credentials"),
    [
        ("sendgrid", SendGridKey("SG.fake-key.not-a-secret")),
        ("smtp", SmtpServer("smtp.example.com", 587, "shop", "fake-password", "starttls")),
    ],
)
def test_connecting_keeps_the_secret_sealed_and_shows_it_never_again(client, admin, through, credentials):
    answer = post(client, through)
    kept = Connection.objects.get()

    assert (answer.status_code, kept.account, kept.provider) == (303, admin.account, through)
    assert credentials_of(kept.provider, kept.secret) == credentials
    page = client.get(URL).content.decode()
    assert "E-mail leaves as hello@example.com" in page
    for secret in ("not-a-secret", "fake-password"):
        assert secret not in page
        assert secret.encode() not in bytes(kept.sealed)


def test_one_way_replaces_the_other(client, admin):
    post(client, "sendgrid")
    post(client, "smtp")

    assert [each.provider for each in Connection.objects.all()] == ["smtp"]
    assert b"smtp.example.com" in client.get(URL).content
    assert b"smtp.example.com" not in client.get(f"{URL}?through=sendgrid").content


@pytest.mark.parametrize(
    ("through", "field", "value"),
    [
        ("sendgrid", "api_key", "SG.x"),
        ("sendgrid", "api_key", ""),
        ("sendgrid", "webhook_public_key", "AAAA"),
        ("sendgrid", "sender", "shop"),
        ("sendgrid", "sender_name", "A\x0bB"),
        ("sendgrid", "rate_per_second", "0"),
        ("smtp", "host", "127.0.0.1"),
        ("smtp", "host", "localhost"),
        ("smtp", "host", "10.0.0.1"),
        ("smtp", "host", "mail.internal"),
        ("smtp", "host", "example.com/x y"),
        ("smtp", "port", "22"),
        ("smtp", "port", "x"),
        ("smtp", "security", "ssl2"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(client, admin, through, field, value):
    answer = post(client, through, **{field: value})

    assert (answer.status_code, Connection.objects.count()) == (400, 0)
    assert f'id="id_{field}_error"'.encode() in answer.content


def test_the_sandboxs_mail_server_is_taken_where_the_settings_name_it(client, admin, settings):
    settings.SMTP_TRUSTED = ["127.0.0.1:8125"]

    assert post(client, "smtp", host="127.0.0.1", port="8125", security="none").status_code == 303


def test_credentials_of_another_account_are_refused(client, admin):
    ConnectionFactory(provider="sendgrid", external_id="SG.fake-key", sender="other@example.com")

    answer = post(client, "sendgrid")

    assert (answer.status_code, Connection.objects.for_account(admin.account).count()) == (409, 0)


def test_a_refused_connection_says_so(client, admin):
    ConnectionFactory(
        account=admin.account, provider="smtp", secret=dict.fromkeys(SMTP, ""), refused_at=admin.created_at
    )

    assert b"Your provider refused these credentials" in client.get(URL).content


@pytest.mark.parametrize("role", [Role.MARKETING, Role.MARKETING_MANAGER, Role.RESTAURANT_MANAGER, Role.MANAGER])
def test_only_those_who_keep_the_settings_may_look(client, role):
    client.force_login(MembershipFactory(role=role).user)

    assert (client.get(URL).status_code, post(client, "smtp").status_code) == (403, 403)
