import asyncio
import json
from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from providers.base import Accepted, Refused, SmtpServer, Unknown
from providers.email import Post
from providers.email.sendgrid import SendGrid
from providers.email.smtp import Smtp
from tests.canned import Canned, http
from tests.providers.sandbox_box import Box, until
from tests.providers.test_email import HEADERS, KEY, SENDGRID, email

SERVER = SmtpServer("127.0.0.1", 1, security="none")


def post_to(box, *emails, user="", provider="sendgrid", timeout=5.0, resolver=None):
    """What each of `emails` came to, one after the other over one mailer."""
    credentials = (
        SENDGRID if provider == "sendgrid" else SmtpServer("127.0.0.1", box.smtp_port, user, "fake", security="none")
    )

    async def send():
        post = Post(
            sendgrid=SendGrid(f"{box.url}/v3", timeout=timeout, connections=2),
            smtp=Smtp(timeout=timeout, connections=2, trusted=[f"127.0.0.1:{box.smtp_port}"]),
            timeout=timeout,
        )
        try:
            return [await post.send(each, credentials) for each in emails or [email()]]
        finally:
            await post.close()

    return asyncio.run(send())


@pytest.mark.parametrize("provider", ["sendgrid", "smtp"])
def test_an_email_through_the_sandbox_is_accepted_and_kept(box, provider):
    (said,) = post_to(box, provider=provider, user="shop")
    (kept,) = box.log(provider, key=KEY)

    assert isinstance(said, Accepted)
    assert (kept["to"], kept["sender"], kept["subject"]) == ("ann@example.com", "shop@example.com", "Fresh ☕ today")
    assert (kept["text"].strip(), kept["html"].strip()) == ("Hi you", email().html)
    assert HEADERS.items() <= kept["headers"].items()
    assert box.log(provider, to="bob@example.com") == []
    assert box.summary(provider)["accepted"] == box.summary(provider)["keys"] == 1
    known = kept["id"] if provider == "sendgrid" else f"<{KEY}@example.com>"
    assert (said.provider_id, kept["account"]) == (known, "SG.fake-key" if provider == "sendgrid" else "shop")


@pytest.mark.parametrize(
    "provider, tag, expected",
    [
        ("sendgrid", "refused", ("400", False, "none")),
        ("sendgrid", "forbidden", ("403", True, "pause_connection")),
        ("sendgrid", "large", ("413", False, "none")),
        ("smtp", "refused", ("550", False, "suppress")),
        ("smtp", "later", ("450", True, "none")),
        ("smtp", "spam", ("554", False, "none")),
    ],
)
def test_the_sandbox_refuses_by_the_address(box, provider, tag, expected):
    (said,) = post_to(box, email(to=f"ann+{tag}@example.com"), provider=provider)

    assert (said.code, said.retry, said.effect) == expected
    assert (box.log(provider), box.summary(provider)["accepted"]) == ([], 0)


@pytest.mark.parametrize(
    "provider, fault, expected, kept",
    [
        ("sendgrid", "status_429", Refused, 0),
        ("sendgrid", "status_500", Unknown, 0),
        ("sendgrid", "status_500_accepted", Unknown, 1),
        ("sendgrid", "lose_response", Unknown, 1),
        ("sendgrid", "garbage", Unknown, 1),
        ("smtp", "status_429", Refused, 0),
        ("smtp", "status_500", Refused, 0),
        ("smtp", "status_500_accepted", Unknown, 1),
        ("smtp", "lose_response", Unknown, 1),
        ("smtp", "garbage", Unknown, 1),
    ],
)
def test_what_went_wrong_is_told_as_what_is_known_and_never_asked_again(box, provider, fault, expected, kept):
    box.settings(provider, **{fault: 1.0})
    (said,) = post_to(box, provider=provider)

    assert (type(said), len(box.log(provider))) == (expected, kept)
    assert (getattr(said, "retry", True), box.summary(provider)["calls"]) == (True, 1)


@pytest.mark.parametrize("provider", ["sendgrid", "smtp"])
def test_an_answer_that_is_late_leaves_it_unknown(box, provider):
    box.settings(provider, slow_after_ms=2_000)

    assert isinstance(post_to(box, provider=provider, timeout=0.5)[0], Unknown)
    assert len(box.log(provider)) == 1


