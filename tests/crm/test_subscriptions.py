"""Browsers that take pushes: kept over HTTP, shown, and forgotten."""

import json

import pytest
from django.conf import settings as configured
from django.db import connection

from crm.customers import erasing, subscriptions
from crm.models import PushSubscription
from providers.base import Subscription
from providers.webpush import public_key
from tests.factories import CustomerFactory, PushSubscriptionFactory, UserFactory

pytestmark = pytest.mark.django_db
KEYS = {"p256dh": PushSubscriptionFactory.p256dh, "auth": PushSubscriptionFactory.auth}
BROWSER = {"endpoint": "https://push.example.com/send/7", "expirationTime": None, "keys": KEYS}


@pytest.fixture
def anna(api):
    return CustomerFactory(account=api.account)


def path(customer, more=""):
    return f"/api/v1/customers/{customer.public_id}/push-subscriptions{more}"


def test_a_browser_is_kept_as_it_says_itself_and_its_keys_are_shown_to_nobody(api, anna):
    answer = api.post(path(anna), json=BROWSER)
    kept = anna.push_subscriptions.get()

    assert (answer.status_code, answer.json()["id"]) == (201, kept.public_id)
    assert (kept.endpoint, kept.p256dh, kept.auth) == (BROWSER["endpoint"], KEYS["p256dh"], KEYS["auth"])
    shown = api.get(path(anna))
    assert [row["endpoint"] for row in shown.json()["data"]] == [BROWSER["endpoint"]]
    assert KEYS["auth"] not in answer.content.decode() + shown.content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("endpoint", "http://push.example.com/1"),
        ("endpoint", "https://127.0.0.1/1"),
        ("endpoint", "https://10.1.2.3/1"),
        ("endpoint", "https://push.example.com/ü"),
        ("endpoint", "https://push.example.com/" + "x" * 1000),
        ("endpoint", 7),
        ("keys", {"p256dh": "x", "auth": KEYS["auth"]}),
        ("keys", {"p256dh": KEYS["p256dh"], "auth": "x"}),
        ("keys", {"p256dh": KEYS["p256dh"]}),
        ("keys", None),
        ("expirationTime", "soon"),
        ("more", 1),
    ],
)
def test_what_is_no_browser_is_refused_and_named(api, anna, field, value):
    answer = api.post(path(anna), json=BROWSER | {field: value})

    assert (answer.status_code, [each.partition(".")[0] for each in answer.json()["details"]]) == (400, [field])
    assert not PushSubscription.objects.exists()


def test_a_browser_belongs_to_whoever_used_it_last(api, anna):
    bob = CustomerFactory(account=api.account)
    api.post(path(anna), json=BROWSER)
    api.post(path(bob), json=BROWSER)

    assert [each.customer for each in PushSubscription.objects.all()] == [bob]


def test_the_oldest_browsers_make_room(api, anna, monkeypatch):
    monkeypatch.setattr(subscriptions, "MOST_BROWSERS", 2)
    for number in range(4):
        api.post(path(anna), json=BROWSER | {"endpoint": f"https://push.example.com/send/{number}"})

    assert [row["endpoint"][-1] for row in api.get(path(anna)).json()["data"]] == ["3", "2"]


def test_a_browser_is_forgotten(api, anna):
    kept = PushSubscriptionFactory(customer=anna)
    other = PushSubscriptionFactory(customer=CustomerFactory(account=api.account))

    assert api.delete(path(anna, f"/{other.public_id}")).status_code == 404
    assert api.delete(path(anna, f"/{kept.public_id}")).status_code == 204
    assert list(PushSubscription.objects.all()) == [other]


def test_the_key_for_subscribing_is_the_houses(api):
    assert api.get("/api/v1/push/public-key").json() == {"public_key": public_key(configured.VAPID_PRIVATE_KEY)}


def test_erasure_forgets_the_browsers(anna):
    PushSubscriptionFactory(customer=anna)
    erasing.erase(anna, by=UserFactory())

    assert not PushSubscription.objects.exists()


def test_a_push_goes_to_the_browser_that_subscribed_last_until_it_is_gone(anna):
    old, new = PushSubscriptionFactory(customer=anna), PushSubscriptionFactory(customer=anna)

    def reached():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {subscriptions.newest_sql('c.id')} FROM crm_customer c WHERE c.id = %s", [anna.pk])
            (said,) = cursor.fetchone()
        return said and Subscription(**json.loads(said))

    assert reached() == Subscription(new.endpoint, new.p256dh, new.auth)
    subscriptions.gone(anna.account, new.endpoint)
    assert reached().endpoint == old.endpoint
    subscriptions.gone(anna.account, old.endpoint)
    assert reached() is None
