"""The stream takes each event once."""

import datetime as dt

import pytest

from crm import events
from crm.models import Event
from tests.factories import AccountFactory, CustomerFactory

pytestmark = pytest.mark.django_db
WHEN = dt.datetime(2026, 1, 24, 18, 30, tzinfo=dt.UTC)


def test_the_same_event_is_kept_once_and_as_it_first_came():
    customer = CustomerFactory()

    for value in (1, 2):
        events.record(
            customer.account,
            type="order.completed",
            event_id="e-1",
            customer_id=customer.pk,
            occurred_at=WHEN,
            properties={"value": value},
        )

    kept = Event.objects.for_account(customer.account).get()
    assert (kept.customer, kept.occurred_at, kept.properties) == (customer, WHEN, {"value": 1})


def test_two_accounts_may_use_the_same_event_id():
    for account in AccountFactory.create_batch(2):
        events.record(account, type="page.viewed", event_id="e-1")

    assert Event.objects.filter(event_id="e-1").count() == 2
