import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from providers.base import Accepted, Credentials, Found, Outgoing, Refused, Unknown, Unreachable
from providers.http import Answer
from providers.twilio import Meaning, Twilio, meaning_of
from providers.twilio.answers import refused_or_unknown
from providers.twilio.codes import MEANINGS
from providers.twilio.messages import MOST_PAGES
from tests.canned import Canned, http
from tests.sandbox_process import ACCOUNT, TOKEN, free_port

SID = f"SM{'0f' * 16}"
CREDENTIALS = Credentials(ACCOUNT, TOKEN, "+14155238886")
OUTGOING = Outgoing(
    "+12025550143", CREDENTIALS.sender, f"HX{'a' * 32}", {"1": "Ann"}, "key", "https://ours.test/status/1?m=2"
)
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
DATA = Path(__file__).parents[1] / "data" / "twilio"


def run(url, ask, timeout=2.0):
    async def asked():
        twilio = Twilio(url, timeout=timeout, slowest=1, quiet=5, connections=2)
        try:
            return await ask(twilio)
        finally:
            await twilio.close()

    return asyncio.run(asked())


def send(*answers, **more):
    with Canned(*answers).open() as canned:
        return run(canned.url, lambda twilio: twilio.send(OUTGOING, CREDENTIALS), **more)


def legacy(status, code, message="Told", **headers):
    return http(status, {"code": code, "message": message, "more_info": "", "status": status}, **headers)


@pytest.mark.parametrize("sid, status", [(SID, "queued"), (f"MM{'A9' * 16}", "accepted")])
def test_201_with_the_sid_of_a_message_is_acceptance(sid, status):
    assert send(http(201, {"sid": sid, "status": status, "new": 1})) == Accepted(sid, status)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http(201, {"sid": f"HX{'0' * 32}", "status": "queued"}), id="another SID"),
        pytest.param(http(201, {"sid": SID + "0", "status": "queued"}), id="too long a SID"),
        pytest.param(http(201, {"sid": SID + "\n", "status": "queued"}), id="a SID and a line's end"),
        pytest.param(http(201, {"sid": 7, "status": "queued"}), id="a number"),
        pytest.param(http(201, {"sid": SID}), id="no status"),
        pytest.param(http(201, {"sid": SID, "status": "sent\0"}), id="a status that is none"),
        pytest.param(http(201, [SID]), id="a list"),
        pytest.param(http(201, b"[" * 100_000), id="too deep"),
        pytest.param(http(201, b""), id="empty"),
        pytest.param(http(201, b"<h1>Created</h1>", content_type="text/html"), id="a page"),
        pytest.param(http(202, b"\xff{}"), id="no UTF-8"),
        pytest.param(http(302, b"", Location="/"), id="a redirect"),
        pytest.param(http(400, b"<h1>Bad request</h1>"), id="400 of something in between"),
        pytest.param(http(400, {"code": "21211"}), id="a code in words"),
        pytest.param(http(400, {"code": True}), id="a code that is none"),
        pytest.param(http(400, {"code": 10**40}), id="too long a code"),
        pytest.param(legacy(408, 20001), id="408"),
        pytest.param(legacy(500, 63009), id="500"),
        pytest.param(legacy(503, 20503), id="503"),
        pytest.param(http(599), id="599"),
        pytest.param(None, id="reset"),
    ],
)
def test_an_answer_that_proves_nothing_leaves_it_unknown(answer):
    assert isinstance(send(answer), Unknown)


def test_an_answer_that_does_not_come_in_time_leaves_it_unknown():
    with Canned(None).open() as canned:
        canned.answers = [canned.hang]
        said = run(canned.url, lambda twilio: twilio.send(OUTGOING, CREDENTIALS), timeout=0.3)

    assert isinstance(said, Unknown)


def test_a_call_that_never_left_may_be_repeated():
    said = run(f"http://127.0.0.1:{free_port()}", lambda twilio: twilio.send(OUTGOING, CREDENTIALS))

    assert (said.code, said.retry, said.effect) == ("connect", True, "none")


