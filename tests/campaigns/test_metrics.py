"""What is counted of a template."""

import datetime as dt

import pytest
from django.utils import timezone

from campaigns.metrics import described
from crm import events
from tests.factories import BroadcastFactory, CampaignLeadMessageFactory, CustomerFactory

pytestmark = pytest.mark.django_db


def sent(broadcast, status, **fields):
    return CampaignLeadMessageFactory(broadcast=broadcast, status=status, **fields)


def metrics(broadcast):
    return described(broadcast.account_id, [broadcast.campaign_id])[broadcast.campaign_id]["metrics"]


def order(message, number, *, after, **who):
    told = {"phone": message.phone} | who
    when = timezone.now() + after
    events.record(message.account, type="order.completed", event_id=f"o{number}", occurred_at=when, **told)


def test_a_template_that_was_never_sent_has_only_zeros():
    broadcast = BroadcastFactory()

    assert set(metrics(broadcast).values()) == {0}


def test_rates_are_percent_of_the_delivered():
    broadcast = BroadcastFactory()
    for status in ("queued", "skipped", "sent", "delivered", "delivered", "read", "failed", "undelivered"):
        message = sent(broadcast, status)
    message = sent(broadcast, "read", replied_at=timezone.now())
    sent(broadcast, "read", campaign_name="")  # A test send.

    assert metrics(broadcast) == {
        "messages_sent": 6,
        "delivered": 4,
        "read": 2,
        "replied": 1,
        "reply_rate": 25.0,
        "conversion_rate": 0.0,
    }
    order(message, 1, after=dt.timedelta(days=1))
    order(message, 2, after=dt.timedelta(days=2))
    assert metrics(broadcast)["conversion_rate"] == 25.0


@pytest.mark.parametrize(
    ("after", "converted"), [(dt.timedelta(days=8), 0.0), (dt.timedelta(days=-1), 0.0), (dt.timedelta(days=6), 100.0)]
)
def test_an_order_counts_for_seven_days_after_the_delivery(after, converted):
    message = sent(BroadcastFactory(), "delivered")

    order(message, 1, after=after)

    assert metrics(message.broadcast)["conversion_rate"] == converted


def test_an_order_counts_by_phone_or_by_customer_of_the_same_account():
    message, other = sent(BroadcastFactory(), "delivered"), sent(BroadcastFactory(), "delivered")
    customer = CustomerFactory(account=message.account)
    message.conversation_user.customer = customer
    message.conversation_user.save()

    order(other, 1, after=dt.timedelta(hours=1), phone=message.phone)
    assert metrics(message.broadcast)["conversion_rate"] == 0.0
    order(message, 1, after=dt.timedelta(hours=1), phone="", customer_id=customer.pk)
    assert metrics(message.broadcast)["conversion_rate"] == 100.0
