import asyncio
import contextlib
import socket
import threading

import pytest

from providers.base import Accepted, Refused, SmtpServer, Unknown
from providers.email.smtp import Smtp
from tests.providers.sandbox_box import Box
from tests.providers.test_email import email
from tests.providers.test_email_sandbox import post_to
from tests.sandbox_process import free_port


def test_a_mail_server_that_does_not_know_us_is_not_asked_on(box):
    (said,) = post_to(box, provider="smtp", user="wrong")

    assert (said.code, said.retry, said.effect) == ("535", True, "pause_connection")


def test_connections_are_kept_and_the_old_ones_are_closed(box, monkeypatch):
    said = post_to(box, *[email(key=f"k{number}") for number in range(3)], provider="smtp")
    monkeypatch.setattr("providers.email.smtp.IDLE_SECONDS", 0.0)
    said += post_to(box, email(key="k3"), email(key="k4"), provider="smtp")

    assert {type(each) for each in said} == {Accepted}


def test_a_kept_connection_that_was_closed_meanwhile_took_nothing(tmp_path):
    async def send(smtp, port):
        return await smtp.send(email(), SmtpServer("127.0.0.1", port, security="none"))

    with Box(tmp_path).open() as box:
        smtp = Smtp(timeout=2, connections=1, trusted=[f"127.0.0.1:{box.smtp_port}"])
        first = asyncio.run(send(smtp, box.smtp_port))
    second = asyncio.run(send(smtp, box.smtp_port))
    smtp.close()

    assert (type(first), second.code, second.retry) == (Accepted, "connect", True)


@pytest.mark.parametrize(
    "address, port, code",
    [("127.0.0.1", 587, "connect"), ("10.0.0.1", 587, "connect"), ("93.184.216.34", 22, "connect")],
)
def test_a_mail_server_within_our_own_network_is_not_called(address, port, code):
    async def send():
        smtp = Smtp(timeout=1, connections=1, resolver=lambda _host, _port: [address])
        said = await smtp.send(email(), SmtpServer("mail.example.com", port, security="none"))
        smtp.close()
        return said

    said = asyncio.run(send())

    assert (said.code, said.effect) == (code, "pause_connection")
    assert "not a public one" in said.message


def one_server(*replies):
    """A mail server that says these lines in turn, one connection, and then hangs up."""
    server = socket.create_server(("127.0.0.1", free_port()))

    def talk():
        line, _ = server.accept()
        # Whoever calls may hang up in the middle.
        with contextlib.suppress(OSError), line, line.makefile("rwb") as file:
            for reply in replies:
                file.write(reply + b"\r\n")
                file.flush()
                asked = file.readline()
                while reply.startswith(b"354") and asked not in (b".\r\n", b""):
                    asked = file.readline()

    threading.Thread(target=talk, daemon=True).start()
    return server


def through(*replies, timeout=2.0, message=None, security="none"):
    with one_server(*replies) as server:
        port = server.getsockname()[1]

        async def send():
            smtp = Smtp(timeout=timeout, connections=1, trusted=[f"127.0.0.1:{port}"])
            try:
                return await smtp.send(message or email(), SmtpServer("127.0.0.1", port, security=security))
            finally:
                smtp.close()

        return asyncio.run(send())


HELLO, OK = (b"220 here", b"250 here"), b"250 fine"


@pytest.mark.parametrize(
    "replies, expected",
    [
        ((b"554 no", ), ("554", True, "pause_connection")),
        ((b"421 busy",), ("connect", True, "none")),
        ((*HELLO,), ("connect", True, "none")),
        ((*HELLO, b"550 5.7.1 not your address", OK), ("550", True, "pause_connection")),
        ((*HELLO, b"451 later", OK), ("451", True, "none")),
        ((*HELLO, OK, b"550 5.1.1 nobody", OK), ("550", False, "suppress")),
        ((*HELLO, OK, b"550 5.7.1 policy", OK), ("550", False, "none")),
        ((*HELLO, OK, b"452 full", OK), ("452", True, "none")),
        ((*HELLO, OK, OK, b"354 go on", b"552 too large", OK), ("552", False, "none")),
        ((*HELLO, OK, OK, b"354 go on", b"452 disk full", OK), ("452", True, "none")),
    ],
)  # fmt: skip
def test_a_reply_of_a_mail_server_is_refused_as_its_digits_say(replies, expected):
    said = through(*replies)

    assert (said.code, said.retry, said.effect) == expected


@pytest.mark.parametrize("last", [(), (b"<h1>What?",), (b"999 what",)], ids=["hangs up", "a page", "no code"])
def test_without_a_reply_to_the_text_it_is_unknown(last):
    assert isinstance(through(*HELLO, OK, OK, b"354 go on", *last), Unknown)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_without_the_agreed_security_gets_nothing(security):
    said = through(*HELLO, OK, security=security)

    assert isinstance(said, Refused)
    assert (said.code, said.retry) == ("connect", True)


def test_a_text_that_was_not_handed_over_in_time_never_leaves(box):
    release = threading.Event()

    def resolver(host, _port):
        release.wait(10)
        return [host]

    async def send():
        server = SmtpServer("127.0.0.1", box.smtp_port, security="none")
        smtp = Smtp(timeout=1.5, connections=1, trusted=[f"127.0.0.1:{box.smtp_port}"], resolver=resolver)
        late = await smtp.send(email(key="late"), server)
        release.set()
        # It waits behind the late one, whose turn has passed.
        following = await smtp.send(email(key="following"), server)
        smtp.close()
        return late, following

    late, following = asyncio.run(send())

    assert (late.code, late.retry, type(following)) == ("connect", True, Accepted)
    assert [each["key"] for each in box.log("smtp")] == ["following"]
