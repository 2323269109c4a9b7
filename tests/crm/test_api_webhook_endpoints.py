"""Webhook endpoints as integrators make, read, change, test and replay them; and what is put in line for them."""

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.roles import Role
from campaigns_project.models import AuditEntry, IdempotencyKey
from crm import events, tasks
from crm.customers import consent, erasing
from crm.models import Customer, WebhookDelivery, WebhookEndpoint
from crm.webhooks_out import outgoing
from tests.factories import CustomerFactory, WebhookDeliveryFactory, WebhookEndpointFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
BASE = "/api/v1/webhook-endpoints"
GIVEN = {"url": "https://shop.example.com/webhooks", "event_types": ["order.*", "email.opened"]}


def refusal(answer):
    return answer.status_code, answer.json()["code"], sorted(answer.json()["details"])


def at(endpoint, rest=""):
    return f"{BASE}/{endpoint.public_id}{rest}"


def in_line(**where):
    return list(WebhookDelivery.objects.filter(**where).order_by("pk").values_list("type", flat=True))


@pytest.fixture
def endpoint(api):
    return WebhookEndpointFactory(account=api.account)


def test_an_endpoint_is_made_and_its_secret_is_shown_once(api):
    made = api.post(BASE, json=GIVEN | {"description": "The shop"}, headers={"idempotency-key": "k"})

    secret = made.json().pop("secret")
    shown = {name: value for name, value in made.json().items() if name != "secret"}
    endpoint = WebhookEndpoint.objects.get()
    assert (made.status_code, shown["id"], endpoint.secret) == (201, endpoint.public_id, secret)
    assert shown | GIVEN == shown
    assert (shown["enabled"], shown["disabled_reason"], shown["failing_since"]) == (True, "", None)
    assert api.get(BASE).json()["data"] == [shown]
    assert api.get(at(endpoint)).json() == shown
    assert AuditEntry.objects.get().action == "webhook_endpoint.create"
    # Neither a column nor a kept answer holds it in the open.
    assert secret.encode() not in bytes(endpoint.sealed) + bytes(IdempotencyKey.objects.get().body)
    again = api.post(BASE, json=GIVEN | {"description": "The shop"}, headers={"idempotency-key": "k"})
    assert again.json()["secret"] == secret


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"url": "http://shop.example.com/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"url": "https://shop.example.com:8443/"}, "url"),
        ({"url": "https://u:p@shop.example.com/"}, "url"),
        ({"url": "https://[/"}, "url"),
        ({"url": 7}, "url"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["*", "*"]}, "event_types"),
        ({"event_types": ["Order"]}, "event_types"),
        ({"event_types": ["*.completed"]}, "event_types"),
        ({"event_types": ["order.*.*"]}, "event_types"),
        ({"event_types": [f"a{n}" for n in range(51)]}, "event_types"),
        ({"event_types": "order.completed"}, "event_types"),
        ({"event_types": [{}]}, "event_types.0"),
        ({"secret": "whsec_"}, "secret"),
    ],
)
def test_what_makes_no_endpoint_is_refused_by_field(api, given, field):
    answer = api.post(BASE, json=GIVEN | given)

    assert refusal(answer) == (400, "VALIDATION_ERROR", [field])
    assert not WebhookEndpoint.objects.exists()


def test_an_account_has_at_most_twenty(api):
    WebhookEndpointFactory.create_batch(20, account=api.account)

    assert refusal(api.post(BASE, json=GIVEN)) == (409, "too_many_endpoints", [])


def test_an_endpoint_is_changed_and_a_lost_update_is_refused(api, endpoint):
    seen = {"if-match": api.get(at(endpoint)).headers["ETag"]}

    changed = api.patch(at(endpoint), json={"event_types": ["*"], "enabled": False}, headers=seen)

    assert (changed.status_code, changed.json()["enabled"]) == (200, False)
    assert api.patch(at(endpoint), json={"enabled": True}, headers=seen).status_code == 412
    assert refusal(api.patch(at(endpoint), json={"url": "http://x"})) == (400, "VALIDATION_ERROR", ["url"])


def test_turning_on_what_we_turned_off_begins_anew(api, endpoint):
    WebhookEndpoint.objects.update(enabled=False, disabled_reason="failing", failing_since="2026-11-01T00:00Z")

    shown = api.patch(at(endpoint), json={"enabled": True}).json()

    assert (shown["enabled"], shown["disabled_reason"], shown["failing_since"]) == (True, "", None)


def test_an_endpoint_is_deleted_with_its_line(api, endpoint):
    WebhookDeliveryFactory(endpoint=endpoint)

    assert api.delete(at(endpoint)).status_code == 204
    assert (api.get(at(endpoint)).status_code, WebhookDelivery.objects.count()) == (404, 0)


