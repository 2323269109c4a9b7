import base64
import re
import time

import pytest

from providers.sandbox.twilio.message import Message
from tests.providers.sandbox_box import KEY, LANES, PERSON, SENDER
from tests.sandbox_process import ACCOUNT, TOKEN

SERVICE = f"MG{'0a':0<32}"
UNKNOWN_CONTENT = f"HX{'0a':0<32}"
CALLBACK = f"http://127.0.0.1:9/api/v1/campaign/webhooks/twilio/status/{KEY}?m=0a"


def codes(answer):
    return answer.status_code, answer.json()["code"]


@LANES
def test_an_accepted_message_is_answered_with_twilios_resource(box, lane):
    answer = box.send({"Body": "Grüße 👋"}, headers=lane)

    assert (answer.status_code, answer.headers["Content-Type"]) == (201, "application/json")
    sid, date = answer.json()["sid"], answer.json()["date_created"]
    assert re.fullmatch(r"MM[0-9a-f]{32}", sid)
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000", date)
    uri = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}"
    assert answer.json() == {
        "account_sid": ACCOUNT,
        "api_version": "2010-04-01",
        "body": "Grüße 👋",
        "date_created": date,
        "date_sent": None,
        "date_updated": date,
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": SENDER,
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": None,
        "sid": sid,
        "status": "queued",
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": PERSON,
        "uri": f"{uri}.json",
    }


@LANES
@pytest.mark.parametrize(
    "form, refusal",
    [
        ({"To": None}, (400, 21604)),
        ({"To": "12"}, (400, 21211)),
        ({"To": "whatsapp:+0123456789"}, (400, 21211)),
        ({"From": None}, (400, 21603)),
        ({"From": "whatsapp:x"}, (400, 21212)),
        ({"From": "+14155238886"}, (400, 21910)),
        ({"From": None, "MessagingServiceSid": "MG1"}, (400, 21703)),
        ({"Body": ""}, (400, 21602)),
        ({"Body": "a" * 1601}, (400, 21617)),
        ({"MediaUrl": ["https://example.com/a.png"] * 11}, (400, 21623)),
        ({"ContentSid": "HX1"}, (400, 21655)),
        ({"ContentSid": UNKNOWN_CONTENT}, (400, 21655)),
        ({"ContentSid": UNKNOWN_CONTENT, "ContentVariables": "{"}, (400, 21656)),
        ({"ContentSid": UNKNOWN_CONTENT, "ContentVariables": "[]"}, (400, 21656)),
        ({"ContentSid": UNKNOWN_CONTENT, "ContentVariables": '{"1": 2}'}, (400, 21656)),
        ({"ContentSid": UNKNOWN_CONTENT, "ContentVariables": "[" * 100_000}, (400, 21656)),
        ({"StatusCallback": "ftp://example.com"}, (400, 21609)),
        ({"ScheduleType": "fixed"}, (400, 35114)),
        ({"ScheduleType": "fixed", "SendAt": "soon", "MessagingServiceSid": SERVICE}, (400, 35114)),
        ({str(number): "" for number in range(201)}, (400, 20001)),
        # Twilio's own test numbers, and the ones that stand for any error.
        ({"To": "whatsapp:+15005550001"}, (400, 21211)),
        ({"To": "+15005550009"}, (400, 21614)),
        ({"To": "whatsapp:+15005063024"}, (400, 63024)),
        ({"To": "whatsapp:+15005020003"}, (401, 20003)),
        ({"To": "whatsapp:+15005020429"}, (429, 20429)),
        ({"To": "whatsapp:+15005063012"}, (500, 63012)),
        ({"To": "whatsapp:+15005012345"}, (400, 12345)),
    ],
)
def test_a_refusal_carries_twilios_code(box, form, refusal, lane):
    answer = box.send(form, headers=lane)

    assert codes(answer) == refusal
    assert answer.json()["more_info"] == f"https://www.twilio.com/docs/errors/{refusal[1]}"
    assert set(answer.json()) == {"code", "message", "more_info", "status"}
    assert (box.log(), [call["outcome"] for call in box.calls()]) == ([], [f"refused:{refusal[1]}"])


@pytest.mark.parametrize(
    "auth",
    [None, (ACCOUNT, ""), ("AC1", TOKEN), "Bearer x", "Basic !", "Basic gIA="],
)
def test_nobody_speaks_for_an_account_without_its_credentials(box, auth):
    given = {"headers": {"Authorization": auth}, "auth": None} if isinstance(auth, str) else {"auth": auth}

    assert codes(box.send(**given)) == (401, 20003)
    assert codes(box.messages("GET", **given)) == (401, 20003)
    assert codes(box.call("GET", "/v1/Content", **given)) == (401, 20003)


def test_one_account_does_not_speak_for_another(box):
    other = (f"AC{'b':0<32}", TOKEN)

    assert codes(box.send(auth=other)) == codes(box.messages("GET", auth=other)) == (401, 20003)


