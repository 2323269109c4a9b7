import pytest
from django.db import connection as database

from accounts.connections import ConnectionTaken, connect
from accounts.models import Connection
from campaigns_project.models import AuditEntry
from tests.factories import AccountFactory, UserFactory

pytestmark = pytest.mark.django_db


def keep(account, token="one", sender="+14155550100", **options):
    secret = {"auth_token": token}
    return connect(account, "twilio", external_id="ACfake1", sender=sender, secret=secret, **options)


def test_credentials_are_kept_sealed_and_replaced_with_a_trail():
    account, by = AccountFactory(), UserFactory()
    first = keep(account, by=by)
    Connection.objects.update(refused_at="2026-01-01T00:00:00Z")

    second = keep(account, "two", by=by, rate_per_second=5)

    assert (second.pk, second.refused_at, second.rate_per_second) == (first.pk, None, 5)
    assert Connection.objects.get().secret == {"auth_token": "two"}
    assert list(AuditEntry.objects.values_list("action", "actor").order_by("id")) == [
        ("connect", by.pk),
        ("replace_connection", by.pk),
    ]
    with database.cursor() as cursor:
        cursor.execute("SELECT position('two'::bytea IN sealed) FROM accounts_connection")
        assert cursor.fetchone() == (0,)


def test_two_accounts_do_not_share_credentials():
    keep(AccountFactory(), by=None)

    with pytest.raises(ConnectionTaken):
        keep(AccountFactory(), by=None)


def test_two_accounts_do_not_send_sms_from_one_number():
    keep(AccountFactory(), by=None, sms_sender="+14155550100")
    taken = {"external_id": "ACfake2", "sender": "+14155550199", "secret": {}, "by": None}

    with pytest.raises(ConnectionTaken):
        connect(AccountFactory(), "twilio", sms_sender="+14155550100", **taken)


def test_an_account_has_one_connection_for_mail():
    account = AccountFactory()
    first = connect(account, "sendgrid", external_id="SG.1", sender="a@example.com", secret={}, by=None)
    keep(account, by=None)

    second = connect(account, "smtp", external_id="a@example.com", sender="a@example.com", secret={}, by=None)

    assert (second.pk, Connection.objects.for_account(account).count()) == (first.pk, 2)
