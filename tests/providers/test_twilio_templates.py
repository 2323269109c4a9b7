import contextlib
import socket

import pytest

from providers.base import Accepted, ApprovalState, Credentials, Refused, Unknown, Unreachable
from providers.twilio.templates import MOST_PAGES, TwilioTemplates
from tests.canned import Canned, http
from tests.providers.test_twilio_messages import legacy
from tests.sandbox_process import ACCOUNT, TOKEN, free_port

SID = f"HX{'0f' * 16}"
CREDENTIALS = Credentials(ACCOUNT, TOKEN)
TYPES = {"twilio/text": {"body": "Hi {{1}}, welcome."}}
MADE = http(201, {"sid": SID})
REVIEW = {"name": "welcome_7", "status": "RECEIVED", "category": "UTILITY", "rejection_reason": ""}


def ask(question, *answers, timeout=2.0):
    """What came of `question(templates)`, and what the server was asked."""
    with Canned(*answers, keep=True).open() as canned:
        return question(TwilioTemplates(CREDENTIALS, content_url=canned.url, timeout=timeout)), canned.asked


def create(templates):
    return templates.create_content("welcome", "en", {"1": "Ann"}, TYPES)


def request_approval(templates):
    return templates.request_approval(SID, "welcome_7", "UTILITY")


def delete(templates):
    return templates.delete_content(SID)


def find(templates):
    return templates.find_content("welcome")


def approval(templates):
    return templates.approval(SID)


EFFECTS = pytest.mark.parametrize("question", [create, request_approval, delete])
LOOK_UPS = pytest.mark.parametrize("question", [find, approval])


@pytest.mark.parametrize(
    "question, answer, expected",
    [
        (create, MADE, Accepted(SID, "unsubmitted")),
        (request_approval, http(201, REVIEW), Accepted(SID, "received")),
        (delete, b"HTTP/1.1 204 No Content\r\n\r\n", Accepted(SID, "deleted")),
        (delete, legacy(404, 20404), Accepted(SID, "deleted")),
    ],
)
def test_what_was_done_is_accepted(question, answer, expected):
    assert ask(question, answer)[0] == expected


@EFFECTS
@pytest.mark.parametrize(
    "answer, expected",
    [
        (legacy(429, 20429, Retry_After="7"), Refused("20429", "Told", True, 7.0, "slower")),
        (legacy(401, 20003), Refused("20003", "Told", retry=True, effect="pause_connection")),
        (
            http(400, {"type": "t", "title": "T", "status": 400, "code": 20001, "detail": "Why"}),
            Refused("20001", "Why"),
        ),
    ],
)
def test_what_was_refused_tells_why(question, answer, expected):
    assert ask(question, answer)[0] == expected


@EFFECTS
@pytest.mark.parametrize(
    "answer", [None, b"", legacy(500, 20500), http(201, b"<p>"), http(201, b"[]"), http(404, b"<p>"), http(302)]
)
def test_what_was_not_answered_is_unknown_and_not_tried_again(question, answer):
    said, asked = ask(question, answer)

    assert (type(said), len(asked)) == (Unknown, 1)


@pytest.mark.parametrize(
    "question, answer",
    [
        (create, http(201, {"sid": f"MM{'0' * 32}"})),
        (create, http(201, {})),
        (request_approval, http(201, REVIEW | {"status": None})),
        (request_approval, http(201, REVIEW | {"name": "other"})),
    ],
)
def test_an_answer_about_something_else_is_unknown(question, answer):
    assert isinstance(ask(question, answer)[0], Unknown)


def test_an_answer_that_is_late_is_unknown():
    with Canned(None).open() as canned:
        canned.answers = [canned.hang]
        said = create(TwilioTemplates(CREDENTIALS, content_url=canned.url, timeout=0.2))

    assert isinstance(said, Unknown)


def test_a_refused_connection_may_be_tried_again():
    said = create(TwilioTemplates(CREDENTIALS, content_url=f"http://127.0.0.1:{free_port()}", timeout=2))

    assert (said.code, said.retry) == ("connect", True)


