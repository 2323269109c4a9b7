"""A customer's opt-in columns always say what a recount of the ledger says, whoever wrote customer or ledger."""

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.customers import consent, erasing, people
from crm.models import Channel, ConsentEntry, Customer, Suppression
from crm.models.addressing import address_hash, address_hashes
from tests.factories import AccountFactory, CustomerFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
EMAIL, PHONE = "Anna@example.test", "+15550000001"
OPT_INS = {channel: f"{channel}_opt_in" for channel in ("email", "sms", "push", "whatsapp")}
IN = dict.fromkeys(OPT_INS.values(), True)


@pytest.fixture
def anna(api):
    return CustomerFactory(account=api.account, email=EMAIL, phone=PHONE)


def columns(customer):
    return Customer.objects.filter(pk=customer.pk).values(*OPT_INS.values()).get()


def recounted(customer):
    customer.refresh_from_db()
    if customer.erased_at:
        return dict.fromkeys(OPT_INS.values(), False)
    said = consent.standing(customer.account_id, [customer])[customer.pk]
    return {
        column: said[channel]["marketing"] == "granted" and not said[channel]["suppressed"]
        for channel, column in OPT_INS.items()
    }


def allow(customer, *channels):
    for channel in channels or OPT_INS:
        address = consent.address_of(customer, channel)
        consent.grant(customer.account, channel=channel, address=address, source="test", customer=customer)


def suppress(customer, channel="email", **more):
    """As a provider's webhook does it: rows by SQL, of which only the hash says whose they are."""
    hashed = address_hash(customer.account_id, channel, consent.address_of(customer, channel))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO crm_suppression (account_id, channel, address_hash, reason, source) "
            "VALUES (%s, %s, %s, 'bounced', 'sendgrid')",
            [customer.account_id, channel, hashed],
        )


def said(api, customer, channel, granted):
    body = {"channel": channel, "granted": granted, "source": "form"}
    return api.put(f"/api/v1/customers/{customer.public_id}/consent", json=body)


@pytest.mark.parametrize("channel", OPT_INS)
def test_consent_told_through_the_api_shows_at_once(api, anna, channel):
    assert said(api, anna, channel, True).status_code == 200
    assert columns(anna) == recounted(anna) == dict.fromkeys(OPT_INS.values(), False) | {OPT_INS[channel]: True}

    assert said(api, anna, channel, False).status_code == 200
    assert columns(anna) == recounted(anna) == dict.fromkeys(OPT_INS.values(), False)


def test_a_stop_by_webhook_counts_at_once(anna):
    allow(anna)

    consent.withdraw(anna.account, channel="whatsapp", address=PHONE, source="inbound", proof={"body": "STOP"})

    assert columns(anna) == recounted(anna) == IN | {"whatsapp_opt_in": False}


@pytest.mark.parametrize("channel", OPT_INS)
def test_a_suppression_by_sql_counts_and_so_does_lifting_it(anna, channel):
    allow(anna)
    suppress(anna, channel)
    assert columns(anna) == recounted(anna) == IN | {OPT_INS[channel]: False}

    consent.lift(Suppression.objects.get(), source="operator", proof={})

    assert columns(anna) == recounted(anna) == IN


def test_a_suppression_that_is_moved_lets_go_of_the_one_and_holds_the_other(anna):
    ben = CustomerFactory(account=anna.account, email="ben@example.test")
    allow(anna, "email")
    allow(ben, "email")
    suppress(anna)

    Suppression.objects.update(address_hash=address_hash(ben.account_id, "email", ben.email))

    assert (columns(anna)["email_opt_in"], columns(ben)["email_opt_in"]) == (True, False)


def test_a_customer_written_after_the_ledgers_word_is_known_by_it():
    who = caller()
    consent.grant(who.account, channel="email", address=EMAIL, source="form")
    consent.grant(who.account, channel="sms", address=PHONE, source="form")
    consent.withdraw(who.account, channel="sms", address=PHONE, source="inbound")

    shown = who.post("/api/v1/customers", json={"email": EMAIL.upper(), "phone": PHONE}).json()

    made = Customer.objects.get(public_id=shown["id"])
    assert columns(made) == recounted(made) == dict.fromkeys(OPT_INS.values(), False) | {"email_opt_in": True}


