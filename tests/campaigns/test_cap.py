"""One marketing message a person in 24 hours, over all channels: a broadcast waits for who has had theirs."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from campaigns import broadcasting
from campaigns.models import Broadcast, CampaignLeadMessage, MessageAttempt
from crm.models import DeliveryAttempt
from dispatch.lane import lane
from dispatch.statements import statements
from tests.crm.sending import Sent, connect_twilio
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


@pytest.mark.parametrize("other", ["whatsapp", "sms", "email"])
def test_of_senders_that_ask_at_one_moment_exactly_one_writes_to_each_person(other):
    theirs = Sent(100, channel="email" if other == "email" else "sms")
    connect_twilio(theirs.account)
    ConnectionFactory(account=theirs.account, provider="sendgrid", sender="shop@example.test")
    people = [ConversationUserFactory(account=theirs.account, phone=each.phone) for each in theirs.customers]
    messages = broadcast_to(*people)
    name, rows = (other, broadcast_to(*people)) if other == "whatsapp" else (f"crm_{other}", theirs.rows)
    both = Barrier(2)

    def ask(mine, asked_for):
        try:
            connection.ensure_connection()
            for start in range(20):
                both.wait(10)
                asked(mine, asked_for[start::20])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, ("whatsapp", name), (messages, rows)))

    called_here = MessageAttempt.objects.values_list("row__phone", flat=True)
    called_there = DeliveryAttempt.objects.values_list("row__customer__phone", flat=True)
    assert sorted([*called_here, *called_there]) == sorted(each.phone for each in people)


@pytest.mark.parametrize(
    ("kind", "test", "alone"), [("marketing", False, True), ("service", False, False), ("marketing", True, False)]
)
def test_only_marketing_takes_the_locks(anna, kind, test, alone):
    one = broadcast_to(anna, kind=kind)[0].broadcast
    Broadcast.objects.update(test_send=test)

    with connection.cursor() as cursor:
        cursor.execute(statements(lane("whatsapp")).scope_pace, {"scope": one.pk})
        assert cursor.fetchone()[-1] is alone


def test_who_is_being_written_to_by_another_sender_is_asked_again_soon(anna):
    messages = broadcast_to(anna)
    with transaction.atomic(), connection.cursor() as cursor, ThreadPoolExecutor(1) as pool:
        cursor.execute("SELECT pg_advisory_xact_lock(7310007, hashtext(%s))", [f"{anna.account_id}{anna.phone}"])

        assert pool.submit(elsewhere, messages).result() == ["later"]


def elsewhere(messages):
    try:
        return asked("whatsapp", messages)
    finally:
        connections.close_all()


def test_the_page_says_until_when_the_cap_holds_somebody(page, api):
    ConnectionFactory(account=api.account)
    person = ConversationUserFactory(account=api.account)
    called(broadcast_to(person)[0])
    held = broadcast_to(person)[0]

    html = page.get(f"/campaigns/wa_{held.broadcast_id}/people/{held.pk}").content.decode()

    assert "had marketing in the last 24 hours, and gets this after" in html
