import json
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from campaigns_project.models import AuditEntry
from crm.models import Event
from dispatch import inbox, keyring
from dispatch.models import InboxEntry, WebhookConnection, WebhookSecret
from tests.crm.webhook_world import OPENED, PREFIX, PUBLIC, SECRET, connected, path_of, says
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
# The seed's example, and the fourth provider of its table.
SEEDS = {
    "providers": [
        {
            "id": "sendgrid",
            "name": "SendGrid",
            "status": "connected",
            "events_received": 15420,
            "last_event": "2026-01-24T18:30:00Z",
        },
        {"id": "twilio", "name": "Twilio", "status": "connected", "events_received": 8920},
        {"id": "mailchimp", "name": "Mailchimp", "status": "disconnected"},
        {"id": "hubspot", "name": "HubSpot", "status": "disconnected"},
    ]
}


@pytest.mark.parametrize("base", ["/api/v1/marketing", "/v1/commerce/marketing"])
def test_the_list_is_the_seeds_key_by_key(api, base):
    last = datetime(2026, 1, 24, 18, 30, tzinfo=UTC)
    for provider, count, at in (("sendgrid", 15420, last), ("twilio", 8920, None)):
        webhook = WebhookConnection.objects.create(account=api.account, provider=provider)
        for stripe, events in enumerate((count - 20, 20)):
            last = at if stripe else None
            webhook.tallies.create(account=api.account, stripe=stripe, events=events, last_event_at=last)

    answer = api.get(f"{base}/webhooks")

    assert (answer.status_code, answer.json()) == (200, SEEDS)
    assert [list(each) for each in answer.json()["providers"]] == [list(each) for each in SEEDS["providers"]]


def test_the_seeds_event_is_counted_at_once_and_applied(api, client):
    secret = api.put(f"{PREFIX}/sendgrid/secret", json={}).json()["secret"]
    connection = WebhookConnection.objects.get()

    for _ in range(3):
        assert says(client, connection, OPENED, secret=secret).json() == {}
    counted = api.get(PREFIX).json()["providers"][0]
    inbox.apply_all()
    shown = api.get(f"{PREFIX}/sendgrid/events").json()["data"]

    assert (counted["status"], counted["events_received"]) == ("connected", 1)
    assert timezone.now() - datetime.fromisoformat(counted["last_event"]) < timedelta(minutes=1)
    assert [(each["event_type"], each["result"], each["payload"]) for each in shown] == [
        ("email.opened", "applied", OPENED)
    ]
    event = Event.objects.get()
    assert (event.type, event.email, event.properties) == (
        "email.opened",
        "customer@example.com",
        {"campaign_id": "camp_001"},
    )


def test_a_new_secret_is_shown_once_and_verifies(api, client):
    answer = api.put(f"{PREFIX}/sendgrid/secret", json={})
    told, connection = answer.json(), WebhookConnection.objects.get()

    assert (answer.status_code, list(told)) == (200, ["provider", "url", "secret", "valid_until_of_the_old"])
    assert (told["provider"], told["url"], told["valid_until_of_the_old"]) == (
        "sendgrid", f"http://127.0.0.1:8000{path_of(connection)}", None,
    )  # fmt: skip
    assert (len(connection.token), len(told["secret"])) == (22, 43)
    assert says(client, connection, OPENED, secret=told["secret"]).status_code == 200
    assert told["secret"].encode() not in bytes(WebhookSecret.objects.get().sealed)
    assert AuditEntry.objects.get(action="webhook.rotate_secret").actor == api.user


def test_of_three_secrets_the_last_two_are_good(api):
    told = [api.put(f"{PREFIX}/twilio/secret", json={"secret": f"{SECRET} {n}"}).json() for n in range(3)]

    until = datetime.fromisoformat(told[2]["valid_until_of_the_old"])
    assert abs(until - timezone.now() - timedelta(hours=24)) < timedelta(minutes=1)
    assert [secret.text for secret in WebhookSecret.objects.order_by("pk")] == [f"{SECRET} 1", f"{SECRET} 2"]
    assert len({each["url"] for each in told}) == 1


def test_the_present_secret_given_again_changes_nothing(api):
    for _ in range(2):
        told = api.put(f"{PREFIX}/twilio/secret", json={"secret": SECRET}).json()

    assert (told["valid_until_of_the_old"], WebhookSecret.objects.count()) == (None, 1)


def test_a_secret_comes_back_after_it_was_replaced(api):
    for word in "aba":
        assert api.put(f"{PREFIX}/twilio/secret", json={"secret": word * 20}).status_code == 200

    assert [secret.text[0] for secret in WebhookSecret.objects.order_by("pk")] == ["b", "a"]


