"""The providers' door."""

import hmac
import io
import json
import time
from uuid import uuid4

import pytest
from django.db import connection as database

from crm.customers import consent, erasing
from crm.marketing.calling import callback_url
from crm.models import Event
from crm.webhooks_in import door as webhooks
from dispatch import inbox, keyring
from dispatch.models import InboxEntry, WebhookConnection, WebhookSecret
from tests.crm.webhook_world import (
    FORM,
    OPENED,
    PREFIX,
    PUBLIC,
    SECRET,
    by_hubspot,
    by_sendgrid,
    by_twilio,
    connected,
    form_of,
    path_of,
    post,
    says,
    stamped,
)  # fmt: skip
from tests.factories import AccountFactory, ConnectionFactory, CustomerFactory, DeliveryAttemptFactory

pytestmark = pytest.mark.django_db
BODY = json.dumps(OPENED).encode()
DELIVERED = {"MessageSid": "SM" + "1" * 32, "MessageStatus": "delivered", "To": "+15550001111", "AccountSid": "AC"}
SUBSCRIBED = {"type": "subscribe", "fired_at": "2026-04-25 14:30:00", "data[email]": "customer@example.com"}


def stored():
    return InboxEntry.objects.count()


@pytest.mark.parametrize("prefix", [PREFIX, "/v1/commerce/marketing/webhooks"])
@pytest.mark.parametrize("provider", ["sendgrid", "twilio", "mailchimp", "hubspot"])
def test_the_seeds_event_is_stored_and_acknowledged(client, provider, prefix):
    connection = connected(provider)

    answer = says(client, connection, BODY, path=f"{prefix}/{provider}/{connection.token}")
    entry = InboxEntry.objects.get()

    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"{}", "application/json")
    assert (entry.account, bytes(entry.body), entry.headers["Content-Type"]) == (
        connection.account, BODY, "application/json",
    )  # fmt: skip


def native(provider, connection):
    path = path_of(connection)
    if provider == "sendgrid":
        body = b'[{"event": "open", "email": "a@b.test", "timestamp": 1795000000, "sg_event_id": "e1"}]\r\n'
        return path, body, by_sendgrid(body), "application/json"
    if provider == "twilio":
        return path, form_of(DELIVERED), by_twilio(path, DELIVERED), FORM
    if provider == "mailchimp":
        return f"{path}?secret={SECRET.replace(' ', '%20')}", form_of(SUBSCRIBED), {}, FORM
    body = b'[{"eventId": 100, "subscriptionType": "contact.creation", "occurredAt": 1711234567890, "objectId": 9}]'
    return path, body, by_hubspot(path, body), "application/json"


@pytest.mark.parametrize("provider", ["sendgrid", "twilio", "mailchimp", "hubspot"])
def test_each_provider_is_verified_in_its_own_way(client, provider):
    public = provider == "sendgrid"
    kind = WebhookSecret.Kind.PUBLIC_KEY if public else WebhookSecret.Kind.SHARED
    connection = connected(provider, secret=PUBLIC if public else SECRET, kind=kind)
    path, body, headers, content_type = native(provider, connection)
    bare = path.replace(f"/{connection.token}", "") if provider != "hubspot" else None
    changed = {name: f"{value[:-3]}AAA" for name, value in headers.items() if "Signature" in name}

    refused = [
        post(client, path, body, {}, content_type) if provider != "mailchimp" else None,
        post(client, path.replace("?secret=a", "?secret=b"), body[:-1] + b"x", headers | changed, content_type),
        post(client, path.replace("?secret=a", "?secret=b"), body, headers | changed, content_type),
    ]
    taken = [post(client, path, body, headers, content_type), post(client, path, body, headers, content_type)]
    if bare and provider != "twilio":  # Which signs the address.
        taken.append(post(client, bare, body, headers, content_type))

    assert {answer.status_code for answer in refused if answer} == {401}
    assert {answer.status_code for answer in taken} == {200}
    assert (stored(), WebhookConnection.objects.get().events_received) == (1, 1)


def test_what_anybody_may_know_is_no_secret(client):
    connection = connected(secret=PUBLIC, kind=WebhookSecret.Kind.PUBLIC_KEY)

    assert says(client, connection, BODY, secret=PUBLIC).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Webhook-Signature": "deadbeef"},
        stamped(BODY, secret="another secret of others"),
        stamped(BODY + b" "),
        stamped(BODY, at="nan"),
        {"X-Webhook-Signature": "é", "X-Webhook-Timestamp": "1"},
    ],
)
def test_what_is_not_signed_is_refused_and_not_stored(client, headers):
    connection = connected()

    answer = post(client, path_of(connection), BODY, headers)

    assert (answer.status_code, answer.json()["code"], stored()) == (401, "UNAUTHORIZED", 0)


def test_an_hour_old_request_is_refused_and_the_tolerance_is_five_minutes(client):
    connection = connected()
    while time.time() % 1 > 0.5:  # A second that does not end in between.
        time.sleep(0.05)
    now = int(time.time())

    answers = [post(client, path_of(connection), BODY, stamped(BODY, at=now - ago)) for ago in (3600, 301, 300)]

    assert [answer.status_code for answer in answers] == [401, 401, 200]


