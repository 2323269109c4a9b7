import asyncio
import json
import time

import pytest

from providers.base import Accepted, Email, Refused, SendGridKey, SmtpServer, Unknown
from providers.email import Post, credentials_of
from providers.email.sendgrid import SendGrid
from providers.email.smtp import Smtp
from tests.canned import Canned, http
from tests.sandbox_process import free_port

KEY = "6f6b2a34-95a4-4be2-9a4e-1f0d6c0f7a11"
SENDGRID = SendGridKey("SG.fake-key.not-a-secret")
HEADERS = {"List-Unsubscribe": "<https://ours.test/u/t>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
SENT = http(202, b"", X_Message_Id="m-1")


def email(**changed):
    return Email(**({
        "to": "ann@example.com", "to_name": "Ann Ünal", "sender": "shop@example.com", "sender_name": "Corner, Bakery",
        "reply_to": "help@example.com", "subject": "Fresh ☕ today", "html": "<p>Hi <a href='https://a.test/?x=1&amp;y'>you",
        "text": "Hi you", "key": KEY, "headers": HEADERS, "metadata": {"campaign": "camp_1"},
    } | changed))  # fmt: skip


def run(mailer, ask):
    async def asked():
        try:
            return await ask(mailer)
        finally:
            closing = mailer.close()
            if closing:
                await closing

    return asyncio.run(asked())


def sendgrid(url, message=None, *, key=SENDGRID, timeout=2.0):
    return run(SendGrid(url, timeout=timeout, connections=2), lambda mailer: mailer.send(message or email(), key))


def answered(*answers, **more):
    with Canned(*answers).open() as canned:
        return sendgrid(canned.url, **more), canned.asked


def test_an_email_leaves_in_sendgrids_words():
    said, (asked,) = answered(SENT)

    assert said == Accepted("m-1", "queued")
    assert (asked.method, asked.target) == ("POST", "/mail/send")
    assert (asked.headers["Authorization"], asked.headers["Content-Type"]) == (
        f"Bearer {SENDGRID.api_key}",
        "application/json",
    )
    assert json.loads(asked.body) == {
        "personalizations": [{"to": [{"email": "ann@example.com", "name": "Ann Ünal"}]}],
        "from": {"email": "shop@example.com", "name": "Corner, Bakery"},
        "reply_to_list": [{"email": "help@example.com"}],
        "subject": "Fresh ☕ today",
        "content": [
            {"type": "text/plain", "value": "Hi you"},
            {"type": "text/html", "value": "<p>Hi <a href='https://a.test/?x=1&amp;y'>you"},
        ],
        "headers": HEADERS,
        "custom_args": {"attempt": KEY, "campaign": "camp_1"},
    }


def told(status, message="Told", field=None, **headers):
    return http(status, {"errors": [{"message": message, "field": field, "help": None}]}, **headers)


@pytest.mark.parametrize(
    "answer, expected",
    [
        pytest.param(told(400, field="personalizations.0.to.0.email"), Refused("400", "Told"), id="the row"),
        pytest.param(
            told(400, field="content.0.value"),
            Refused("400", "Told", retry=True, effect="pause_campaign"),
            id="the content",
        ),
        pytest.param(
            told(400, field="from.email"),
            Refused("400", "Told", retry=True, effect="pause_connection"),
            id="the sender",
        ),
        pytest.param(told(401), Refused("401", "Told", retry=True, effect="pause_connection"), id="401"),
        pytest.param(http(401, b""), Refused("401", "", retry=True, effect="pause_connection"), id="401, empty"),
        pytest.param(told(403), Refused("403", "Told", retry=True, effect="pause_connection"), id="403"),
        pytest.param(told(413), Refused("413", "Told"), id="413"),
        pytest.param(
            told(429, Retry_After="7"), Refused("429", "Told", retry=True, retry_after=7.0, effect="slower"), id="429"
        ),
        pytest.param(http(429, b"<p>"), Refused("429", "", retry=True, effect="slower"), id="429 of a page"),
        pytest.param(
            told(429, X_RateLimit_Reset="1"),
            Refused("429", "Told", retry=True, retry_after=0.0, effect="slower"),
            id="429 whose time has come",
        ),
        pytest.param(
            told(429, X_RateLimit_Reset="soon"), Refused("429", "Told", retry=True, effect="slower"), id="soon"
        ),
    ],
)
def test_what_sendgrid_documents_is_refused_as_it_says(answer, expected):
    assert answered(answer)[0] == expected


def test_sendgrid_may_tell_when_the_limit_begins_anew():
    said, _ = answered(told(429, X_RateLimit_Reset=str(int(time.time()) + 60)))

    assert 50 < said.retry_after <= 60


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http(202, b""), id="no id"),
        pytest.param(http(200, b"<h1>Fine"), id="a page"),
        pytest.param(http(302, b"", Location="/"), id="a redirect"),
        pytest.param(http(400, b"<h1>Bad request"), id="400 of something in between"),
        pytest.param(http(400, {"errors": ["Told"]}), id="errors that are none"),
        pytest.param(told(408), id="408"),
        pytest.param(told(500), id="500"),
        pytest.param(http(503), id="503"),
        pytest.param(None, id="reset"),
    ],
)
def test_an_answer_that_proves_nothing_leaves_it_unknown_and_is_asked_once(answer):
    said, asked = answered(answer)

    assert (isinstance(said, Unknown), len(asked)) == (True, 1)


