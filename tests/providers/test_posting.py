import asyncio
import contextlib
import ssl
import time
from functools import partial

import pytest

from providers import posting
from providers.posting import LARGEST_ANSWER, NotPosted, Posted, post

PUBLIC, URL = "93.184.216.34", "https://hooks.example.com/in?a=é"
DONE = b"HTTP/1.1 204 No Content\r\n\r\n"


@contextlib.asynccontextmanager
async def server(answer=DONE, *, pause=0.0):
    """A real server on loopback; yields a connector that leads there, the addresses it was told, and the requests."""
    told, requests = [], []

    async def serve(reader, writer):
        requests.append(await reader.read(65536))
        try:
            for piece in [answer] if isinstance(answer, bytes) else answer:
                writer.write(piece)
                await asyncio.sleep(pause)
        finally:
            writer.close()

    async def connector(address, port, name):
        told.append((address, port, name))
        if address == "203.0.114.9":
            raise ConnectionRefusedError
        return await posting.connect(*listening.sockets[0].getsockname(), "")

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield connector, told, requests


def answering(*addresses):
    return lambda host, port: list(addresses)


def posted(answer=DONE, *addresses, url=URL, pause=0.0, **options):
    """What `post` returns, with what the connector was told and the server got."""

    async def run():
        async with server(answer, pause=pause) as (connector, told, requests):
            options.setdefault("resolver", answering(*(addresses or (PUBLIC,))))
            try:
                return await post(url, b"{}", {"webhook-id": "msg_1"}, connector=connector, **options), told, requests
            except NotPosted as why:
                return str(why), told, requests

    return asyncio.run(run())


def test_a_body_is_posted_once_to_what_was_looked_up():
    answer, told, requests = posted(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    assert answer == Posted(200, b"ok")
    assert told == [(PUBLIC, 443, "hooks.example.com")]
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert (head.split(b"\r\n")[:3], body) == (
        [b"POST /in?a=%C3%A9 HTTP/1.1", b"Host: hooks.example.com", b"webhook-id: msg_1"],
        b"{}",
    )


@pytest.mark.parametrize(
    "url, host",
    [
        ("https://[2606:4700:4700::1111]:443/", "[2606:4700:4700::1111]:443"),
        ("https://bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_host_is_named_as_http_wants_it(url, host):
    assert f"Host: {host}\r\n".encode() in posted(url=url)[2][0]


def test_the_next_address_is_tried_when_one_does_not_listen():
    answer, told, _ = posted(DONE, "203.0.114.9", PUBLIC)

    assert (answer, [address for address, *_ in told]) == (Posted(204, b""), ["203.0.114.9", PUBLIC])


@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), ("10.0.0.1",), ("169.254.169.254",), ("::1",), (PUBLIC, "127.0.0.1"), ("::ffff:10.0.0.1",)],
)
def test_a_name_that_leads_into_our_network_is_not_connected_to(addresses):
    assert posted(DONE, *addresses) == ("The host is not a public one.", [], [])


def test_a_name_that_changes_its_mind_between_check_and_call_changes_nothing():
    answers = iter([[PUBLIC], ["127.0.0.1"]])

    _, told, _ = posted(resolver=lambda host, port: next(answers))

    assert [address for address, *_ in told] == [PUBLIC]


def test_a_redirect_is_an_answer_and_is_not_followed():
    answer, told, _ = posted(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n")

    assert (answer.status, len(told)) == (302, 1)


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/", "https://127.0.0.1/", "https://u:p@e.com/", "https://e.com:8443/", "file:///x"]
)
def test_an_address_that_is_none_of_ours_to_call_is_not_looked_up(url):
    assert posted(url=url, resolver=None)[1:] == ([], [])


@pytest.mark.parametrize(
    "answer, reason",
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (LARGEST_ANSWER + 1) + b"a" * (LARGEST_ANSWER + 1),
            "more than",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "No whole answer"),
        (b"nonsense\r\n\r\n", "No whole answer"),
    ],
)
def test_a_bad_answer_is_none(answer, reason):
    assert reason in posted(answer)[0]


def test_an_answer_that_drips_is_cut_off():
    began = time.monotonic()

    answer, *_ = posted([b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 40, pause=0.1, seconds=0.5)

    assert "within" in answer
    assert time.monotonic() - began < 3


def test_a_look_up_that_hangs_is_cut_off(monkeypatch):
    monkeypatch.setattr(posting, "CONNECT_SECONDS", 0.1)

    assert posted(resolver=lambda host, port: time.sleep(0.5)) == ("No connection within five seconds.", [], [])


def _nothing(host, port):
    raise OSError


@pytest.mark.parametrize(
    "resolver, reason", [(_nothing, "no address"), (answering("203.0.114.9"), "ConnectionRefused")]
)
def test_a_host_that_is_not_there_is_told(resolver, reason):
    assert reason in posted(resolver=resolver)[0]


def test_a_trusted_origin_may_be_on_this_machine_and_no_other():
    async def run(trusted):
        async with await asyncio.start_server(_answered, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            return await post(f"http://127.0.0.1:{port}/in", b"{}", {}, trusted={trusted or f"http://127.0.0.1:{port}"})

    assert asyncio.run(run("")) == Posted(204, b"")
    with pytest.raises(NotPosted):
        asyncio.run(run("http://127.0.0.1:1"))


async def _answered(reader, writer):
    await reader.read(65536)
    writer.write(DONE)
    writer.close()


def test_a_certificate_that_nobody_vouches_for_is_refused():
    refused = partial(posting.connect, name="hooks.example.com")

    async def run():
        async with await asyncio.start_server(_answered, "127.0.0.1", 0) as listening:
            await refused(*listening.sockets[0].getsockname())

    with pytest.raises(ssl.SSLError):
        asyncio.run(run())
