"""The ledger, its short answer, and the SQL that gates ask."""

import pytest
from django.db import connection

from crm.customers import consent
from crm.models import ConsentEntry, Customer, Event, Suppression
from tests.factories import AccountFactory, CustomerFactory

pytestmark = pytest.mark.django_db
ANNA = {"channel": "whatsapp", "address": "+15550000001", "source": "inbound"}


def suppressed(account):
    asked = {"channel": ANNA["channel"], "address": ANNA["address"]}
    condition = consent.suppressed_sql("%s", "%s", "whatsapp")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {condition}", [account.pk, consent.phone_hash(account.pk, ANNA["address"])])
        by_sql = cursor.fetchone()[0]
    assert by_sql == consent.is_suppressed(account, **asked)
    return by_sql


def acts(account):
    return list(ConsentEntry.objects.for_account(account).order_by("id").values_list("act", flat=True))


def test_a_person_who_withdraws_is_not_written_to_until_they_allow_it_again():
    account = AccountFactory()
    assert not suppressed(account)

    consent.withdraw(account, **ANNA, proof={"body": "STOP"}, customer=CustomerFactory(account=account))
    assert suppressed(account)

    consent.grant(account, **ANNA)
    assert not suppressed(account)
    assert acts(account) == ["withdrawn", "granted"]


def test_withdrawing_twice_is_two_entries_and_one_suppression():
    account = AccountFactory()

    for _ in range(2):
        consent.withdraw(account, **ANNA)

    assert acts(account) == ["withdrawn", "withdrawn"]
    assert Suppression.objects.for_account(account).count() == 1


def test_one_account_does_not_silence_another():
    mine, other = AccountFactory.create_batch(2)

    consent.withdraw(mine, **ANNA)

    assert not suppressed(other)
    assert consent.phone_hash(mine.pk, ANNA["address"]) != consent.phone_hash(other.pk, ANNA["address"])


@pytest.mark.parametrize("channel, alike", [("email", True), ("sms", False)])
def test_only_email_addresses_hash_alike_in_any_case(channel, alike):
    one, other = (consent.address_hash(1, channel, each) for each in (" Anna@Example.test", "anna@example.test "))

    assert (one == other) is alike


def test_a_suppression_keeps_no_address():
    account = AccountFactory()

    consent.withdraw(account, **ANNA)

    kept = Suppression.objects.for_account(account).values().get()
    assert not any(ANNA["address"][2:] in str(value) for value in kept.values())


def test_a_suppression_can_be_lifted_by_somebody_who_sees_its_hash_only():
    account = AccountFactory()
    consent.withdraw(account, **ANNA)

    consent.lift(Suppression.objects.for_account(account).get(), source="operator", proof={"reason": "asked by phone"})

    assert (suppressed(account), acts(account)) == (False, ["withdrawn", "granted"])


@pytest.mark.parametrize(
    "row, name",
    [
        (ConsentEntry(channel="sms", act="granted"), "sms granted"),
        (Suppression(channel="sms", reason="opted_out"), "sms opted_out"),
        (Event(type="page.viewed", event_id="e-1"), "page.viewed e-1"),
        (Customer(first_name="Anna", email="a@example.test"), "Anna"),
        (Customer(email="a@example.test", phone="+15550000001"), "a@example.test"),
        (Customer(phone="+15550000001"), "+15550000001"),
        (Customer(public_id="cust_1"), "cust_1"),
    ],
)
def test_rows_are_called_by_what_a_person_knows_of_them(row, name):
    assert str(row) == name