@pytest.mark.parametrize("code", [*MEANINGS, 20001, 99999])
def test_a_4xx_is_refused_as_its_code_says(code):
    meaning = MEANINGS.get(code, Meaning(retry=False, effect="none"))

    said = send(legacy(400, code))

    assert said == Refused(str(code), "Told", meaning.retry, meaning.retry_after, meaning.effect)


@pytest.mark.parametrize(
    "answer, expected",
    [
        pytest.param(legacy(429, 20429, "", Retry_After="3"), ("20429", True, 3.0, "slower"), id="429"),
        pytest.param(http(429, b"<p>slow down"), ("20429", True, None, "slower"), id="429 of a page"),
        pytest.param(legacy(429, 63018), ("63018", True, None, "slower"), id="429 of the channel"),
        pytest.param(legacy(429, 21211), ("21211", True, None, "slower"), id="429 with a lasting code"),
        pytest.param(legacy(400, 63038), ("63038", True, 3600.0, "slower"), id="daily limit"),
        pytest.param(legacy(400, 63038, Retry_After="9"), ("63038", True, 9.0, "slower"), id="daily limit, told"),
        pytest.param(legacy(401, 20003), ("20003", True, None, "pause_connection"), id="401"),
        pytest.param(http(401, b""), ("20003", True, None, "pause_connection"), id="401, empty"),
        pytest.param(legacy(403, 20003), ("20003", True, None, "pause_connection"), id="403"),
        pytest.param(legacy(404, 20404), ("20404", False, None, "none"), id="404"),
    ],
)
def test_some_refusals_are_known_by_their_http_status(answer, expected):
    said = send(answer)

    assert (said.code, said.retry, said.retry_after, said.effect) == expected


@pytest.mark.parametrize(
    "document, message",
    [
        ({"type": "x", "title": "Short", "status": 400, "code": 21655, "detail": "Long"}, "Long"),
        ({"type": "x", "title": "Short", "status": 400, "code": 21655, "detail": None}, "Short"),
        ({"code": 21655, "message": 7}, ""),
        ({"code": 21655, "message": "x" * 999}, "x" * 300),
        ({"code": 21655, "message": "a\0b\ud800c"}, "ab?c"),
    ],
)
def test_both_shapes_of_an_error_tell_their_message(document, message):
    assert send(http(400, document)) == Refused("21655", message, retry=True, effect="pause_campaign")


@bounded(max_examples=200, deadline=None, derandomize=True)
@given(
    st.integers(100, 599),
    st.one_of(
        st.binary(), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
    ),
    st.text(max_size=20),
)
def test_no_answer_is_too_odd_to_be_read(status, body, wait):
    said = refused_or_unknown(Answer(status, {"Retry-After": wait}, body))

    assert isinstance(said, Unknown) or status in {401, 429}
    text = said.detail if isinstance(said, Unknown) else said.code + said.message
    assert "\0" not in text.encode().decode()


def test_every_code_with_a_meaning_is_one_of_twilios():
    documented = {each["code"] for each in json.loads((DATA / "error_codes_messaging_2023.json").read_text())}

    # Not in the list of 2023: 20005 is of accounts, 63049 is newer.
    assert set(MEANINGS) - documented == {20005, 63049}


@pytest.mark.parametrize("code", ["", "none", "٦٣٠٢٤", "63024 ", "063024", "9" * 5000, 0, -1])
def test_an_unknown_code_is_a_plain_refusal(code):
    assert meaning_of(code) == Meaning(retry=False, effect="none", retry_after=None)


def listed(sid=SID, at=NOW, **more):
    told = {"sid": sid, "status": "sent", "error_code": None, "date_created": format_datetime(at)}
    return told | {"messaging_service_sid": None} | more


def page(*messages, following=None):
    return http(200, {"messages": list(messages), "next_page_uri": following})