def test_another_secret_stands_beside_the_old_one_for_a_day(api, endpoint):
    old = endpoint.secret

    answer = api.post(at(endpoint, "/secret"))

    endpoint.refresh_from_db()
    said = answer.json()
    assert (answer.status_code, said["id"], said["secret"]) == (200, endpoint.public_id, endpoint.secret)
    assert endpoint.secret != old
    assert said["old_secret_until"] == endpoint.old_secret_until.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_test_and_a_replay_are_put_in_line(api, endpoint):
    sent = api.post(at(endpoint, "/test"))
    WebhookDelivery.objects.update(next_try_at=None, tries=9, error="no")
    assert api.get(at(endpoint, "/deliveries?status=failed")).json()["pagination"]["total"] == 1

    replayed = api.post(at(endpoint, f"/deliveries/{sent.json()['id']}/replay"))

    assert (sent.status_code, replayed.status_code) == (202, 202)
    assert {**sent.json(), "next_try_at": None} == {**replayed.json(), "next_try_at": None}
    assert (sent.json()["type"], sent.json()["status"], sent.json()["event_id"]) == ("webhook.test", "pending", None)
    assert api.get(at(endpoint, "/deliveries")).json()["data"] == [replayed.json()]
    assert [api.get(at(endpoint, f"/deliveries?status={each}")).json()["pagination"]["total"] for each in
            ("pending", "delivered", "failed")] == [1, 0, 0]  # fmt: skip


def test_nothing_is_put_in_line_by_hand_for_one_that_is_off(api, endpoint):
    delivery = WebhookDeliveryFactory(endpoint=endpoint)
    WebhookEndpoint.objects.update(enabled=False)

    for path in ("/test", f"/deliveries/{delivery.public_id}/replay"):
        assert refusal(api.post(at(endpoint, path))) == (409, "webhook_endpoint_disabled", [])


def test_only_who_may_see_secrets_sees_endpoints(api, endpoint):
    manager = caller(Role.MANAGER, account=api.account)

    assert [manager.get(BASE).status_code, manager.post(at(endpoint, "/secret")).status_code] == [403, 403]


# What is put in line.


def test_an_event_is_in_line_for_whoever_wants_it_once_and_with_its_transaction(api):
    wanted = {"a": ["order.completed"], "b": ["order.*", "*"], "c": ["orders"], "d": ["order.refunded"]}
    for name, types in wanted.items():
        WebhookEndpointFactory(account=api.account, description=name, event_types=types)
    WebhookEndpointFactory(account=api.account, enabled=False)
    WebhookEndpointFactory()
    for _ in range(2):
        events.record(api.account, type="order.completed", event_id="e-1")
    with transaction.atomic():
        events.record(api.account, type="order.completed", event_id="e-2")
        transaction.set_rollback(True)

    told = WebhookDelivery.objects.select_related("endpoint", "event").order_by("endpoint")
    assert [(each.endpoint.description, each.event.event_id) for each in told] == [("a", "e-1"), ("b", "e-1")]


@pytest.mark.django_db(transaction=True)
def test_what_happened_before_its_person_was_known_is_not_told_again(api):
    events.record(api.account, type="order.completed", event_id="e-0", phone="+14440000001")
    WebhookEndpointFactory(account=api.account)
    customer = CustomerFactory(account=api.account, phone="+14440000001")

    events.claim(customer)

    assert in_line() == []


def test_consent_is_told_with_the_person_behind_the_address(api, endpoint):
    customer = CustomerFactory(account=api.account, email="anna@example.com")
    said = {"channel": "email", "address": "anna@example.com", "source": "form"}
    consent.grant(api.account, **said)
    consent.withdraw(api.account, **said, customer=customer)
    consent.withdraw(api.account, channel="push", address="cust_nobody", source="form")

    told = list(WebhookDelivery.objects.order_by("pk").values_list("type", "data"))

    data = {"customer_id": customer.public_id, "channel": "email", "purpose": "marketing", "source": "form"}
    assert told[:2] == [("consent.granted", data), ("consent.withdrawn", data)]
    assert told[2][1]["customer_id"] is None


def test_nobody_listening_costs_one_question(api, django_assert_num_queries):
    with django_assert_num_queries(1):
        outgoing.tell(api.account, "consent.granted", lambda: pytest.fail("nobody asked"))


def test_what_a_merchant_answered_about_a_person_goes_with_them(api, endpoint):
    customer = CustomerFactory(account=api.account)
    events.record(api.account, type="order.completed", event_id="e-1", customer_id=customer.pk)
    WebhookDelivery.objects.update(response_body="Thanks, Anna")

    erasing.erase(Customer.objects.get(), by=None)

    assert set(WebhookDelivery.objects.values_list("response_body", flat=True)) == {""}


def test_old_webhooks_are_forgotten_after_a_month(endpoint):
    WebhookDeliveryFactory(endpoint=endpoint, begun_at="2026-01-01T00:00Z", type="old")
    WebhookDeliveryFactory(endpoint=endpoint, type="new")

    tasks.forget_old_webhooks_out()

    assert in_line() == ["new"]


def test_the_database_keeps_endpoints_and_webhooks_of_one_account_together(endpoint):
    def astray():
        with transaction.atomic():
            WebhookDeliveryFactory(endpoint=endpoint, account=caller().account)
            connection.check_constraints()

    with pytest.raises(IntegrityError, match="webhook_delivery_endpoint"):
        astray()
