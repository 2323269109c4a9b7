"""Two at one moment, over connections of their own: neither misses what the other one writes."""

import threading

import pytest
from django.db import connection, transaction

from campaigns import broadcasting
from campaigns.models import CampaignLeadMessage
from crm import events, tasks
from crm.customers import consent, erasing, people
from crm.models import Customer, Event
from tests.factories import (
    AccountFactory,
    BroadcastFactory,
    CampaignLeadFactory,
    ConnectionFactory,
    ConversationUserFactory,
    CustomerFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+15550000001"


class Meanwhile(threading.Thread):
    """`act` in a transaction on a connection of its own; `at_work` says that it waits for ours or is done."""

    def __init__(self, act):
        super().__init__()
        self.act, self.fault = act, None
        self.start()

    def run(self):
        try:
            self.act()
        except Exception as fault:  # noqa: BLE001 (told to the test's thread)
            self.fault = fault
        finally:
            connection.close()

    def waits(self):
        self.join(0.5)
        return self.is_alive()

    def done(self):
        self.join(20)
        assert not self.is_alive()
        assert self.fault is None, self.fault


def happened(account):
    events.record(account, type="order.completed", event_id="e", phone=PHONE, value_minor=500)


def test_an_event_waits_for_its_customer_who_is_just_written():
    account = AccountFactory()
    with transaction.atomic():
        people.create(account, {"phone": PHONE})
        event = Meanwhile(lambda: happened(account))
        assert event.waits()
    event.done()

    assert Event.objects.get().customer == Customer.objects.get()
    assert Customer.objects.get().order_count == 1


def test_a_customer_waits_for_their_event_that_is_just_written():
    account = AccountFactory()
    with transaction.atomic():
        happened(account)
        customer = Meanwhile(lambda: people.create(account, {"phone": PHONE}))
        assert customer.waits()
    customer.done()

    assert Event.objects.get().customer == Customer.objects.get()


def test_events_and_customers_of_others_wait_for_nobody():
    account, other = AccountFactory(), AccountFactory()
    with transaction.atomic():
        people.create(account, {"phone": PHONE})
        Meanwhile(lambda: happened(other)).done()


def test_a_first_grant_in_the_moment_its_customer_is_written_counts_by_the_clocks_next_turn():
    account = AccountFactory()
    with transaction.atomic():
        customer = CustomerFactory(account=account, email="anna@example.test")
        Meanwhile(lambda: consent.grant(account, channel="email", address=customer.email, source="form")).done()
    customer.refresh_from_db()
    assert customer.email_opt_in is False  # neither saw the other

    tasks.refresh_segments()
    customer.refresh_from_db()
    assert customer.email_opt_in is True


@pytest.mark.parametrize("first", ["start", "erasure"])
def test_a_broadcast_that_starts_during_an_erasure_copies_nothing_of_the_person(first):
    customer = CustomerFactory(phone=PHONE)
    ConnectionFactory(account=customer.account)
    broadcast = BroadcastFactory(account=customer.account)
    person = ConversationUserFactory(account=customer.account, phone=PHONE, customer=customer)
    CampaignLeadFactory(campaign=broadcast.campaign, conversation_user=person)
    CampaignLeadFactory(campaign=broadcast.campaign)
    acts = [lambda: broadcasting.start(broadcast, by=None), lambda: erasing.erase(customer, by=None)]
    if first == "erasure":
        acts.reverse()

    with transaction.atomic():
        acts[0]()
        later = Meanwhile(acts[1])
        assert later.waits()
    later.done()
    theirs = CampaignLeadMessage.objects.filter(conversation_user=person)
    assert set(theirs.values_list("phone", "status")) <= {("", "skipped")}
    assert CampaignLeadMessage.objects.filter(status="queued").count() == 1
    assert Customer.objects.get().erased_at
