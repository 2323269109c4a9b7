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
from accounts.models import Account, Connection
from accounts.secrets import seal
from crm import consent, delivering, links, subscriptions
from crm.models import Delivery, DeliveryAttempt, Event, FirstTouch, MarketingCampaign
from dispatch import resolving
from dispatch.lane import Call, lane
from dispatch.statements import statements
from providers.base import Refused
from tests.crm.sending import Sent, connect_twilio, where_it_is
from tests.dispatch.conftest import send_until
from tests.factories import (
    AccountFactory,
    BroadcastFactory,
    CampaignFactory,
    CampaignLeadFactory,
    CampaignLeadMessageFactory,
    ConversationUserFactory,
    DeliveryAttemptFactory,
    MessageAttemptFactory,
    UserFactory,
    in_state,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(twilio):
    def start(people, **fields):
        account = AccountFactory()
        connect_twilio(account)
        return Sent(people, account=account, **fields)

    return start


def verdicts(*campaigns):
    """What the gate says of every row now, in the order of rows; nothing is kept."""
    rows = list(Delivery.objects.filter(campaign__in=[each.campaign for each in campaigns]).order_by("id"))
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO dispatch_owner (provider, pid, host) VALUES ('twilio', 1, 'here') RETURNING id")
        owner = cursor.fetchone()[0]
        keys = [f"00000000-0000-4000-8000-{row.pk:012d}" for row in rows]
        names = {"ids": [row.pk for row in rows], "keys": keys, "owner": owner}
        cursor.execute(statements(lane("crm_sms")).open, names)
        said = cursor.fetchall()
    opened = {row for row, verdict, *_ in said if verdict == "opened"}
    return [
        "opened" if row in opened else verdict.partition(".")[0]
        for row, verdict, *_ in sorted(said)
        if verdict != "opened"
    ]


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


def nothing(one):
    pass


def suppress(one):
    customer = one.customers[0]
    consent.withdraw(one.account, channel="sms", address=customer.phone, source="test")


def move_away(one):
    customer = one.customers[0]
    customer.phone = "+15550009999"
    customer.save()


def suspend(one):
    Account.objects.get(pk=one.account.pk).suspend()


def pause(one):
    one.campaign.pause()


def end(one):
    MarketingCampaign.objects.filter(pk=one.campaign.pk).update(ends_at=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (nothing, "opened"),
        (suppress, "skip:suppressed"),
        (move_away, "skip:address_changed"),
        (suspend, "hold"),
        (pause, "hold"),
        (end, "hold"),
    ],
)
def test_the_gate_asks_again_right_before_the_call(sent, change, verdict):
    one = sent(1)

    change(one)

    assert verdicts(one) == [verdict]


@pytest.mark.parametrize(("kind", "verdict"), [("newsletter", "skip:no_consent"), ("transactional", "opened")])
def test_without_a_word_of_consent_only_what_is_transactional_is_sent(sent, kind, verdict):
    one = sent(0, type=kind)
    one.row(one.person("push"))

    assert verdicts(one) == [verdict]


@pytest.mark.parametrize(
    ("hour", "kind", "verdict"),
    [
        (20, "newsletter", "opened"),
        (21, "newsletter", "later"),
        (7, "newsletter", "later"),
        (8, "newsletter", "opened"),
        (3, "transactional", "opened"),
    ],
)
def test_nobody_is_written_to_in_their_night(sent, hour, kind, verdict):
    one = sent(0, type=kind)
    one.row(one.person("sms"), zone=where_it_is(hour))

    said = verdicts(one)[0]

    assert said.partition(":")[0] == verdict
    if verdict == "later":
        minute = timezone.now().minute
        left = ((8 - hour) % 24) * 3600 - minute * 60
        assert left - 120 < int(said.partition(":")[2]) <= left + 60


@pytest.mark.parametrize(
    ("kind", "hours", "state", "verdict"),
    [
        ("newsletter", 23, "accepted", "later"),
        ("newsletter", 25, "accepted", "opened"),
        ("newsletter", 1, "rejected", "opened"),
        ("newsletter", 1, "unknown", "later"),
        ("transactional", 1, "accepted", "opened"),
    ],
)
def test_one_marketing_message_a_person_and_day_on_all_channels(sent, kind, hours, state, verdict):
    one = sent(1)
    earlier = Sent(0, channel="email", account=one.account, type=kind)
    row = earlier.row(one.customers[0])
    called_at = timezone.now() - timedelta(hours=hours)
    DeliveryAttemptFactory(row=in_state(row, "sending"), state=state, called_at=called_at)

    said = verdicts(one)[0]

    assert said.partition(":")[0] == verdict
    if verdict == "later":
        assert abs(int(said.partition(":")[2]) - (24 - hours) * 3600) < 60


@pytest.mark.parametrize(("kind", "verdict"), [("marketing", "later"), ("service", "opened")])
def test_a_marketing_message_by_whatsapp_counts_too(sent, kind, verdict):
    one = sent(1)
    person = ConversationUserFactory(account=one.account, phone=one.customers[0].phone)
    lead = CampaignLeadFactory(
        campaign=CampaignFactory(account=one.account, campaign_type=kind), conversation_user=person
    )
    broadcast = BroadcastFactory(campaign=lead.campaign)
    message = CampaignLeadMessageFactory(broadcast=broadcast, campaign_lead=lead, status="sending")
    MessageAttemptFactory(row=message, state="accepted", address=person.phone)

    assert verdicts(one)[0].partition(":")[0] == verdict


def test_two_campaigns_at_one_moment_write_to_a_person_once(sent):
    one = sent(1)
    two = Sent(0, account=one.account)
    two.row(one.customers[0])

    assert sorted(verdicts(one, two)) == ["open", "opened"]
    assert DeliveryAttempt.objects.count() == 1


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