def test_an_api_key_speaks_for_the_account_in_the_path(box):
    assert box.send(auth=("SKfake", "secret")).status_code == 201


def test_the_log_is_the_sandboxs_own_record(box):
    sid = box.template()
    variables = '{"1": "Béa"}'
    form = {"Body": None, "ContentSid": sid, "ContentVariables": variables, "StatusCallback": CALLBACK}
    before = time.time()
    message = box.send(form).json()

    (entry,) = box.log()
    assert before <= entry.pop("at") <= time.time()
    assert entry.pop("status") in {"delivered", "read"}
    assert entry == {
        "sid": message["sid"],
        "account_sid": ACCOUNT,
        "to": PERSON,
        "from": SENDER,
        "key": KEY,
        "body": "Hi Béa, your order is ready.",
        "content_sid": sid,
        "content_variables": variables,
        "outcome": "accepted",
    }
    (call,) = box.calls(since=before, limit=1)
    assert (call["to"], call["key"], call["outcome"], call["sid"]) == (PERSON, KEY, "accepted", message["sid"])


def test_a_variable_nobody_gave_is_filled_with_the_sample(box):
    sid = box.template({"twilio/text": {"body": "Hi {{1}}, {{ 2 }} and {{name}}."}}, variables={"1": "Ann", "2": "two"})
    answer = box.send({"Body": None, "ContentSid": sid, "ContentVariables": '{"2": ""}'})

    assert answer.json()["body"] == "Hi Ann, two and {{name}}."


def test_an_unknown_template_is_taken_when_the_settings_allow_it(box):
    box.settings(strict_content=False)

    assert box.send({"Body": None, "ContentSid": UNKNOWN_CONTENT}).status_code == 201
    assert codes(box.send({"Body": None, "ContentSid": "HX1"})) == (400, 21655)


def test_a_neighbours_template_is_unknown(box):
    other = f"AC{'b':0<32}"
    assert codes(box.send({"ContentSid": box.template()}, account=other, auth=(other, TOKEN))) == (400, 21655)


@pytest.mark.parametrize(
    "made, then, ending",
    [
        ("template", None, ("read", None)),
        ("draft", None, ("failed", 63016)),
        ("template", "pending", ("failed", 63016)),
        ("template", "rejected", ("failed", 63040)),
        ("template", "paused", ("failed", 63041)),
        ("template", "disabled", ("failed", 63042)),
        ("words", None, ("failed", 63016)),
        ("answer", None, ("read", None)),
        ("sms", None, ("delivered", None)),
        ("undelivered", None, ("undelivered", 63024)),
        ("failed", None, ("failed", 63018)),
    ],
)
def test_what_whatsapp_would_not_deliver_fails_later(box, made, then, ending):
    box.settings(read_share=1)
    sid = box.template(submit=made != "draft") if made in {"template", "draft"} else None
    if then:
        box.rule(sid, then)
    if made == "answer":
        box.send()
        box.settings(inbound_url="http://127.0.0.1:9/")
        box.write(sender=PERSON, to=SENDER, body="Is it open?")
    to = {"sms": "+12025550143", "undelivered": "whatsapp:+15006063024", "failed": "whatsapp:+15007063018"}
    sender = "+14155238886" if made == "sms" else SENDER
    form = {"To": to.get(made, PERSON), "From": sender, "ContentSid": sid, "Body": None if sid else "Hi"}

    message = box.send(form).json()
    later = box.messages("GET", f"/{message['sid']}").json()

    assert message["status"] == "queued"
    assert (later["status"], later["error_code"]) == ending
    assert (later["error_message"] is None) == (ending[1] is None)


@pytest.mark.parametrize(
    "facts, expected",
    [
        ({}, ["queued", "queued", "sent", "delivered", "delivered"]),
        ({"ending": "read"}, ["queued", "queued", "sent", "delivered", "read"]),
        ({"ending": "undelivered"}, ["queued", "queued", "sent", "undelivered", "undelivered"]),
        ({"service": SERVICE}, ["accepted", "accepted", "sent", "delivered", "delivered"]),
        ({"due": 110.0}, ["scheduled", "scheduled", "accepted", "sent", "delivered"]),
        ({"settled": "canceled"}, ["canceled"] * 5),
    ],
)
def test_a_message_walks_with_the_clock(facts, expected):
    facts = {"due": 100.0, "service": SERVICE if "due" in facts else None} | facts
    message = Message(n=1, sid="MM1", account=ACCOUNT, to=PERSON, sender=SENDER, at=100.0, step=10.0, **facts)

    assert [message.status(now) for now in (100, 109, 110, 120, 130)] == expected


