"""What comes back of deliveries, and which orders came of them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connections
from django.utils import timezone

from crm import events
from crm.customers import feedback
from crm.customers.feedback import Feedback
from crm.marketing import metrics
from crm.models import Attribution, Delivery, Event
from tests.factories import DeliveryAttemptFactory, DeliveryFactory, MarketingCampaignFactory, in_state

pytestmark = pytest.mark.django_db
NOW = timezone.now().replace(microsecond=0)


def report(row, event, *, minutes=0, **fields):
    attempt = row.attempts.first()
    told = {"key": f"sendgrid:{uuid4()}", "attempt": attempt and attempt.uuid, "provider_id": "SG1"}
    told |= {"channel": row.channel, "event": event, "address": row.address, "at": NOW + timedelta(minutes=minutes)}
    return Feedback(**told | fields)


def calling(**fields):
    """A delivery whose call nobody knows the outcome of."""
    return DeliveryAttemptFactory(row=DeliveryFactory(status="sending", **fields)).row


def told(row):
    row.refresh_from_db()
    return row.status, [getattr(row, name) is not None for name in ("delivered_at", "opened_at", "clicked_at")]


@pytest.mark.parametrize(
    ("said", "status", "stamped"),
    [
        (["delivered"], "delivered", [1, 0, 0]),
        (["opened", "delivered"], "read", [1, 1, 0]),
        (["clicked"], "read", [1, 1, 1]),
        (["bounced"], "undelivered", [0, 0, 0]),
        (["dropped"], "failed", [0, 0, 0]),
        (["delivered", "bounced", "failed"], "delivered", [1, 0, 0]),
        (["spam"], "sending", [0, 0, 0]),
    ],
)
def test_a_delivery_moves_forward_only_and_its_call_is_settled(said, status, stamped):
    row = calling()

    for event in said:
        feedback.take(row.account, [report(row, event, code="550")])

    assert told(row) == (status, [bool(each) for each in stamped])
    assert row.attempts.get().state == "accepted"
    assert (row.error_code == "550") == (status in ("undelivered", "failed"))
    event = Event.objects.filter(type=f"email.{said[0]}").get()
    assert event.properties["campaign_id"] == row.campaign.public_id
    assert event.properties["delivery_id"] == row.pk


def test_what_a_machine_opened_counts_for_nothing():
    row = calling()

    feedback.take(row.account, [report(row, "opened", bot=True)])

    assert told(row) == ("sending", [False] * 3)


def test_the_first_moment_stays_and_an_unsubscription_is_the_deliverys():
    row = calling()

    feedback.take(row.account, [report(row, "opened", minutes=5), report(row, "opened", minutes=3)])
    feedback.take(row.account, [report(row, "unsubscribed", minutes=9), report(row, "opened", minutes=7)])

    row.refresh_from_db()
    assert (row.opened_at, row.unsubscribed_at) == (NOW + timedelta(minutes=3), NOW + timedelta(minutes=9))


def test_without_an_attempt_the_person_and_the_campaign_are_enough(django_assert_max_num_queries):
    row = in_state(DeliveryFactory(), "sent")
    address = row.address.upper()

    with django_assert_max_num_queries(40):
        feedback.take(row.account, [report(row, "opened", address=address, campaign=row.campaign.public_id)])
    feedback.take(row.account, [report(row, "clicked", address=address, campaign="camp_nobodys")])

    assert told(row) == ("read", [True, True, False])


def test_what_waits_in_the_queue_is_not_sent_by_a_report():
    row = DeliveryFactory()
    DeliveryAttemptFactory(row=row, state="released")

    feedback.take(row.account, [report(row, "delivered")])

    assert told(row) == ("queued", [False] * 3)


def test_a_neighbours_attempt_is_not_moved():
    row, other = calling(), DeliveryFactory()

    feedback.take(other.account, [report(row, "delivered")])

    assert told(row)[0] == "sending"


def test_metrics_are_percent_of_what_was_delivered():
    campaign = MarketingCampaignFactory()
    for said in (["opened"], ["clicked", "unsubscribed"], ["delivered"], ["bounced"]):
        row = calling(campaign=campaign)
        feedback.take(row.account, [report(row, event) for event in said])

    found = metrics.sums([campaign])[campaign.pk]

    assert found == {
        "sent": 4, "delivered": 3, "opened": 2, "clicked": 1, "converted": 0, "unsubscribed": 1, "revenue_minor": 0,
    }  # fmt: skip
    assert [metrics.rate(part, 5380) for part in (2180, 845, 156)] == [40.5, 15.7, 2.9]
    assert metrics.rate(0, 0) == 0.0


# Orders.


def reached(*, hours=1, **fields):
    row = DeliveryFactory(status="delivered", **fields)
    Delivery.objects.filter(pk=row.pk).update(delivered_at=NOW - timedelta(hours=hours))
    return row


def order(row, order_id="o1", *, amount=4680, kind="order.completed", at=NOW, currency="USD", **fields):
    told = {"type": kind, "event_id": str(uuid4()), "customer_id": row.customer_id, "occurred_at": at}
    told |= {"value_minor": amount, "currency": currency, "properties": {"order_id": order_id}}
    events.record(row.account, **told | fields)


def sums(row):
    row.refresh_from_db()
    return row.revenue_minor, row.converted_at is not None


@pytest.mark.parametrize(
    ("hours", "currency", "expected"),
    [(1, "USD", (4680, True)), (1, "EUR", (0, True)), (7 * 24, "USD", (4680, True)), (7 * 24 + 1, "USD", (0, False)),
     (-1, "USD", (0, False))],
)  # fmt: skip
def test_an_order_within_the_window_is_the_campaigns(hours, currency, expected):
    row = reached(hours=hours)

    order(row, currency=currency)

    assert sums(row) == expected


def test_the_last_touch_has_the_order_and_only_one_campaign_has_it():
    first = reached(hours=5)
    last = reached(hours=2, account=first.account, customer=first.customer)

    order(first)
    order(first)

    assert (sums(first), sums(last)) == ((0, False), (4680, True))
    assert Attribution.objects.count() == 1


def test_a_refund_takes_its_part_back_and_with_all_of_it_the_order():
    row = reached()
    order(row)
    order(row, "o2", amount=1000)

    order(row, "o2", amount=300, kind="order.refunded")
    assert sums(row) == (5380, True)
    order(row, amount=5000, kind="order.refunded")
    assert sums(row) == (700, True)
    order(row, "o2", amount=700, kind="order.refunded")
    assert sums(row) == (0, False)


def test_a_refund_that_is_told_before_its_order_is_not_forgotten():
    row = reached()

    order(row, amount=680, kind="order.refunded")
    order(row)

    assert sums(row) == (4000, True)


def test_a_report_that_comes_after_the_order_still_counts():
    row = calling()
    order(row, at=NOW + timedelta(minutes=10))

    feedback.take(row.account, [report(row, "delivered")])

    assert sums(row) == (4680, True)


@pytest.mark.parametrize("order_id", ["", "x" * 3000, 7, None, True, ["o1"], 1.5])
def test_an_order_id_may_be_anything(order_id):
    row = reached()

    order(row, order_id)

    assert sums(row) == (4680, True)


@pytest.mark.django_db(transaction=True)
def test_many_callers_at_once_count_each_order_once():
    row = reached()

    def call(n):
        try:
            order(row, f"o{n % 4}", amount=100, event_id=f"e{n % 8}")
            order(row, f"o{n % 4}", amount=30, kind="order.refunded", event_id=f"r{n % 4}")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(24)))

    assert sums(row) == (4 * 70, True)
