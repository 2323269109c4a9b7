"""SMS as they leave for Twilio, against its SDK and its OpenAPI; and their way through the sandbox."""

import asyncio
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
from twilio.rest import Client

from providers.base import Accepted, Credentials, Refused, TextMessage
from providers.twilio import TwilioTexts
from tests.canned import Canned, http
from tests.contracts.test_twilio_wire import CALLBACK, CREDENTIALS, LIST, MESSAGES, SERVICE, Recorder, check

SID = f"SM{'0f' * 16}"
KEY = "6f6b2a34-95a4-4be2-9a4e-1f0d6c0f7a11"
SENDER, PERSON = "+14155230000", "+12025550143"
BODY = "Zoë & Co: 20 % off + free drink ☕\nSTOP to end"


def text(**changed):
    return TextMessage(
        **({"to": PERSON, "sender": SENDER, "body": BODY, "key": KEY, "callback_url": CALLBACK} | changed)
    )


def asked_of(url, *questions):
    """What `texts` said to each question, a function of it."""

    async def ask():
        texts = TwilioTexts(url, timeout=5, slowest=1, quiet=5, connections=1)
        try:
            return [await question(texts) for question in questions]
        finally:
            await texts.close()

    return asyncio.run(ask())


def sending(message=None, credentials=CREDENTIALS):
    return lambda texts: texts.send(message or text(), credentials)


@pytest.mark.parametrize(
    "message, origin",
    [
        (text(), {"from_": SENDER}),
        (text(sender="Bakery"), {"from_": "Bakery"}),
        (text(sender=SERVICE), {"messaging_service_sid": SERVICE}),
    ],
    ids=["from a number", "from letters", "from a service"],
)
def test_an_sms_leaves_as_the_sdk_would_send_it(message, origin):
    with Canned(http(201, {"sid": SID, "status": "queued"})).open() as canned:
        said = asked_of(canned.url, sending(message))
    (ours,), recorder = canned.asked, Recorder()
    Client(CREDENTIALS.account_id, CREDENTIALS.secret, http_client=recorder).messages.create(
        to=PERSON, body=BODY, status_callback=CALLBACK, **origin
    )
    sdk = recorder.request

    assert said == [Accepted(SID, "queued")]
    assert (ours.method, ours.target, ours.body) == (sdk.method, urlsplit(sdk.url).path, sdk.body.encode())
    check(dict(parse_qsl(ours.body.decode())), MESSAGES, LIST, "post")


def test_an_sms_through_the_sandbox_is_accepted_kept_and_found(box):
    credentials = Credentials(f"AC{'b' * 32}", "fake-token")
    begun = datetime.now(UTC)

    def found(sender):
        return lambda texts: texts.find(PERSON, sender, begun, credentials)

    said, listed, others, served, service = asked_of(
        box.url,
        sending(credentials=credentials),
        found(SENDER),
        found("+14155239999"),
        sending(text(sender=SERVICE), credentials),
        found(SERVICE),
    )

    assert (said.provider_id[:2], [each.provider_id for each in listed], others) == ("SM", [said.provider_id], [])
    assert [each.provider_id for each in service] == [served.provider_id]
    assert [(each["to"], each["body"], each["key"]) for each in box.log()] == [(PERSON, BODY, KEY)] * 2


def test_a_stop_by_sms_refuses_sms_and_leaves_whatsapp(box):
    box.settings(inbound_url="http://127.0.0.1:9/")
    credentials = Credentials(f"AC{'fake':0<32}", "fake-token")
    asked_of(box.url, sending(credentials=credentials))
    box.write(sender=PERSON, to=SENDER, body="STOP")

    assert asked_of(box.url, sending(credentials=credentials)) == [
        Refused("21610", "Attempt to send to unsubscribed recipient", effect="opt_out")
    ]
    assert box.send({"To": f"whatsapp:{PERSON}"}).status_code == 201