def test_a_scheduled_message_can_be_cancelled_and_a_delivered_one_cannot(box):
    form = {"From": None, "MessagingServiceSid": SERVICE, "ScheduleType": "fixed", "SendAt": "2099-01-01T00:00:00Z"}
    waiting, gone = box.send(form).json(), box.send().json()
    cancel = {"Status": "canceled"}

    assert (waiting["status"], waiting["from"], waiting["num_segments"]) == ("scheduled", None, "0")
    assert box.messages("POST", f"/{waiting['sid']}", data=cancel).json() == waiting | {
        "status": "canceled",
        "num_segments": "1",
    }
    assert codes(box.messages("POST", f"/{gone['sid']}", data=cancel)) == (400, 30409)


def test_a_message_can_be_redacted_and_deleted_but_our_record_stays(box):
    box.settings(callback_delay_ms=60_000)
    fresh = box.send().json()["sid"]
    assert codes(box.messages("DELETE", f"/{fresh}")) == (409, 20009)
    box.settings(callback_delay_ms=0)
    sid = box.send({"Body": "secret"}).json()["sid"]

    assert box.messages("POST", f"/{sid}", data={"Body": ""}).json()["body"] == ""
    assert codes(box.messages("POST", f"/{sid}", data={"Body": "x"})) == (400, 20001)
    assert box.messages("DELETE", f"/{sid}").status_code == 204
    assert codes(box.messages("GET", f"/{sid}")) == (404, 20404)
    assert [message["sid"] for message in box.messages("GET").json()["messages"]] == [fresh]
    assert [entry["body"] for entry in box.log()] == ["Hello", "secret"]


def test_the_list_is_filtered_newest_first(box):
    first, second = box.send().json(), box.send({"To": "whatsapp:+12025550100"}).json()
    third = box.send({"From": "whatsapp:+14155230000"}).json()
    today = time.strftime("%Y-%m-%d", time.gmtime())

    def found(**query):
        return [each["sid"] for each in box.messages("GET", params=query).json()["messages"]]

    everything = [third["sid"], second["sid"], first["sid"]]
    assert found() == everything
    assert found(To=PERSON) == [third["sid"], first["sid"]]
    assert found(To=PERSON, From=SENDER) == [first["sid"]]
    assert found(To="+1") == []
    for same in (today, first["date_created"], time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))):
        assert found(**{"DateSent>": same}) == everything
    assert found(DateSent=today) == found(**{"DateSent<": today}) == everything
    assert found(DateSent="2019-06-11") == found(**{"DateSent<": "2019-06-11 22:05:25.000"}) == []
    assert found(**{"DateSent>": "2099-01-01"}) == []


def test_the_list_comes_in_pages(box):
    sids = [box.send({"Body": str(number)}).json()["sid"] for number in range(5)][::-1]
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    first = box.messages("GET", params={"PageSize": 2, "To": PERSON}).json()
    box.send({"Body": "Newer ones do not move the pages"})
    second = box.call("GET", first["next_page_uri"]).json()
    third = box.call("GET", second["next_page_uri"]).json()
    to = "To=whatsapp%3A%2B12025550143"

    assert [m["sid"] for page in (first, second, third) for m in page["messages"]] == sids
    assert {name: value for name, value in second.items() if name != "messages"} == {
        "first_page_uri": f"{path}?{to}&PageSize=2&Page=0",
        "next_page_uri": f"{path}?{to}&PageSize=2&Page=2&PageToken=PA{sids[3]}",
        "previous_page_uri": f"{path}?{to}&PageSize=2&Page=0",
        "uri": f"{path}?{to}&PageSize=2&Page=1&PageToken=PA{sids[1]}",
        "page": 1,
        "page_size": 2,
        "start": 2,
        "end": 3,
    }
    assert (third["next_page_uri"], third["start"], third["end"]) == (None, 4, 4)
    assert len(box.messages("GET", params={"PageSize": 2, "Page": 2}).json()["messages"]) == 2


@pytest.mark.parametrize(
    "query", [{"PageSize": "0"}, {"Page": "-1"}, {"PageToken": "PAx"}, {"DateSent": "x"}, {"DateSent>": "9" * 40}]
)
def test_a_list_parameter_that_makes_no_sense_is_refused(box, query):
    assert codes(box.messages("GET", params=query)) == (400, 20001)


def test_a_new_message_may_be_late_in_the_list(box):
    box.settings(list_lag_ms=60_000)
    sid = box.send().json()["sid"]

    assert box.messages("GET").json()["messages"] == []
    assert box.messages("GET", f"/{sid}").status_code == 200


@pytest.mark.parametrize("path", [f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json", "/2010-04-01/x", "/v1/Nothing"])
def test_what_is_not_there_is_refused_in_twilios_words(box, path):
    assert codes(box.call("GET", path)) == (404, 20404)


def test_a_method_that_is_not_there_is_refused_in_twilios_words(box):
    assert codes(box.messages("PATCH")) == (405, 20405)


def test_credentials_are_read_in_any_case_and_only_the_latest_token_counts(box):
    given = base64.b64encode(f"{ACCOUNT}:other".encode()).decode()
    assert box.send(auth=None, headers={"Authorization": f"basic {given}"}).status_code == 201
