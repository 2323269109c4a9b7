import base64
import re
import socket
import time

import pytest
import requests

from providers.sandbox.exchange import Entry, Exchange
from providers.sandbox.faults import Fate, SettingError, Settings
from tests.providers.sandbox_box import KEY, LANES, PERSON, until
from tests.sandbox_process import ACCOUNT

KEYS = [f"6f6b2a34-95a4-4be2-9a4e-{number:012}" for number in range(1000)]


def outcomes(box):
    return [call["outcome"] for call in box.calls() if call["kind"] == "message"]


@LANES
@pytest.mark.parametrize(
    "fault, status, kind, accepted",
    [
        ("status_429", 429, "application/json", 0),
        ("status_500", 500, "application/json", 0),
        ("status_500_accepted", 500, "application/json", 1),
        ("garbage", 200, "text/html; charset=utf-8", 1),
    ],
)
def test_a_fault_answers_as_it_says(box, fault, status, kind, accepted, lane):
    box.settings(**{fault: 1}, retry_after_s=7)
    answer = box.send(headers=lane)

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, kind)
    assert answer.headers.get("Retry-After") == ("7" if status == 429 else None)
    assert ([entry["outcome"] for entry in box.log()], outcomes(box)) == ([fault] * accepted, [fault])


@LANES
def test_a_lost_answer_is_a_reset_of_an_accepted_call(box, lane):
    box.settings(lose_response=1)
    with pytest.raises(requests.ConnectionError, match=r"Connection (reset|aborted)"):
        box.send(headers=lane)

    assert (len(box.log()), outcomes(box)) == (1, ["lose_response"])


def test_a_refusal_of_the_providers_own_outranks_a_fault_that_accepts(box):
    box.settings(garbage=1)

    assert box.send({"To": "12"}).json()["code"] == 21211


def test_templates_have_the_same_faults_and_a_retry_is_another_draw(box):
    box.settings(status_500=0.5)
    answers = [box.call("POST", "/v1/Content", json={"friendly_name": "one"}).status_code for _ in range(12)]
    calls = [(call["kind"], call["key"]) for call in box.calls()]

    assert (set(answers), calls) == ({500, 400}, [("content", "one")] * 12)


def test_the_same_key_has_the_same_fate_in_every_run():
    settings = Settings().changed({"lose_response": 0.01, "status_500": 0.2, "status_429": 0.3, "seed": 7})
    fates = [settings.fate_of(key) for key in KEYS]

    assert fates == [settings.fate_of(key) for key in KEYS]
    assert [fates.count(fate) for fate in Fate] == [485, 286, 220, 0, 9, 0]
    assert fates != [settings.changed({"seed": 8}).fate_of(key) for key in KEYS]


@pytest.mark.parametrize(
    "settings, least",
    [
        ({"latency_ms": 150}, 0.15),
        ({"slow_after_ms": 150}, 0.15),
        ({"accept_after_ms": 150}, 0.15),
        ({"accept_after_ms": 100, "slow_after_ms": 100, "latency_ms": 50}, 0.25),
        ({"accept_after_ms": 2000, "slow_after_ms": 2000, "slow_share": 0}, 0),
    ],
)
@LANES
def test_an_answer_takes_as_long_as_the_settings_say(box, settings, least, lane):
    box.settings(**settings)
    begun = time.monotonic()
    box.send(headers=lane)

    assert least - 0.002 <= time.monotonic() - begun < least + 0.5


@pytest.mark.parametrize("setting, accepted", [("slow_after_ms", 1), ("accept_after_ms", 0)])
def test_a_slow_call_is_accepted_at_once_or_late(box, setting, accepted):
    box.settings(**{setting: 400})
    with pytest.raises(requests.ReadTimeout):
        requests.post(
            f"{box.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
            data={"To": PERSON, "From": "whatsapp:+14155238886", "Body": "Hello"},
            auth=(ACCOUNT, "fake-token"),
            timeout=0.1,
        )

    assert len(box.log()) == accepted
    assert len(box.calls()) == 1
    until(box.log)


