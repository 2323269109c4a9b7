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


@pytest.fixture
def heard():
    """What a listener is told, as it is called: the type, whose it is, and what it carries."""
    told = []
    events.listens(listener := lambda account, rows: told.append([(e.type, e.customer_id, e.properties) for e in rows]))
    yield told
    events._listeners.remove(listener)


def test_a_listener_is_told_what_was_really_written_and_again_when_it_becomes_somebodys(heard):
    account = AccountFactory()
    for _ in range(2):
        events.record(account, type="page.viewed", event_id="e-1", phone="+15550000001", properties={"a": 1})
    customer = CustomerFactory(account=account, phone="+15550000001")

    events.claim(customer)
    events.claim(customer)

    assert heard == [[("page.viewed", None, {"a": 1})], [("page.viewed", customer.pk, {"a": 1})]]


def test_what_a_listener_refuses_is_not_written():
    account = AccountFactory()
    events.listens(refuse := lambda _account, _rows: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        events.record(account, type="page.viewed", event_id="e-1", phone="+15550000001")

    events._listeners.remove(refuse)
    assert not Event.objects.for_account(account).exists()
