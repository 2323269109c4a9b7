"""SMS of marketing campaigns: each person once, and nobody who may not be written to right now."""

import asyncio
import time
from datetime import timedelta
from uuid import uuid4

import pytest
import requests
from django.db import connection
from django.utils import timezone

from accounts.connections import connect
from accounts.models import Connection
from accounts.secrets import seal
from crm.customers import consent, subscriptions
from crm.marketing import delivering, links
from crm.models import Delivery, Event, FirstTouch
from dispatch import resolving
from dispatch.lane import Call, lane
from dispatch.statements import statements
from providers.base import Refused
from tests.crm.sending import Sent, connect_twilio, verdicts
from tests.dispatch.conftest import send_until
from tests.factories import (
    AccountFactory,
    DeliveryAttemptFactory,
    UserFactory,
    in_state,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_everybody_gets_their_own_words_once(sent, twilio):
    one = sent(20, content={"body": "Hi {{first_name}}!", "cta_url": "https://shop.example.com/"})

    send_until(lambda: one.statuses() == [("sent", "")] * 20)

    said = {each["to"]: each["body"] for each in twilio.log()}
    link = {row.customer_id: links.tracker(row.pk, one.campaign.content, "sms") for row in one.rows}
    assert said == {
        c.phone: f"Hi {c.first_name}!\n{link[c.pk]('https://shop.example.com/')}\nReply STOP to opt out."
        for c in one.customers
    }
    told = Event.objects.filter(type="sms.sent").values_list("customer_id", "properties__campaign_id").order_by("id")
    assert sorted(told) == [(c.pk, one.campaign.public_id) for c in one.customers]
    # The first that happened to them, for funnels too.
    first = FirstTouch.objects.values_list("customer", "person", "stage").order_by("customer")
    assert list(first) == [(c.pk, str(c.pk), "awareness") for c in one.customers]


def test_a_lost_answer_is_found_in_the_list_and_not_sent_again(sent, twilio):
    twilio.settings(lose_response=1.0)
    one = sent(4)

    send_until(lambda: one.statuses() == [("sent", "")] * 4)

    assert (len(twilio.log()), one.attempts()) == (4, ["accepted"] * 4)


# E-mail.


@pytest.fixture
def mailed(mail):
    def start(people, **fields):
        account = AccountFactory(name="Harbor & Co")
        connect(account, "sendgrid", external_id=f"key{account.pk}", sender=f"shop{account.pk}@example.com",
                secret={"api_key": "SG.fake-key"}, by=None, rate_per_second=0)  # fmt: skip
        return Sent(people, account=account, channel="email", **fields)

    return start


def test_everybody_gets_their_email_once(mailed, mail):
    one = mailed(12, content={"subject": "Hi {{first_name}}", "body": "Open again."})

    send_until(lambda: one.statuses() == [("sent", "")] * 12, provider="email")

    kept = mail.log("sendgrid")
    assert {each["to"]: each["subject"] for each in kept} == {c.email: f"Hi {c.first_name}" for c in one.customers}
    assert len(kept) == 12
    assert "Harbor &amp; Co" in kept[0]["html"]


def test_an_unknown_email_is_shown_and_never_sent_again_by_itself(mailed, mail, settings):
    mail.settings(provider="sendgrid", lose_response=1.0, callback_loss=1.0)
    one = mailed(3)

    send_until(lambda: one.attempts() == ["unknown"] * 3, provider="email")
    mail.settings(provider="sendgrid", lose_response=0.0, callback_loss=1.0)
    waited = time.monotonic() + 3
    send_until(lambda: time.monotonic() > waited, provider="email")

    assert (len(mail.log("sendgrid")), one.attempts()) == (3, ["unknown"] * 3)
    assert one.statuses() == [("sending", "")] * 3
    assert all(row.is_unknown for row in Delivery.objects.of(one.campaign).with_outcome())


def test_what_an_operator_found_out_settles_an_unknown_email(mailed, mail):
    one = mailed(2)
    by = UserFactory()
    first, second = (
        DeliveryAttemptFactory(row=in_state(row, "sending"), called_at=timezone.now() - timedelta(minutes=5))
        for row in one.rows
    )

    resolving.accepted(first, "SG123456", by=by, reason="seen in their log")
    resolving.not_sent(second, by=by, reason="not in their log")

    assert one.statuses() == [("sent", ""), ("queued", "")]
    send_until(lambda: one.statuses() == [("sent", "")] * 2, provider="email")
    assert len(mail.log("sendgrid")) == 1


def test_a_refusal_of_the_credentials_pauses_the_campaign(mailed, mail):
    one = mailed(5)
    Connection.objects.for_account(one.account).update(sealed=seal({"api_key": "wrong"}))

    def paused():
        one.campaign.refresh_from_db()
        return one.campaign.status == "paused"

    send_until(paused, provider="email")

    assert Connection.objects.get(account=one.account).refused_at is not None
    assert mail.log("sendgrid") == []


@pytest.mark.parametrize("effect", ["opt_out", "suppress"])
def test_who_is_refused_by_the_provider_for_themselves_is_suppressed(sent, effect):
    one = sent(1)

    delivering.react(effect, one.rows[0].pk, "21610")

    assert consent.is_suppressed(one.account, channel="sms", address=one.customers[0].phone)
    assert verdicts(one) == ["skip:suppressed"]


# Push.


def subscribe(push, customer):
    """A browser of the customer's; returns its id at the sandbox."""
    said = requests.post(f"{push.url}/_sandbox/browsers", timeout=5).json()
    keys = said["keys"]
    subscriptions.subscribe(customer, endpoint=said["endpoint"], p256dh=keys["p256dh"], auth=keys["auth"])
    return said["endpoint"].rpartition("/")[2]


def test_a_push_goes_to_the_newest_browser_and_to_the_one_before_when_that_is_gone(push):
    one = Sent(2, channel="push", content={"subject": "Sale", "body": "Hi {{first_name}}", "cta_url": "https://e.com/"})
    for customer in one.customers:
        subscribe(push, customer)
    lost = subscribe(push, one.customers[1])
    requests.delete(f"{push.url}/_sandbox/browsers/{lost}", timeout=5)

    send_until(lambda: one.statuses() == [("delivered", "")] * 2, provider="push")

    assert one.attempts() in (["accepted", "rejected", "accepted"], ["rejected", "accepted", "accepted"])
    said = sorted(each["said"]["body"] for each in push.log("push"))
    assert said == sorted(f"Hi {customer.first_name}" for customer in one.customers)
    assert all(row.delivered_at for row in Delivery.objects.all())


def test_who_has_no_browser_any_more_is_left_out(push):
    one = Sent(1, channel="push")

    send_until(lambda: one.statuses() == [("skipped", "no_address")], provider="push")

    assert push.log("push") == []


@pytest.mark.parametrize(("name", "asked"), [("crm_sms", "sms"), ("crm_email", "email"), ("crm_push", "push")])
def test_a_lane_asks_about_its_own_channel_only(name, asked):
    account = AccountFactory()
    connect_twilio(account)
    for channel in ("sms", "email", "push"):
        row = in_state(Sent(1, channel=channel, account=account).rows[0], "sending")
        DeliveryAttemptFactory(row=row, state="unknown")

    with connection.cursor() as cursor:
        cursor.execute(statements(lane(name)).ask, {"n": 20, "quiet": 1.0, "again": 1.0})
        rows = [row_id for _, _, row_id, *_ in cursor.fetchall()]

    assert list(Delivery.objects.filter(pk__in=rows).values_list("channel", flat=True)) == [asked]


@pytest.mark.parametrize("made", ["mail_lane", "text_lane", "push_lane"])
def test_without_words_or_credentials_nothing_leaves_and_the_call_may_be_made_again(sandbox, made):
    made = getattr(delivering, made)()
    call = Call(1, uuid4(), 1, {"connection": 0, "campaign": 0, "browser": {}, "values": {}, "delivery": 1, "to": "x"})

    async def make():
        try:
            return await made.call(call)
        finally:
            await made.close()

    outcome = asyncio.run(make())

    assert (type(outcome), outcome.retry) == (Refused, True)