def test_sendgrids_verification_key_stands_beside_a_secret(api):
    for secret in (SECRET, PUBLIC):
        assert api.put(f"{PREFIX}/sendgrid/secret", json={"secret": secret}).status_code == 200

    assert list(WebhookSecret.objects.order_by("pk").values_list("kind", "valid_until")) == [
        ("shared", None),
        ("public_key", None),
    ]


def test_mailchimps_address_is_shown_with_its_secret(api):
    told = api.put(f"{PREFIX}/mailchimp/secret", json={}).json()

    assert told["url"].endswith(f"?secret={told['secret']}")


@pytest.mark.parametrize("provider", ["sendgrid", "hubspot"])
def test_two_connections_may_not_share_a_secret(api, provider):
    connected("sendgrid")

    answer = api.put(f"{PREFIX}/{provider}/secret", json={"secret": SECRET})

    assert (answer.status_code, answer.json()["code"], WebhookSecret.objects.count()) == (409, "secret_taken", 1)


def test_a_secret_that_is_over_may_be_anothers(api):
    WebhookSecret.objects.filter(webhook=connected("sendgrid")).update(valid_until=timezone.now())

    assert api.put(f"{PREFIX}/sendgrid/secret", json={"secret": SECRET}).status_code == 200


@pytest.mark.parametrize("secret", ["x" * 15, "x" * 501, "é" * 20, "a b" * 5 + "\x7f", 5, None])
def test_what_cannot_be_a_secret_is_refused(api, secret):
    answer = api.put(f"{PREFIX}/sendgrid/secret", json={"secret": secret})

    assert (answer.status_code, list(answer.json()["details"])) == (400, ["secret"])
    assert not WebhookConnection.objects.exists()


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "acme/secret"), ("GET", "acme/events"), ("POST", "acme/events/whk_1/replay")]
)
def test_an_unknown_provider_is_not_there(api, method, path):
    assert api.send(method, f"{PREFIX}/{path}", json={}).status_code == 404


@pytest.mark.parametrize("event_id", ["whk_0", "1", "whk_é", "whk_" + "9" * 30, "evt_1"])
def test_an_unknown_event_is_not_there(api, event_id):
    assert api.post(f"{PREFIX}/sendgrid/events/{event_id}/replay").status_code == 404


def test_only_who_sees_to_settings_changes_secrets():
    assert caller(Role.MANAGER).put(f"{PREFIX}/sendgrid/secret", json={}).status_code == 403


def test_what_came_is_listed_by_result_newest_first(api, client):
    connection = connected(account=api.account)
    for n in range(3):
        says(client, connection, OPENED | {"event_id": f"e{n}"})
    inbox.apply(1)
    inbox.store(
        account_id=api.account.pk, provider="sendgrid", kind="status", connection_id=None, dedupe_key="not ours",
        body=b"", headers={}, context={},
    )  # fmt: skip

    ids = {
        result: [each["payload"]["event_id"] for each in api.get(f"{PREFIX}/sendgrid/events{result}").json()["data"]]
        for result in ("", "?result=waiting", "?result=applied", "?result=failed")
    }

    assert ids == {"": ["e2", "e1", "e0"], "?result=waiting": ["e2", "e1"], "?result=applied": ["e0"],
                   "?result=failed": []}  # fmt: skip


def test_a_dead_letter_is_replayed_without_a_second_effect(api, client):
    connection = connected(account=api.account)
    says(client, connection, OPENED)
    inbox.apply_all()
    InboxEntry.objects.update(result="failed")
    shown = api.get(f"{PREFIX}/sendgrid/events").json()["data"][0]

    answer = Client().post(
        f"{PREFIX}/sendgrid/events/{shown['id']}/replay", content_type="application/json", headers=api.headers
    )

    assert (answer.status_code, answer.json()["result"], answer.json()["tries"]) == (200, "no_effect", 1)
    assert Event.objects.count() == 1


def test_what_is_no_event_is_shown_as_it_came(api, client):
    connection = connected("mailchimp", account=api.account)
    says(client, connection, [5])
    InboxEntry.objects.create(account=api.account, provider="mailchimp", kind="other", dedupe_key="x", body=b"")

    shown = api.get(f"{PREFIX}/mailchimp/events").json()["data"]

    assert [(each["event_type"], each["payload"]) for each in shown] == [("", {}), ("", {"": 5})]


def test_what_verifies_is_kept_for_a_moment_outside_transactions(transactional_db, django_assert_num_queries):
    keyring.forget()
    connection = connected()
    with django_assert_num_queries(3):
        first = keyring.keys_at("sendgrid", connection.token)
    with django_assert_num_queries(0):
        assert keyring.keys_at("sendgrid", connection.token) == first
    keyring.forget()
    assert json.dumps([key.text for key in first[0].keys]) == json.dumps([SECRET])