def test_a_connection_that_is_never_made_may_be_tried_again():
    with contextlib.ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", free_port()), backlog=0))
        for _ in range(3):  # they fill its queue
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        said = create(TwilioTemplates(CREDENTIALS, content_url=url, timeout=0.2))

    assert (said.code, said.retry) == ("connect", True)


@pytest.mark.parametrize(
    "types",
    [
        {"twilio_text": {"body": "Hi"}},
        {"twilio/text": {"body": "Hi", "footer": "x"}},
        {"twilio/quick-reply": {"body": "Hi", "actions": [{"title": "Yes", "payload": "y"}]}},
    ],
)
def test_what_the_sdk_would_leave_out_is_an_error_before_the_call(types):
    with Canned(MADE).open() as canned, pytest.raises(ValueError, match="would not send all"):
        TwilioTemplates(CREDENTIALS, content_url=canned.url, timeout=2).create_content("n", "en", {}, types)

    assert canned.asked == []


def page(*names, following=None):
    contents = [{"friendly_name": name, "sid": f"HX{name.encode().hex():0>32}"} for name in names]
    return http(200, {"contents": [*contents, 7], "meta": {"key": "contents", "next_page_url": following}})


OFFICIAL = "https://content.twilio.com/v1/Content"


def test_a_template_is_found_by_its_name_on_any_page():
    found, asked = ask(find, page("other", following=f"{OFFICIAL}?Page=1&PageToken=x"), page("welcome"))

    assert found == f"HX{b'welcome'.hex():0>32}"
    assert [each.target for each in asked] == ["/v1/Content?PageSize=1000", "/v1/Content?Page=1&PageToken=x"]


def test_a_template_that_is_not_there_is_none():
    assert ask(find, page("other"))[0] is None


def test_the_next_page_may_be_named_on_the_host_that_was_asked():
    with Canned(None, keep=True).open() as canned:
        canned.answers = [page(following=f"{canned.url}/v1/Content?Page=1"), page("welcome")]
        assert find(TwilioTemplates(CREDENTIALS, content_url=f"{canned.url}/", timeout=2))


@pytest.mark.parametrize(
    "review, expected",
    [
        (REVIEW, ApprovalState("received", "", "UTILITY")),
        ({"status": "rejected", "rejection_reason": "Why"}, ApprovalState("rejected", "Why", "")),
        ({"status": "unsubmitted", "category": None}, ApprovalState("unsubmitted", "", "")),
    ],
)
def test_a_review_says_where_it_stands(review, expected):
    assert ask(approval, http(200, {"sid": SID, "whatsapp": review}))[0] == expected


@LOOK_UPS
@pytest.mark.parametrize(
    "answer, code",
    [
        pytest.param(None, None, id="reset"),
        pytest.param(legacy(503, 20503), None, id="503"),
        pytest.param(legacy(429, 20429), "20429", id="429"),
        pytest.param(http(200, {"whatsapp": None, "contents": None, "meta": {}}), None, id="nothing in it"),
        pytest.param(http(200, {"whatsapp": {"status": 1}, "contents": [], "meta": None}), None, id="odd"),
        pytest.param(page(following="https://content.twilio.com.evil.test/"), None, id="leads elsewhere"),
        pytest.param(page(following=f"{OFFICIAL}?Page=1"), None, id=f"more than {MOST_PAGES} pages"),
    ],
)
def test_a_look_up_that_was_not_answered_proves_nothing(question, answer, code):
    with pytest.raises(Unreachable) as caught:
        ask(question, answer)

    assert (caught.value.refused and caught.value.refused.code) == code


def test_the_environment_chooses_neither_host_nor_proxy(monkeypatch):
    for name in ("TWILIO_REGION", "TWILIO_EDGE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert ask(create, MADE)[0] == Accepted(SID, "unsubmitted")


def test_templates_go_where_the_settings_say(settings):
    with Canned(MADE).open() as canned:
        settings.TWILIO_CONTENT_URL = canned.url
        assert create(TwilioTemplates.from_settings(CREDENTIALS)) == Accepted(SID, "unsubmitted")