def test_the_bare_address_finds_the_account_by_the_secret_that_verifies(client):
    connections = [connected(secret=f"{SECRET} {n}") for n in range(3)]

    answer = says(client, None, BODY, secret=f"{SECRET} 1", path=f"{PREFIX}/sendgrid")

    assert (answer.status_code, InboxEntry.objects.get().account) == (200, connections[1].account)


def test_the_bare_address_tries_as_many_connections_as_it_may(client, monkeypatch):
    monkeypatch.setattr(keyring, "MOST_TRIED", 3)
    connections = [connected(secret=f"{SECRET} {n}") for n in range(4)]

    answers = [
        says(client, None, BODY, secret=f"{SECRET} {n}", path=path).status_code
        for n, path in ((2, f"{PREFIX}/sendgrid"), (3, f"{PREFIX}/sendgrid"), (3, path_of(connections[3])))
    ]

    assert answers == [200, 401, 200]


def test_another_accounts_address_or_provider_takes_nothing_of_ours(client):
    ours, theirs = connected(), connected(secret=f"{SECRET} of theirs")

    paths = (path_of(theirs), f"{PREFIX}/hubspot/{ours.token}", f"{PREFIX}/sendgrid/{'x' * 22}", f"{PREFIX}/hubspot")

    assert [says(client, ours, BODY, path=path).status_code for path in paths] == [401] * 4
    assert stored() == 0


def test_refused_deliveries_are_counted(client, monkeypatch):
    connection = connected()
    monkeypatch.setattr(keyring, "_counted_at", [0.0])
    monkeypatch.setattr(keyring, "_refused", keyring.Counter())

    for wait in (0, 0, 2):
        keyring._counted_at[0] -= wait
        post(client, path_of(connection), BODY, {})

    connection.refresh_from_db()
    assert (connection.refused, connection.refused_at is not None) == (3, True)


@pytest.mark.parametrize("path", ["acme", f"acme/{'x' * 22}"])
def test_an_unknown_provider_is_not_there(client, path):
    assert says(client, None, BODY, path=f"{PREFIX}/{path}").status_code == 404


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_another_method_is_not_allowed_but_mailchimp_may_look_whether_anybody_answers(client, method):
    answer = getattr(client, method)(f"{PREFIX}/sendgrid")

    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert getattr(client, method)(f"{PREFIX}/mailchimp/x").status_code == (200 if method == "get" else 405)


@pytest.mark.parametrize(("provider", "most"), [("sendgrid", 5), ("twilio", 1)])
def test_a_body_beyond_the_limit_is_refused_before_anybody_asks_who_signed_it(client, provider, most):
    path = path_of(connected(provider))

    assert [post(client, path, b"a" * (most * 1024 * 1024 + more), {}).status_code for more in (0, 1)] == [401, 413]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        *(
            (body, "application/json")
            for body in (b"", b"{", b"\xff", b'{"a":NaN}', b'{"a":1,"a":2}', b'{"a":"\\u0000"}')
        ),
        *((body, FORM) for body in (b"\xff=1", b"a=\x00", b"&" * 900)),
    ],
)
def test_genuine_nonsense_is_refused_and_not_stored(client, body, content_type):
    connection = connected()

    answer = post(client, path_of(connection), body, stamped(body), content_type)

    assert (answer.status_code, answer.json()["code"], stored()) == (400, "INVALID_JSON", 0)


def test_a_body_that_ends_early_is_refused(client):
    said = {"content_type": "application/json", "headers": stamped(BODY), "wsgi.input": io.BytesIO(BODY[:-1])}

    assert (client.generic("POST", path_of(connected()), BODY, **said).status_code, stored()) == (400, 0)


def test_what_cannot_be_stored_is_not_acknowledged(client):
    connection = connected()
    with database.cursor() as cursor:
        cursor.execute("ALTER TABLE dispatch_inboxentry ADD CONSTRAINT full_disk CHECK (provider = '') NOT VALID")

    answer = says(client, connection, BODY)

    assert (answer.status_code, answer.json()["code"], stored()) == (503, "SERVICE_UNAVAILABLE", 0)


def test_an_array_is_stored_event_by_event_each_once(client):
    connection = connected()
    events = [{"event": "open", "email": "a@b.test", "sg_event_id": f"e{n % 8}", "timestamp": 1} for n in range(10)]
    events.append({"event": "processed", "email": "a@b.test", "sg_event_id": "not counted"})

    answers = [says(client, connection, events), says(client, connection, events[3:])]
    connection.refresh_from_db()

    assert {answer.status_code for answer in answers} == {200}
    assert sorted(InboxEntry.objects.values_list("dedupe_key", flat=True)) == [f"e{n}" for n in range(8)] + [
        "not counted"
    ]
    assert (connection.events_received, connection.last_event_at is not None) == (8, True)