def test_an_answer_that_does_not_come_leaves_it_unknown():
    with Canned(None).open() as canned:
        canned.answers = [canned.hang]
        assert isinstance(sendgrid(canned.url, timeout=0.3), Unknown)


SERVERS = {"sendgrid": SENDGRID, "smtp": SmtpServer("127.0.0.1", 1, security="none")}


@pytest.mark.parametrize("provider", SERVERS)
def test_a_call_that_never_left_may_be_repeated(provider, settings):
    port = free_port()
    settings.SENDGRID_API_URL, settings.SMTP_TRUSTED = f"http://127.0.0.1:{port}/v3", [f"127.0.0.1:{port}"]
    credentials = SENDGRID if provider == "sendgrid" else SmtpServer("127.0.0.1", port, security="none")

    said = run(Post.from_settings(), lambda post: post.send(email(), credentials))

    assert (said.code, said.retry, said.effect) == ("connect", True, "none")


@pytest.mark.parametrize("provider", SERVERS)
@pytest.mark.parametrize(
    "changed",
    [
        {"subject": "Hi\nBcc: all@example.com"},
        {"subject": "Hi\r\n\r\nBody"},
        {"to_name": "Ann\nBcc: x"},
        {"sender_name": "A\x0bB"},
        {"to": "ann@example.com\nBcc: b@example.com"},
        {"to": "ann@example.com, bob@example.com"},
        {"to": "ann"},
        {"to": "änn@example.com"},
        {"text": "Hi \ud800"},
        {"to": ""},
        {"sender": "@"},
        {"reply_to": "nobody"},
        {"headers": {"X-A": "1\r\nBcc: x"}},
        {"headers": {"X-A\nBcc": "1"}},
        {"headers": {"Bcc": "all@example.com"}},
        {"metadata": {"campaign": "a\nb"}},
        {"key": "k\nBcc: x"},
    ],
    ids=json.dumps,
)
def test_nothing_in_an_email_begins_a_header_of_its_own(provider, changed):
    post = Post(
        sendgrid=SendGrid("http://127.0.0.1:1", timeout=1, connections=1),
        smtp=Smtp(timeout=1, connections=1, trusted=["127.0.0.1:1"]),
        timeout=1,
    )

    assert run(post, lambda post: post.send(email(**changed), SERVERS[provider])).code == "invalid"


def test_credentials_are_what_a_connection_keeps():
    mail = {"host": "mail.example.com", "port": "587", "username": "u", "password": "p", "security": "starttls"}

    assert credentials_of("sendgrid", {"api_key": "SG.a", "webhook_public_key": "x"}) == SendGridKey("SG.a")
    assert credentials_of("smtp", mail) == SmtpServer("mail.example.com", 587, "u", "p", "starttls")
    assert "p'" not in repr(credentials_of("smtp", mail))


def test_there_is_one_mailer_for_all_providers(settings):
    settings.MAIL_TIMEOUT_SECONDS = 7

    post = Post.from_settings()

    assert (post.name, post.timeout) == ("email", 7)
