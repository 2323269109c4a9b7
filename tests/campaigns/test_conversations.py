import itertools
import uuid
from urllib.parse import urlencode

import pytest

from campaigns import conversations
from campaigns.models import CampaignLeadMessage, Message, MessageAttempt
from crm.customers import consent
from crm.models import ConsentEntry, Event, FirstTouch, Suppression
from dispatch import inbox
from dispatch.models import InboxEntry
from tests.factories import (
    AccountFactory,
    CampaignLeadMessageFactory,
    ConnectionFactory,
    ConversationUserFactory,
    CustomerFactory,
)

pytestmark = pytest.mark.django_db
SID = "SM" + "1" * 32


@pytest.fixture
def message():
    return CampaignLeadMessageFactory(status="sending")


@pytest.fixture
def attempt(message):
    return MessageAttempt.objects.create(
        account=message.account, row=message, sender="+1", address=message.phone, owner=0, state="unknown"
    )


def entry(account, kind, form, **context):
    inbox.store(
        account_id=account.pk,
        provider="twilio",
        kind=kind,
        connection_id=None,
        dedupe_key=uuid.uuid4().hex,
        body=urlencode(form).encode(),
        headers={},
        context=context,
    )
    return InboxEntry.objects.latest("id")


def tells(attempt, *statuses, code="", account=None):
    form = {"MessageSid": SID, "AccountSid": "AC", "To": "whatsapp:+1", "ErrorCode": code}
    return [
        entry(account or attempt.account, "status", form | {"MessageStatus": status}, attempt=str(attempt.uuid))
        for status in statuses
    ]


def told(attempt, *statuses, **more):
    changed = conversations.apply_statuses(tells(attempt, *statuses, **more))
    row = CampaignLeadMessage.objects.get(pk=attempt.row_id)
    attempt.refresh_from_db()
    return row, changed


def test_a_callback_settles_an_unknown_attempt_and_moves_the_row(attempt):
    row, changed = told(attempt, "delivered")

    assert (row.status, row.provider_id, changed) == ("delivered", SID, [True])
    assert (attempt.state, attempt.provider_id) == ("accepted", SID)


@pytest.mark.parametrize("order", list(itertools.permutations(["sent", "delivered", "read", "delivered"]))[::4])
def test_the_furthest_status_wins_in_any_order(attempt, order):
    assert told(attempt, *order)[0].status == "read"


@pytest.mark.parametrize(("first", "second"), [("read", "delivered"), ("delivered", "sent"), ("delivered", "failed")])
def test_a_late_status_changes_nothing(attempt, first, second):
    told(attempt, first)

    row, changed = told(attempt, second)

    assert (row.status, changed) == (first, [False])


def test_a_status_that_says_nothing_about_the_person_only_settles_the_attempt(attempt):
    row, _ = told(attempt, "queued")

    assert (row.status, attempt.state) == ("sending", "accepted")


def test_a_failure_keeps_the_providers_code(attempt):
    row, _ = told(attempt, "undelivered", code="63024")

    assert (row.status, row.error_code) == ("undelivered", "63024")
    assert Suppression.objects.count() == 1


def test_a_status_is_written_into_the_stream_once(attempt):
    told(attempt, "delivered")
    told(attempt, "delivered")

    assert list(Event.objects.values_list("type", "phone")) == [("message.delivered", attempt.address)]
    # The first that happened to them, for funnels too.
    assert [touch.stage for touch in FirstTouch.objects.all()] == ["awareness"]


def test_a_callback_of_another_account_moves_nothing(attempt):
    row, changed = told(attempt, "delivered", account=AccountFactory())

    assert (row.status, attempt.state, changed) == ("sending", "unknown", [False])


def test_what_is_queued_is_not_taken_out_of_the_queue_by_a_callback():
    row = CampaignLeadMessageFactory()
    attempt = MessageAttempt.objects.create(
        account=row.account, row=row, sender="+1", address=row.phone, owner=0, state="released"
    )

    assert told(attempt, "failed")[0].status == "queued"


def test_a_body_that_is_no_status_has_no_effect(attempt):
    stored = entry(attempt.account, "status", {"x": "y"}, attempt=str(attempt.uuid))

    assert conversations.apply_statuses([stored]) == [False]


def writes(account, body, sid=SID, sender="+15550001111", **more):
    form = {"MessageSid": sid, "From": f"whatsapp:{sender}", "To": "whatsapp:+1", "Body": body} | more
    return entry(account, "inbound", form)


def test_an_inbound_message_is_kept_once_and_linked_to_its_person():
    customer = CustomerFactory(phone="+15550001111")
    stored = writes(customer.account, "Hello", ProfileName="Ann", ButtonPayload="yes_please")

    first, again = conversations.receive_all([stored, stored])
    message = Message.objects.select_related("conversation_user").get()

    assert (first, again, message.body, message.content) == (True, False, "Hello", {"button": "yes_please"})
    assert (message.conversation_user.name, message.conversation_user.customer) == ("Ann", customer)
    assert message.conversation_user.last_inbound_at is not None


def test_an_answer_counts_for_the_last_message_once(message):
    for sid in (SID, "SM" + "2" * 32):
        conversations.receive(writes(message.account, "Thanks", sid=sid, sender=message.phone))
    first = CampaignLeadMessage.objects.get(pk=message.pk).replied_at
    conversations.receive(writes(message.account, "Again", sid="SM" + "3" * 32, sender=message.phone))

    assert first is not None
    assert CampaignLeadMessage.objects.get(pk=message.pk).replied_at == first


@pytest.mark.parametrize(("body", "more"), [("STOP", {}), (" stop. ", {}), ("bye", {"OptOutType": "STOP"})])
def test_stop_suppresses_and_start_allows_again(body, more):
    person = ConversationUserFactory(phone="+15550001111")

    conversations.receive(writes(person.account, body, **more))
    stopped = consent.is_suppressed(person.account, channel="whatsapp", address=person.phone)
    conversations.receive(writes(person.account, "START", sid="SM" + "2" * 32))

    assert stopped
    assert not consent.is_suppressed(person.account, channel="whatsapp", address=person.phone)
    assert list(ConsentEntry.objects.order_by("id").values_list("act", "source")) == [
        ("withdrawn", "inbound"),
        ("granted", "inbound"),
    ]


def test_help_changes_no_consent():
    conversations.receive(writes(ConnectionFactory().account, "HELP"))

    assert not ConsentEntry.objects.exists()