@pytest.mark.parametrize(
    "wanted",
    [
        {"nothing": 1},
        {"seed": 1.5},
        {"seed": True},
        {"seed": -1},
        {"garbage": 1.1},
        {"garbage": "1"},
        {"garbage": True},
        {"latency_ms": -1},
        {"latency_ms": 1e12},
        {"latency_ms": float("nan")},
        {"strict_content": 1},
        {"inbound_url": "x"},
        {"garbage": 0.6, "status_500": 0.6},
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(wanted):
    with pytest.raises(SettingError, match=next(iter(wanted))):
        Settings().changed(wanted)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"nothing": 1}', b'{"garbage": NaN}', b"[" * 100_000, b"\xff"])
def test_refused_settings_change_nothing(box, body):
    before = box.get("faults")
    answer = box.call("POST", "/_sandbox/faults", data=body)

    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert box.get("faults") == before


def test_settings_add_up_until_the_reset(box):
    assert box.settings(latency_ms=1)["latency_ms"] == 1
    assert box.settings(seed=3)["latency_ms"] == 1
    assert box.post("reset") == {"status": "empty"}
    assert box.get("faults")["latency_ms"] == 0
    assert box.get("faults")["inbound_url"] == "http://127.0.0.1:8000/api/v1/campaign/webhooks/twilio/inbound"


@pytest.mark.parametrize("query", ["since=x", "limit=-1", "limit=x", "offset=9999999999", "provider=lob"])
def test_a_question_that_makes_no_sense_is_refused(box, query):
    assert box.call("GET", f"/_sandbox/log?{query}").status_code == 400


def test_the_log_and_the_calls_are_read_in_parts(box):
    for number in range(5):
        box.send({"Body": str(number), "To": f"whatsapp:+1202555010{number}"})
    third = box.log()[2]
    page = box.get("log", offset=1, limit=2)

    assert ([entry["body"] for entry in page["messages"]], page["total"]) == (["1", "2"], 5)
    assert [entry["body"] for entry in box.log(since=third["at"])] == ["2", "3", "4"]
    assert box.log(to=third["to"]) == [third]
    assert box.log(key=KEY) == []
    assert len(box.calls(since=third["at"])) in {2, 3}  # the call came before it was accepted
    assert [call["to"] for call in box.calls(offset=2, limit=1)] == [third["to"]]


def test_the_summary_counts_who_got_what_twice(box):
    for body in ("one", "one", "two"):
        box.send({"Body": body})
    box.send({"To": "12"})

    assert box.summary() == {
        "accepted": 3,
        "people": 1,
        "doubled": 1,
        "keys": 0,
        "calls": 4,
        "outcomes": {"message:accepted": 3, "message:refused:21211": 1},
        "contents": 0,
        "approval_requests": 0,
        "inbound": 0,
        "opted_out": 0,
        "callbacks": {"sent": 0, "lost": 0, "failed": 0, "pending": 0},
    }


def test_calls_read_back_are_listed_as_they_arrived():
    exchange = Exchange("twilio", journal=None)
    for moment in (2.0, 1.0, 3.0):
        exchange.remember({"k": "call"} | Entry("message", None, None, moment).as_json())
    exchange.sort()

    assert [entry.arrived_at for entry in exchange.since(2.0)] == [2.0, 3.0]


HEAD = f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1\r\nHost: x\r\n"
EMPTY = f"{HEAD}Content-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "request_in_parts, statuses",
    [
        ([EMPTY], [b"401"]),
        ([EMPTY[:30], EMPTY[30:]], [b"401"]),
        ([EMPTY[:90], EMPTY[90:140], EMPTY[140:]], [b"401"]),
        ([HEAD + "content-length: 5\r\n\r\n", "To", "=+1"], [b"401"]),
        ([EMPTY + EMPTY], [b"401", b"401"]),
        ([HEAD + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"], [b"401"]),
        ([HEAD + "Content-Length: 100000\r\n\r\n" + "a" * 100_000], [b"401"]),
        ([HEAD + "Content-Length: x\r\n\r\n"], [b"400"]),
        ([HEAD + "Content-Length: 9999999\r\n\r\n" + "a" * 2_000_000], [b"413"]),
        (["\x00\x01\r\n\r\n"], [b"400"]),
        (["GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", EMPTY], [b"200", b"401"]),
    ],
)
def test_requests_in_any_parts_are_answered(box, request_in_parts, statuses):
    with socket.create_connection(("127.0.0.1", box.port)) as connection:
        connection.settimeout(5)
        heard = b""
        for part in request_in_parts:
            connection.sendall(part.encode())
            time.sleep(0.05)
        while len(re.findall(rb"HTTP/1\.[01] \d", heard)) < len(statuses):
            more = connection.recv(65536)
            assert more, heard
            heard += more

    assert re.findall(rb"HTTP/1\.[01] (\d+)", heard) == statuses


def test_a_long_answer_waits_for_a_slow_reader(box):
    for _ in range(8):
        box.template({"twilio/text": {"body": "a" * 1_000_000}}, submit=False)
    given = base64.b64encode(f"{ACCOUNT}:fake-token".encode()).decode()
    with socket.create_connection(("127.0.0.1", box.port)) as connection:
        connection.sendall(f"GET /v1/Content HTTP/1.0\r\nAuthorization: Basic {given}\r\n\r\n".encode())
        time.sleep(0.3)
        heard = sum(iter(lambda: len(connection.recv(1_000_000)), 0))

    assert heard > 8_000_000


@LANES
def test_a_caller_who_left_is_not_answered(box, lane):
    box.settings(latency_ms=100)
    with socket.create_connection(("127.0.0.1", box.port)) as connection:
        connection.sendall((EMPTY if not lane else EMPTY.replace("Host: x", "Host: x\r\nConnection: close")).encode())
    time.sleep(0.2)

    assert outcomes(box) == ["refused:20003"]
