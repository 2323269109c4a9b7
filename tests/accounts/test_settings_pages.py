import re

import pytest

from accounts import onboarding
from accounts.models import Account, Connection
from accounts.roles import Role
from campaigns.models import Campaign
from tests.factories import ConnectionFactory, MembershipFactory

pytestmark = pytest.mark.django_db
URL = "/settings/whatsapp"
SAID = {
    "account_sid": "ACfake" + "0" * 28,
    "auth_token": "sandbox-fake-token",
    "sender": "+14155238886",
    "sms_sender": "Corner Deli",
    "rate_per_second": "40",
}


@pytest.fixture
def admin(client):
    membership = MembershipFactory(role=Role.TENANT_ADMIN)
    client.force_login(membership.user)
    return membership


def test_connecting_keeps_the_secret_sealed_and_shows_it_never_again(client, admin):
    answer = client.post(URL, SAID)
    connection = Connection.objects.get()

    assert (answer.status_code, connection.account, connection.rate_per_second) == (303, admin.account, 40)
    assert (connection.secret, connection.sms_sender) == ({"auth_token": "sandbox-fake-token"}, "Corner Deli")
    assert b"sandbox-fake-token" not in client.get(URL).content + bytes(connection.sealed)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account_sid", "SK1"),
        ("sender", "14155238886"),
        ("auth_token", ""),
        ("rate_per_second", "0"),
        ("sms_sender", "12"),
    ],
)
def test_what_cannot_be_credentials_is_refused_beside_its_field(client, admin, field, value):
    answer = client.post(URL, SAID | {field: value})

    assert (answer.status_code, Connection.objects.count()) == (400, 0)
    assert f'id="id_{field}_error"'.encode() in answer.content


def test_credentials_of_another_account_are_refused(client, admin):
    ConnectionFactory(sender=SAID["sender"])

    answer = client.post(URL, SAID)

    assert (answer.status_code, Connection.objects.for_account(admin.account).count()) == (409, 0)


def test_a_refused_connection_says_so(client, admin):
    ConnectionFactory(account=admin.account, refused_at=admin.created_at)

    assert b"Twilio refused these credentials" in client.get(URL).content


@pytest.mark.parametrize("role", [Role.MARKETING, Role.MARKETING_MANAGER, Role.RESTAURANT_MANAGER, Role.MANAGER])
def test_only_those_who_keep_the_settings_may_look(client, role):
    client.force_login(MembershipFactory(role=role).user)

    assert (client.get(URL).status_code, client.post(URL, SAID).status_code) == (403, 403)


def test_a_new_account_has_the_built_in_templates():
    account = onboarding.open_account(name="Corner Bakery")

    assert Campaign.objects.for_account(account).count() == 23


def test_an_account_made_by_an_operator_has_them_too(admin_client):
    url = "/admin/accounts/account/add/"
    counters = re.findall(r'name="([^"]*-(?:TOTAL|INITIAL)_FORMS)"', admin_client.get(url).content.decode())

    answer = admin_client.post(
        url, {"name": "Corner Bakery", "time_zone": "UTC", "currency": "USD"} | dict.fromkeys(counters, "0")
    )

    assert answer.status_code == 302, answer.context["errors"]
    assert Campaign.objects.for_account(Account.objects.get()).count() == 5