def test_the_first_of_two_bodies_with_one_id_counts(client):
    connection = connected()

    answers = [says(client, connection, OPENED | {"event_id": "e1", "email": f"{who}@b.test"}) for who in "ab"]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert json.loads(bytes(InboxEntry.objects.get().body))["email"] == "a@b.test"


def test_one_poisonous_event_is_parked_and_the_others_are_applied(client):
    connection = connected()
    events = [OPENED | {"event_id": f"e{n}"} for n in range(9)]
    events[4:4] = [{"event": "open", "email": 5, "sg_event_id": "poison"}]

    says(client, connection, events)
    for _ in range(inbox.MAX_TRIES):
        InboxEntry.objects.update(next_try_at=connection.created_at)
        inbox.apply_all()

    assert Event.objects.count() == 9
    failed = InboxEntry.objects.get(result="failed")
    assert (failed.dedupe_key, failed.error) == ("poison", "Unreadable: It has no e-mail address.")


@pytest.mark.parametrize("event", ["unsubscribe", "spamreport", "group_unsubscribe"])
def test_who_leaves_has_left_when_it_is_acknowledged(client, event):
    connection = connected()
    leaves = {"event": event, "email": "a@b.test", "sg_event_id": "e1", "timestamp": 1795000000}

    says(client, connection, [leaves, OPENED])

    assert consent.is_suppressed(connection.account, channel="email", address="A@b.test")
    assert sorted(InboxEntry.objects.values_list("result", flat=True)) == ["applied", "waiting"]
    assert says(client, connection, [leaves]).status_code == 200


def test_both_secrets_verify_for_a_day_after_a_rotation(client):
    connection = connected(secret=f"{SECRET} 1")

    def answers():
        return [says(client, connection, BODY, secret=f"{SECRET} {n}").status_code for n in (1, 2, 3)]

    before = answers()
    keyring.rotate(connection.account, "sendgrid", given=f"{SECRET} 2", by=None)
    within = answers()
    WebhookSecret.objects.exclude(valid_until=None).update(valid_until=connection.created_at)
    after = answers()

    assert (before, within, after) == ([200, 401, 401], [200, 200, 401], [401, 200, 401])


@pytest.mark.parametrize(("provider", "name"), [("twilio", "auth_token"), ("sendgrid", "webhook_public_key")])
def test_the_credentials_for_sending_verify_too(client, provider, name):
    secret = "a token of the account" if provider == "twilio" else PUBLIC
    sending = ConnectionFactory(provider=provider, secret={name: secret})
    connection = keyring.connection_of(sending.account, provider)
    path, body, headers, content_type = native(provider, connection)
    if provider == "twilio":
        headers = by_twilio(path, DELIVERED, secret=secret)

    assert post(client, path, body, headers, content_type).status_code == 200


def test_a_report_about_an_attempt_comes_by_an_address_that_only_we_make(client):
    attempt = DeliveryAttemptFactory()
    ConnectionFactory(account=attempt.account, secret={"auth_token": SECRET})
    path = callback_url(attempt.uuid).removeprefix("http://127.0.0.1:8000")
    forged = [path[:-1] + "g", path.replace(str(attempt.uuid), str(uuid4())), f"{path[:-1]}é"]
    gone = callback_url(uuid4()).removeprefix("http://127.0.0.1:8000")

    taken, *refused = (
        post(client, each, form_of(DELIVERED), by_twilio(each, DELIVERED), FORM) for each in (path, *forged, gone)
    )

    assert (taken.status_code, {answer.status_code for answer in refused}) == (200, {401})
    entry = InboxEntry.objects.get()
    assert (entry.account, entry.context) == (attempt.account, {"attempt": str(attempt.uuid)})


def test_an_erased_persons_webhooks_are_blank_and_nobody_elses(client):
    connection = connected("mailchimp")
    anna = CustomerFactory(account=connection.account, email="Anna@b.test", phone="+15550001111")
    others = [OPENED | {"email": "joanna@b.test"}, OPENED | {"phone": "+155500011112"}]
    for said in (OPENED | {"email": "anna@B.test"}, {"event_type": "sms.failed", "phone": anna.phone}, *others):
        says(client, connection, said)
    form = form_of(SUBSCRIBED | {"data[email]": "anna@b.test"})
    post(client, path_of(connection), form, stamped(form), FORM)

    erasing.erase(anna, by=None)

    found = InboxEntry.objects.order_by("pk").values_list("body", "result")
    assert [(bytes(body) == b"{}", result) for body, result in found] == [
        (True, "no_effect"), (True, "no_effect"), (False, "waiting"), (False, "waiting"), (True, "no_effect"),
    ]  # fmt: skip


def test_mailchimps_address_carries_its_secret():
    connection = keyring.connection_of(AccountFactory(), "mailchimp")

    assert webhooks.address_of(connection, secret="s").endswith(f"{path_of(connection)}?secret=s")
    assert hmac.compare_digest(webhooks.address_of(connection), f"http://127.0.0.1:8000{path_of(connection)}")