def test_another_address_has_another_consent(api, anna):
    allow(anna)

    answer = api.patch(f"/api/v1/customers/{anna.public_id}", json={"email": "new@example.test"})

    assert answer.status_code == 200
    assert columns(anna) == recounted(anna) == IN | {"email_opt_in": False}
    people.change(anna, {"email": EMAIL})
    assert columns(anna) == IN


def test_erasure_blanks_hashes_and_opt_ins(anna):
    allow(anna)

    erasing.erase(anna, by=None)

    assert columns(anna) == recounted(anna) == dict.fromkeys(OPT_INS.values(), False)
    assert (anna.email_hash, anna.phone_hash, anna.own_hash) == ("", "", "")
    anna.save()
    assert (anna.email_hash, anna.phone_hash, anna.own_hash) == ("", "", "")


def test_no_statement_can_say_otherwise_than_the_ledger(anna):
    Customer.objects.filter(pk=anna.pk).update(**IN)

    assert columns(anna) == dict.fromkeys(OPT_INS.values(), False)


def test_only_the_word_on_marketing_counts(anna):
    allow(anna)

    consent.withdraw(anna.account, channel="email", address=EMAIL, source="form", purpose="research")

    assert columns(anna) == recounted(anna) == IN


def test_another_accounts_ledger_says_nothing(anna):
    twin = CustomerFactory(email=EMAIL, phone=PHONE)

    allow(anna)

    assert columns(twin) == dict.fromkeys(OPT_INS.values(), False)
    assert twin.email_hash != anna.email_hash


@pytest.mark.parametrize("column", ["email_hash", "phone_hash", "own_hash"])
def test_an_address_without_its_hash_is_refused(anna, column):
    with pytest.raises(IntegrityError, match="customer_addresses_are_hashed"), transaction.atomic():
        Customer.objects.filter(pk=anna.pk).update(**{column: ""})


def test_every_write_says_when_by_the_databases_clock(anna):
    Customer.objects.filter(pk=anna.pk).update(updated_at="2001-01-01T00:00:00Z", first_name="Anna")

    anna.refresh_from_db()
    assert anna.updated_at.year > 2001


def test_a_customer_is_hashed_as_a_copy_would_be(anna):
    hashed = address_hashes(anna.account_id, anna.public_id, EMAIL, PHONE)

    assert {name: getattr(anna, name) for name in Customer.HASHES} == hashed


def _named(who, channel, address):
    customer = Customer.objects.get(account=who)
    people.change(customer, {"email" if channel == "email" else "phone": address})


ACTS = {
    "grant": lambda who, channel, address: consent.grant(who, channel=channel, address=address, source="test"),
    "withdraw": lambda who, channel, address: consent.withdraw(who, channel=channel, address=address, source="test"),
    "bounce": lambda who, channel, address: Suppression.objects.get_or_create(
        account=who, channel=channel, address_hash=address_hash(who.pk, channel, address)
    ),
    "lift": lambda who, channel, address: Suppression.objects.filter(
        channel=channel, address_hash=address_hash(who.pk, channel, address)
    ).delete(),
    "move": lambda who, channel, address: Customer.objects.first().save(),
    "name": _named,
}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(sorted(ACTS)), st.sampled_from(["email", "sms", "whatsapp"]), st.booleans())))
def test_any_order_of_words_and_addresses_ends_as_a_recount(acts):
    with transaction.atomic():
        anna = CustomerFactory(account=AccountFactory(), email=EMAIL, phone=PHONE)
        for act, channel, other in acts:
            mine = EMAIL if channel == "email" else PHONE
            ACTS[act](anna.account, channel, mine.replace("A", "B").replace("1", "2") if other else mine)
            assert columns(anna) == recounted(anna), act
        transaction.set_rollback(True)


def test_mail_has_a_ledger_and_no_column(anna):
    allow(anna, Channel.MAIL)

    assert ConsentEntry.objects.get().channel == "mail"
    assert columns(anna) == dict.fromkeys(OPT_INS.values(), False)
