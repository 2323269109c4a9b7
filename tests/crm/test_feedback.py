from uuid import uuid4

import pytest
from django.utils import timezone

from crm.customers import consent, feedback
from crm.customers.feedback import About, Feedback
from crm.models import ConsentEntry, Event, Suppression
from tests.factories import AccountFactory, CustomerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return AccountFactory()


def report(event="opened", key="sendgrid:1", **changed):
    said = {"channel": "email", "event": event, "address": "anna@example.test", "at": timezone.now(), "key": key}
    return Feedback(**said | changed)


def test_a_report_is_an_event_of_its_person_once(account):
    anna = CustomerFactory(account=account, email="Anna@example.test")

    news = [feedback.take(account, [report(campaign="camp_1", code="250")]) for _ in range(2)]

    event = Event.objects.get()
    assert news == [[True], [False]]
    assert (event.type, event.customer, event.properties) == (
        "email.opened",
        anna,
        {"campaign_id": "camp_1", "code": "250"},
    )


def test_a_report_by_sms_belongs_to_a_phone(account):
    feedback.take(account, [report("delivered", channel="sms", address="+15550001111", bot=True)])

    event = Event.objects.get()
    assert (event.type, event.phone, event.email, event.properties) == (
        "sms.delivered", "+15550001111", "", {"bot": True},
    )  # fmt: skip


@pytest.mark.parametrize("event", ["unsubscribed", "spam", "bounced"])
def test_who_left_is_suppressed_once(account, event):
    for _ in range(2):
        feedback.take(account, [report(event), report(event)])

    assert consent.is_suppressed(account, channel="email", address="anna@example.test")
    assert ConsentEntry.objects.values_list("act", "source", "proof") .get() == (
        "withdrawn", "sendgrid", {"event": event, "key": "sendgrid:1"},
    )  # fmt: skip


@pytest.mark.parametrize("event", ["delivered", "opened", "clicked", "dropped", "failed", "subscribed"])
def test_nothing_else_suppresses(account, event):
    feedback.take(account, [report(event)])

    assert not Suppression.objects.exists()


@pytest.mark.parametrize("suppressed", [True, False])
def test_somebody_elses_list_signs_up_only_who_has_not_opted_out(account, suppressed):
    if suppressed:
        consent.withdraw(account, channel="email", address="anna@example.test", source="link")

    feedback.take(account, [report("subscribed", key="mailchimp:1")])

    assert Suppression.objects.exists() is suppressed
    assert ConsentEntry.objects.filter(act="granted", source="mailchimp").exists() is not suppressed


def test_listeners_are_told_and_name_the_delivery(account, monkeypatch):
    monkeypatch.setattr(feedback, "_listeners", [])
    heard = []
    feedback.listens(lambda whose, reports: heard.append((whose, list(reports))) or [About("camp_9", 7), None])
    feedback.listens(lambda whose, reports: [None, None])
    told = [report(attempt=uuid4()), report(key="sendgrid:2", campaign="camp_1")]

    for _ in range(2):
        feedback.take(account, told)

    assert heard == [(account, told)] * 2
    assert list(Event.objects.order_by("event_id").values_list("properties", flat=True)) == [
        {"campaign_id": "camp_9", "delivery_id": 7},
        {"campaign_id": "camp_1"},
    ]


def test_nothing_reported_asks_nobody(account, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert feedback.take(account, []) == []