@pytest.mark.parametrize(
    "change, status",
    [
        ({"from": {"email": "shop"}}, 400),
        ({"personalizations": []}, 400),
        ({"subject": ""}, 400),
        ({"content": []}, 400),
        ({"content": [{"type": "text/html", "value": "x"}]}, 400),
        ({"custom_args": {"a": 1}}, 400),
        ({"custom_args": {"a": "x" * 10_001}}, 400),
        ({"subject": "x" * 1_100_000}, 413),
        ({}, 202),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_sandbox_checks_a_mail_as_sendgrid_does(box, change, status):
    document = {
        "from": {"email": "shop@example.com"},
        "personalizations": [{"to": [{"email": "ann@example.com"}]}],
        "subject": "Hi",
        "content": [{"type": "text/plain", "value": "x"}],
    }
    answer = box.call("POST", "/v3/mail/send", json=document | change, auth=None, headers=BEARER)

    assert answer.status_code == status
    assert status == 202 or list(answer.json()["errors"][0]) == ["message", "field", "help"]


BEARER = {"Authorization": f"Bearer {SENDGRID.api_key}"}


@pytest.mark.parametrize(
    "path", ["/v3/mail/send", "/v3/user/webhooks/event/settings", "/v3/user/webhooks/event/settings/signed"]
)
def test_nobody_sends_without_a_key(box, path):
    method = "POST" if path.endswith("send") else "PATCH"

    assert box.call(method, path, json={}, auth=None, headers={"Authorization": "Bearer x"}).status_code == 401


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(box, body):
    assert box.call("POST", "/v3/mail/send", data=body, auth=None, headers=BEARER).status_code == 400


def hooked(box, url):
    """Events of the key's account go to `url` from now on; returns the key they are verified with."""

    def ask(path, document):
        return box.call("PATCH", f"/v3/user/webhooks/event/settings{path}", json=document, auth=None, headers=BEARER)

    assert ask("", {"enabled": True, "url": url}).json()["url"] == url
    return load_der_public_key(b64decode(ask("/signed", {"enabled": True}).json()["public_key"]))


def told(canned):
    return [event for asked in canned.asked for event in json.loads(asked.body)]


@pytest.mark.parametrize(
    "to, names",
    [
        ("ann@example.com", ["processed", "delivered", "open", "click"]),
        ("ann+bounce@example.com", ["processed", "bounce"]),
        ("ann+blocked@example.com", ["processed", "bounce"]),
        ("ann+dropped@example.com", ["dropped"]),
        ("ann+deferred@example.com", ["processed", "deferred", "delivered"]),
        ("ann+unsubscribe@example.com", ["processed", "delivered", "open", "unsubscribe"]),
        ("ann+spamreport@example.com", ["processed", "delivered", "spamreport"]),
    ],
)
def test_events_are_told_signed_and_bring_back_what_the_mail_carried(box, to, names):
    box.settings("sendgrid", callback_delay_ms=0, read_share=1, click_share=1)
    with Canned(http(200)).open() as canned:
        key = hooked(box, canned.url)
        post_to(box, email(to=to))
        until(lambda: len(told(canned)) == len(names))
        until(lambda: box.summary("sendgrid")["events"]["pending"] == 0)
    events = told(canned)

    assert [event["event"] for event in events] == names
    assert len({event["sg_event_id"] for event in events}) == len(names)
    assert {(event["email"], event["campaign"]) for event in events} == {(to, "camp_1")}
    # SendGrid's own field of this name, in the one event that has it, outranks ours.
    assert {event["attempt"] for event in events if event["event"] != "deferred"} == {KEY}
    assert events[-1].get("url") == ("https://a.test/?x=1&y" if "click" in names else None)
    for asked in canned.asked:
        signed = asked.headers["X-Twilio-Email-Event-Webhook-Timestamp"].encode() + asked.body
        key.verify(b64decode(asked.headers["X-Twilio-Email-Event-Webhook-Signature"]), signed, ec.ECDSA(SHA256()))


@pytest.mark.parametrize(
    "fault, names",
    [
        ("callback_loss", []),
        ("callback_dup", ["processed", "processed", "delivered", "delivered"]),
        ("callback_reorder", ["delivered", "processed"]),
    ],
)
def test_events_can_be_lost_doubled_and_out_of_order(box, fault, names):
    box.settings("sendgrid", callback_delay_ms=0, read_share=0, **{fault: 1})
    with Canned(http(200)).open() as canned:
        hooked(box, canned.url)
        post_to(box)
        until(lambda: box.summary("sendgrid")["events"]["pending"] == 0)

    assert [event["event"] for event in told(canned)] == names


def test_events_are_told_again_until_they_are_taken(box):
    box.settings("sendgrid", callback_delay_ms=0)
    with Canned(http(503), None, http(200)).open() as canned:
        hooked(box, canned.url)
        post_to(box, email(to="ann+dropped@example.com"))
        until(lambda: box.summary("sendgrid")["events"]["pending"] == 0)

    first, again, taken = told(canned)
    assert first == again == taken


def test_what_was_taken_and_not_told_is_there_after_a_restart(tmp_path):
    with Canned(http(200)).open() as canned:
        with Box(tmp_path).open() as box:
            box.settings("sendgrid", callback_delay_ms=700, read_share=0)
            hooked(box, canned.url)
            post_to(box)
            post_to(box, provider="smtp")
            until(lambda: told(canned))
            before = [box.log(name) for name in ("sendgrid", "smtp")]
        with Box(tmp_path).open() as again:
            until(lambda: len(told(canned)) == 2)
            after = [again.log(name) for name in ("sendgrid", "smtp")]
            calls = [again.get("calls", provider=name)["total"] for name in ("sendgrid", "smtp")]

    assert (before, calls) == (after, [1, 1])
    assert [event["event"] for event in told(canned)] == ["processed", "delivered"]


def test_a_reset_forgets_mails_and_who_listens(box):
    with Canned(http(500)).open() as canned:
        hooked(box, canned.url)
        post_to(box)
        box.reset()
        post_to(box)

    assert (len(box.log("sendgrid")), box.summary("sendgrid")["events"]) == (1, {"pending": 0})


def test_an_email_may_be_text_alone_to_somebody_without_a_name(box):
    plain = {"html": "", "to_name": "", "reply_to": "", "headers": {}, "to": "ann@münchen.example", "text": "Hi ☕"}

    assert {type(each) for each in post_to(box, email(**plain)) + post_to(box, email(**plain), provider="smtp")} == {
        Accepted
    }
    assert [box.log(name)[0]["html"] for name in ("sendgrid", "smtp")] == ["", ""]
