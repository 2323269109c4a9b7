import pytest

from providers.sandbox.twilio.callbacks import status_form
from providers.sandbox.twilio.message import Message
from tests.providers.sandbox_box import KEY, PERSON, SENDER, until
from tests.sandbox_process import ACCOUNT, free_port

SERVICE = f"MG{'0a':0<32}"


def send(box, receiver, key=KEY, **form):
    path = f"/api/v1/campaign/webhooks/twilio/status/{key}?m=a%2Bb&x=1"
    sid = box.template() if "Body" not in form else None
    given = {"Body": None, "ContentSid": sid, "StatusCallback": receiver.url + path} | form
    return box.send(given).json()["sid"]


def told(box):
    return until(lambda: box.summary()["callbacks"]["pending"] == 0 and box.summary()["callbacks"])


@pytest.mark.parametrize("read_share, last", [(0, ["delivered"]), (1, ["delivered", "read"])])
def test_each_status_is_called_back_in_order_and_signed(box, receiver, read_share, last):
    box.settings(read_share=read_share)
    sid = send(box, receiver)

    until(lambda: len(receiver.forms) == 1 + len(last))

    assert receiver.statuses(sid) == ["sent", *last]
    assert receiver.forms[1] == {
        "path": f"/api/v1/campaign/webhooks/twilio/status/{KEY}?m=a%2Bb&x=1",
        "SmsSid": sid,
        "SmsStatus": "delivered",
        "MessageSid": sid,
        "MessageStatus": "delivered",
        "ChannelPrefix": "whatsapp",
        "ChannelToAddress": "+1202555XXXX",
        "ChannelInstallSid": f"XE{ACCOUNT[2:]}",
        "StructuredMessage": "false",
        "EventType": "DELIVERED",
        "To": PERSON,
        "From": SENDER,
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
    }
    assert told(box) == {"sent": 1 + len(last), "lost": 0, "failed": 0, "pending": 0}


def test_a_share_of_the_messages_is_read(box, receiver):
    sid = box.template()
    for number in range(100):
        send(box, receiver, key=f"6f6b2a34-95a4-4be2-9a4e-{number:012}", Body=None, ContentSid=sid)
    told(box)

    assert sum(form["MessageStatus"] == "read" for form in receiver.forms) == 38


def test_a_failure_is_called_back_with_its_code(box, receiver):
    sid = send(box, receiver, To="whatsapp:+15006063024")
    told(box)

    assert receiver.statuses(sid) == ["sent", "undelivered"]
    said = receiver.forms[-1]
    assert (said["ErrorCode"], said["EventType"]) == ("63024", "UNDELIVERED")
    assert said["ErrorMessage"] == said["ChannelStatusMessage"] == "Invalid message recipient"


def test_an_sms_is_called_back_without_the_channels_fields():
    message = Message(n=1, sid="SM1", account=ACCOUNT, to="+1202", sender=None, service=SERVICE, at=0.0, due=0.0)

    assert status_form(message, "sent") == {
        "SmsSid": "SM1",
        "SmsStatus": "sent",
        "MessageSid": "SM1",
        "MessageStatus": "sent",
        "To": "+1202",
        "From": "",
        "MessagingServiceSid": SERVICE,
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
        "RawDlrDoneDate": "7001010000",
    }


@pytest.mark.parametrize(
    "fault, statuses, tally",
    [
        ("callback_loss", [], {"sent": 0, "lost": 3, "failed": 0}),
        (
            "callback_dup",
            ["sent", "sent", "delivered", "delivered", "read", "read"],
            {"sent": 6, "lost": 0, "failed": 0},
        ),
        ("callback_reorder", ["read", "delivered", "sent"], {"sent": 3, "lost": 0, "failed": 0}),
    ],
)
def test_callbacks_are_lost_doubled_and_reordered(box, receiver, fault, statuses, tally):
    box.settings(read_share=1, **{fault: 1})
    sid = send(box, receiver)

    assert told(box) == tally | {"pending": 0}
    assert receiver.statuses(sid) == statuses


