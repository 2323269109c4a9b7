import uuid
from urllib.parse import urlencode

import pytest
from django.db import DatabaseError, connection
from twilio.request_validator import RequestValidator

from campaigns.conversations import receive_all
from campaigns.models import Message
from campaigns.sending import callback_mac, callback_url
from crm.customers import erasing
from crm.models import ConsentEntry, Event, Suppression
from dispatch.models import InboxEntry
from tests.factories import ConnectionFactory, CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db
SID = "SM" + "1" * 32
INBOUND = "/api/v1/campaign/webhooks/twilio/inbound"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def twilio():
    return ConnectionFactory(secret={"auth_token": "fake-token"})


def post(client, address, form, *, token="fake-token", signed=None, signature=None, **extra):
    url = f"http://127.0.0.1:8000{address}"
    header = RequestValidator(token).compute_signature(url, signed or form) if signature is None else signature
    return client.post(address, urlencode(form), content_type=FORM, headers={"X-Twilio-Signature": header}, **extra)


def status_of(twilio, status="delivered", sid=SID):
    return {"MessageSid": sid, "MessageStatus": status, "AccountSid": twilio.external_id, "To": "whatsapp:+1555"}


def address(key=None, mac=None):
    key = key or uuid.uuid4()
    return f"/api/v1/campaign/webhooks/twilio/status/{key}?m={callback_mac(key) if mac is None else mac}"


def inbound_of(twilio, body="STOP", **changed):
    form = {"MessageSid": SID, "From": "whatsapp:+15550001111", "To": f"whatsapp:{twilio.sender}", "Body": body}
    return form | {"AccountSid": twilio.external_id} | changed


def test_a_genuine_callback_is_stored_with_its_raw_body_and_acknowledged(client, twilio):
    key = uuid.uuid4()

    answer = post(client, address(key), status_of(twilio))
    stored = InboxEntry.objects.get()

    assert (answer.status_code, stored.account, stored.context) == (200, twilio.account, {"attempt": str(key)})
    assert bytes(stored.body) == urlencode(status_of(twilio)).encode()


def test_the_same_callback_is_stored_once(client, twilio):
    where = address()

    answers = [post(client, where, status_of(twilio)).status_code for _ in range(3)]

    assert (answers, InboxEntry.objects.count()) == ([200] * 3, 1)


def test_the_address_we_give_to_twilio_is_the_one_that_answers():
    key = uuid.uuid4()

    assert callback_url(key).endswith(address(key))


@pytest.mark.parametrize(
    "forged",
    [
        {"token": "another"},
        {"signature": ""},
        {"signature": "é"},
        {"signed": {"MessageSid": SID}},
    ],
)
def test_a_forged_callback_is_refused_and_not_stored(client, twilio, forged):
    answer = post(client, address(), status_of(twilio), **forged)

    assert (answer.status_code, answer.json()["code"], InboxEntry.objects.count()) == (401, "UNAUTHORIZED", 0)


@pytest.mark.parametrize("mac", ["", "0" * 32, "é"])
def test_an_address_that_is_not_ours_is_refused(client, twilio, mac):
    assert post(client, address(mac=mac), status_of(twilio)).status_code == 401


@pytest.mark.parametrize(
    "form", [{"AccountSid": "AC" + "f" * 32}, {"MessageSid": "nonsense"}, {"MessageStatus": ""}, {"AccountSid": "\x00"}]
)
def test_a_form_that_no_connection_signed_or_that_says_nothing_is_refused(client, twilio, form):
    assert post(client, address(), status_of(twilio) | form).status_code == 401


@pytest.mark.parametrize(("body", "status"), [(b"a" * (1024 * 1024 + 1), 413), (b"\xff=1", 401), (b"&" * 9000, 401)])
def test_a_body_that_is_too_large_or_no_form_is_refused(client, twilio, body, status):
    answer = client.post(address(), body, content_type=FORM, headers={"X-Twilio-Signature": "x"})

    assert answer.status_code == status


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_another_method_is_not_allowed(client, method):
    assert getattr(client, method)(address()).status_code == 405


def test_stop_has_taken_effect_when_the_webhook_is_acknowledged(client, twilio):
    answer = post(client, INBOUND, inbound_of(twilio))

    assert (answer.status_code, answer["Content-Type"], b"<Response/>" in answer.content) == (200, "text/xml", True)
    assert (Suppression.objects.count(), Message.objects.get().body) == (1, "STOP")
    assert InboxEntry.objects.get().result == "applied"


