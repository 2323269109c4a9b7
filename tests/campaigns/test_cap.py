"""One marketing message a person in 24 hours, over all channels: a broadcast waits for who has had theirs."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection, connections
from django.utils import timezone

from campaigns import broadcasting
from campaigns.models import Broadcast, CampaignLeadMessage, MessageAttempt
from crm.models import DeliveryAttempt
from tests.crm.sending import Sent, verdicts
from tests.factories import (
    BroadcastFactory,
    CampaignFactory,
    CampaignLeadFactory,
    ConnectionFactory,
    ConversationUserFactory,
    CustomerFactory,
    DeliveryAttemptFactory,
    DeliveryFactory,
    MarketingCampaignFactory,
    MessageAttemptFactory,
    in_state,
)
from tests.gate import asked

pytestmark = pytest.mark.django_db(transaction=True)


def broadcast_to(*people, kind="marketing", **fields):
    """The messages of a broadcast that has started."""
    campaign = CampaignFactory(account=people[0].account, status="approved", campaign_type=kind)
    for person in people:
        CampaignLeadFactory(campaign=campaign, conversation_user=person)
    one = BroadcastFactory(campaign=campaign, **fields)
    broadcasting.start(one, by=None)
    return list(CampaignLeadMessage.objects.of(one).order_by("id"))


@pytest.fixture
def anna():
    person = ConversationUserFactory()
    ConnectionFactory(account=person.account)
    return person


def called(message, *, hours=1, state="accepted"):
    at = timezone.now() - timedelta(hours=hours)
    return MessageAttemptFactory(row=in_state(message, "sending"), state=state, address=message.phone, called_at=at)


@pytest.mark.parametrize(
    ("earlier", "hours", "state", "verdict"),
    [
        ("marketing", 23, "accepted", "later"),
        ("marketing", 25, "accepted", "opened"),
        ("marketing", 1, "unknown", "later"),
        ("marketing", 1, "rejected", "opened"),
        ("service", 1, "accepted", "opened"),
    ],
)
def test_who_had_marketing_in_a_day_waits_until_it_is_over(anna, earlier, hours, state, verdict):
    called(broadcast_to(anna, kind=earlier)[0], hours=hours, state=state)

    said = asked("whatsapp", broadcast_to(anna))[0]

    assert said.partition(":")[0] == verdict
    if verdict == "later":
        assert abs(int(said.partition(":")[2]) - (24 - hours) * 3600) < 60


@pytest.mark.parametrize(
    ("fields", "verdict"), [({"kind": "service"}, "opened"), ({"force": True}, "later"), ({}, "later")]
)
def test_force_repeats_a_message_and_keeps_the_cap(anna, fields, verdict):
    called(broadcast_to(anna)[0])

    assert asked("whatsapp", broadcast_to(anna, **fields))[0].partition(":")[0] == verdict


def test_a_test_to_oneself_neither_waits_nor_counts(anna):
    mine = broadcast_to(anna)
    Broadcast.objects.update(test_send=True)
    theirs = broadcast_to(anna)

    assert asked("whatsapp", mine) == ["opened"]
    MessageAttempt.objects.update(state="accepted", called_at=timezone.now() - timedelta(hours=1))
    assert asked("whatsapp", theirs) == ["opened"]


@pytest.mark.parametrize(("kind", "verdict"), [("newsletter", "later"), ("transactional", "opened")])
def test_marketing_by_e_mail_counts_too(anna, kind, verdict):
    customer = CustomerFactory(account=anna.account, phone=anna.phone)
    campaign = MarketingCampaignFactory(account=anna.account, type=kind)
    row = in_state(DeliveryFactory(campaign=campaign, customer=customer), "sending")
    DeliveryAttemptFactory(row=row, state="accepted")

    assert asked("whatsapp", broadcast_to(anna))[0].partition(":")[0] == verdict


def test_two_broadcasts_at_one_moment_write_to_a_person_once(anna):
    assert sorted(asked("whatsapp", broadcast_to(anna) + broadcast_to(anna))) == ["open", "opened"]
    assert MessageAttempt.objects.count() == 1


@pytest.mark.parametrize("other", ["whatsapp", "sms"])
def test_senders_that_ask_at_one_moment_write_to_each_person_once(other):
    texts = Sent(100)
    ConnectionFactory(account=texts.account)
    people = [ConversationUserFactory(account=texts.account, phone=each.phone) for each in texts.customers]
    messages, more = broadcast_to(*people), broadcast_to(*people)
    both = Barrier(2)

    def ask(question):
        try:
            connection.ensure_connection()
            both.wait(10)
            question()
        finally:
            connections.close_all()

    asks = [lambda: asked("whatsapp", messages), lambda: asked("whatsapp", more)]
    if other == "sms":
        asks[1] = lambda: verdicts(texts)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, asks))

    called_here = MessageAttempt.objects.values_list("row__phone", flat=True)
    called_there = DeliveryAttempt.objects.values_list("row__customer__phone", flat=True)
    assert sorted([*called_here, *called_there]) == sorted(each.phone for each in people)