def test_a_refused_callback_is_not_repeated(box, receiver):
    receiver.status = 503
    sid = send(box, receiver)

    assert told(box)["failed"] == len(receiver.statuses(sid))


def test_a_callback_is_tried_once_more_when_nobody_is_there(box):
    box.settings(read_share=0)
    send(box, type("Nobody", (), {"url": f"http://127.0.0.1:{free_port()}"}))

    assert told(box)["failed"] == 2


def test_a_callback_that_cannot_be_called_counts_as_failed(box):
    box.settings(read_share=0)
    send(box, type("Nobody", (), {"url": "http://[::"}))

    assert told(box)["failed"] == 2


def test_a_cancelled_message_is_not_called_back(box, receiver):
    box.settings(callback_delay_ms=300)
    sid = send(box, receiver)
    box.messages("POST", f"/{sid}", data={"Status": "canceled"})

    until(lambda: box.summary()["callbacks"]["pending"] == 0)

    assert receiver.forms == []


@pytest.mark.parametrize("delay", [0, 60_000])
def test_a_reset_forgets_what_was_to_be_told(box, receiver, delay):
    box.settings(callback_delay_ms=delay, read_share=1)
    for _ in range(50):
        send(box, receiver)
    box.reset()

    assert until(lambda: box.summary()["callbacks"]["pending"] == 0)
    assert box.summary()["callbacks"]["sent"] == 0


@pytest.mark.parametrize("status", [204, 401])
def test_an_inbound_message_is_signed_and_its_answer_told(box, receiver, status):
    receiver.status = status
    box.settings(inbound_url=f"{receiver.url}/inbound?x=1")
    box.send()
    answer = box.write(sender=PERSON, to=SENDER, body="Is it open?", params={"ButtonPayload": "yes"})

    assert answer["status"] == status
    assert receiver.forms == [
        {
            "path": "/inbound?x=1",
            "MessageSid": answer["sid"],
            "SmsSid": answer["sid"],
            "SmsMessageSid": answer["sid"],
            "AccountSid": ACCOUNT,
            "From": PERSON,
            "To": SENDER,
            "Body": "Is it open?",
            "NumMedia": "0",
            "NumSegments": "1",
            "SmsStatus": "received",
            "ProfileName": "Sandbox 0143",
            "WaId": "12025550143",
            "ApiVersion": "2010-04-01",
            "ButtonPayload": "yes",
        }
    ]
    assert [message["direction"] for message in box.messages("GET").json()["messages"]] == ["inbound", "outbound-api"]
    assert (len(box.log()), box.summary()["inbound"]) == (1, 1)


def test_an_sms_to_a_number_that_never_sent_needs_its_account(box, receiver):
    box.settings(inbound_url=f"{receiver.url}/inbound")
    box.send()
    box.write(sender="+12025550143", to="+14155230000", body="Hi", account_sid=ACCOUNT)

    assert ("WaId" in receiver.forms[0], receiver.forms[0]["From"]) == (False, "+12025550143")


def test_stop_ends_and_start_resumes(box):
    box.settings(inbound_url="http://127.0.0.1:9/")
    box.send()

    assert box.write(sender=PERSON, to=SENDER, body=" stop ")["status"] is None
    assert (box.send().json()["code"], box.summary()["opted_out"]) == (21610, 1)
    assert box.send({"To": "whatsapp:+12025550100"}).status_code == 201
    box.write(sender=PERSON, to=SENDER, body="Start")
    assert box.send().status_code == 201


@pytest.mark.parametrize(
    "message",
    [
        {"to": SENDER},
        {"from": PERSON, "to": SENDER, "body": 1},
        {"from": PERSON, "to": SENDER, "params": []},
        {"from": PERSON, "to": SENDER, "params": {"a": 1}},
        {"from": PERSON, "to": "whatsapp:+1999", "body": "Nobody's number"},
    ],
)
def test_an_inbound_message_that_makes_no_sense_is_refused(box, message):
    answer = box.call("POST", "/_sandbox/inbound", json=message)

    assert (answer.status_code, list(answer.json())) == (400, ["error"])