def sms_of(twilio, body, **changed):
    return inbound_of(twilio, body, From="+15550001111", To=twilio.sms_sender, **changed)


@pytest.mark.parametrize(
    ("said", "channels"),
    [
        ([("STOP", {})], ["sms"]),
        ([(" stop. ", {})], ["sms"]),
        ([("Unsubscribe", {})], ["sms"]),
        ([("please stop", {})], []),
        ([("Leave me alone", {"OptOutType": "STOP"})], ["sms"]),
        ([("STOP", {}), ("START", {})], []),
    ],
)
def test_a_stop_by_sms_has_taken_effect_when_it_is_acknowledged(client, twilio, said, channels):
    customer = CustomerFactory(account=twilio.account, phone="+15550001111")
    for number, (body, more) in enumerate(said):
        answer = post(client, INBOUND, sms_of(twilio, body, MessageSid=f"SM{number:032}", **more))
        assert (answer.status_code, b"<Response/>" in answer.content) == (200, True)
    customer.refresh_from_db()

    assert list(Suppression.objects.values_list("channel", flat=True)) == channels
    assert customer.sms_opt_in == (said[-1][0] == "START")
    assert Event.objects.filter(customer=customer, type="sms.received").count() == len(said)
    assert set(InboxEntry.objects.values_list("result", flat=True)) == {"applied"}
    # It is no part of a WhatsApp conversation.
    assert not Message.objects.exists()


def test_a_repeated_sms_has_no_second_effect_not_even_when_it_is_replayed(client, twilio):
    for _ in range(2):
        post(client, INBOUND, sms_of(twilio, "STOP"))
    receive_all(InboxEntry.objects.select_related("account"))

    assert (ConsentEntry.objects.count(), Event.objects.count(), InboxEntry.objects.count()) == (1, 1, 1)


def test_an_sms_to_a_messaging_service_is_for_whoever_has_it(client):
    service = "MG" + "0" * 32
    twilio = ConnectionFactory(secret={"auth_token": "fake-token"}, sms_sender=service)
    form = sms_of(twilio, "STOP", MessagingServiceSid=service) | {"To": "+15559990000"}

    assert (post(client, INBOUND, form).status_code, Suppression.objects.get().account) == (200, twilio.account)


@pytest.mark.parametrize(
    "changed", [{"To": "+19999999"}, {"To": "whatsapp:+15550002222"}, {"MessagingServiceSid": "MG1", "To": "+1"}]
)
def test_an_sms_for_nobodys_number_or_across_channels_is_refused(client, twilio, changed):
    ConnectionFactory(sms_sender="")

    assert post(client, INBOUND, sms_of(twilio, "STOP") | changed).status_code == 401


def test_a_number_for_whatsapp_takes_no_sms(client, twilio):
    assert post(client, INBOUND, sms_of(twilio, "STOP") | {"To": twilio.sender}).status_code == 401


def test_erasure_blanks_what_they_wrote_and_keeps_the_suppression(client, twilio):
    customer = CustomerFactory(account=twilio.account, phone="+15550001111")
    post(client, INBOUND, sms_of(twilio, "STOP"))

    erasing.erase(customer, by=UserFactory())

    assert bytes(InboxEntry.objects.get().body) == b""
    assert (Event.objects.get().properties, Suppression.objects.count()) == ({}, 1)


def test_a_repeated_inbound_message_has_no_second_effect(client, twilio):
    for _ in range(2):
        assert post(client, INBOUND, inbound_of(twilio)).status_code == 200

    assert (Message.objects.count(), InboxEntry.objects.count()) == (1, 1)


@pytest.mark.parametrize("changed", [{"To": "whatsapp:+19999999"}, {"From": ""}])
def test_a_message_for_nobody_or_from_nobody_is_refused(client, twilio, changed):
    assert post(client, INBOUND, inbound_of(twilio, **changed)).status_code == 401


def test_a_message_for_another_accounts_number_is_refused(client, twilio):
    other = ConnectionFactory()

    answer = post(client, INBOUND, inbound_of(twilio, To=f"whatsapp:{other.sender}"))

    assert (answer.status_code, Message.objects.count()) == (401, 0)


def test_what_cannot_be_stored_is_not_acknowledged(client, twilio):
    def refuse(execute, sql, params, many, context):
        if "INSERT INTO dispatch_inboxentry" in sql:
            raise DatabaseError("the disk is full")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        answer = post(client, address(), status_of(twilio))

    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