def find(*answers, sender=CREDENTIALS.sender):
    with Canned(*answers, keep=True).open() as canned:
        found = run(canned.url, lambda twilio: twilio.find(OUTGOING.to, sender, NOW, CREDENTIALS))
        return found, canned.asked


MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"


def test_what_the_list_has_of_a_pair_is_found_on_all_pages_newest_first():
    older = listed(f"MM{'1' * 32}", NOW - timedelta(seconds=4), status="failed", error_code=63024)
    found, asked = find(page(older, following=f"{MESSAGES}?Page=1&PageToken=x"), page(listed()))

    assert found == [
        Found(SID, "sent", "", NOW, OUTGOING.to),
        Found(f"MM{'1' * 32}", "failed", "63024", NOW - timedelta(seconds=4), OUTGOING.to),
    ]
    assert [each.target for each in asked] == [
        f"{MESSAGES}?To=whatsapp%3A%2B12025550143&From=whatsapp%3A%2B14155238886&PageSize=1000",
        f"{MESSAGES}?Page=1&PageToken=x",
    ]


@pytest.mark.parametrize("seconds, is_found", [(-6, False), (-5, True), (0, True), (9, True)])
def test_only_messages_since_then_count_but_for_the_clocks(seconds, is_found):
    found, _ = find(page(listed(at=NOW + timedelta(seconds=seconds))))

    assert bool(found) == is_found


def test_with_a_messaging_service_the_list_is_narrowed_by_it():
    service = f"MG{'0' * 32}"
    found, asked = find(
        page(listed(), listed(f"MM{'2' * 32}", messaging_service_sid=service, **{"from": None})), sender=service
    )

    assert [each.provider_id for each in found] == [f"MM{'2' * 32}"]
    assert "From" not in asked[0].target


@pytest.mark.parametrize(
    "answer, code",
    [
        pytest.param(legacy(401, 20003), "20003", id="401"),
        pytest.param(legacy(500, 20500), None, id="500"),
        pytest.param(None, None, id="reset"),
        pytest.param(http(200, b"<p>"), None, id="a page"),
        pytest.param(http(200, {"messages": None}), None, id="no list"),
        pytest.param(http(200, {"messages": [SID]}), None, id="a list of something else"),
        pytest.param(page(listed(sid=f"HX{'0' * 32}")), None, id="another SID"),
        pytest.param(page(listed(status=None)), None, id="no status"),
        pytest.param(page(listed() | {"date_created": None}), None, id="no date"),
        pytest.param(page(listed() | {"date_created": "Sat, 21 Nov 2026 04:00:00"}), None, id="no zone"),
        pytest.param(page(following="https://elsewhere.test/"), None, id="a page elsewhere"),
        pytest.param(page(following=7), None, id="a page that is none"),
        pytest.param(page(following=f"{MESSAGES}?Page=1"), None, id=f"more than {MOST_PAGES} pages"),
    ],
)
def test_a_list_that_cannot_be_read_proves_no_absence(answer, code):
    with pytest.raises(Unreachable) as caught:
        find(answer)

    assert (caught.value.refused and caught.value.refused.code) == code


def test_twilio_is_where_the_settings_say(settings):
    settings.TWILIO_API_URL = "http://127.0.0.1:1/"
    settings.TWILIO_TIMEOUT_SECONDS, settings.TWILIO_SLOWEST_SECONDS, settings.TWILIO_QUIET_SECONDS = 3, 4, 9

    twilio = Twilio.from_settings()

    assert (twilio.name, twilio.has_key, twilio.can_list) == ("twilio", False, True)
    assert (twilio.timeout, twilio.slowest, twilio.quiet) == (3, 4, 9)
    assert asyncio.run(twilio.send(OUTGOING, CREDENTIALS)).code == "connect"
    asyncio.run(twilio.close())


def test_a_secret_is_not_told():
    assert TOKEN not in repr(CREDENTIALS)
