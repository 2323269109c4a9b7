import asyncio
import datetime as dt
import gzip
import ipaddress
import ssl

import pytest
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.http import BODY_CAP, LONGEST_WAIT, Answer, NoAnswer, NotSent, Pool
from tests.canned import Canned, http
from tests.sandbox_process import free_port


async def call(url, *, times=1, limit=2, seconds=2.0):
    """What `times` calls at once end in: answers, and the exceptions of those that had none."""
    pool = Pool(url, limit=limit, timeout=seconds, headers={"X-Ours": "1"})
    try:
        calls = [pool.request("POST", "/a?b=%20", headers={"X-This": "2"}, body=b"c=d") for _ in range(times)]
        return await asyncio.gather(*calls, return_exceptions=True)
    finally:
        await pool.close()


def outcome(canned, **more):
    return asyncio.run(call(canned.url, **more))[0]


def test_a_call_leaves_as_it_was_given_and_its_answer_comes_back_whole():
    with Canned(http(299, b"told", X_Told="yes")).open() as canned:
        answer = outcome(canned)

    (asked,) = canned.asked
    assert (answer.status, answer.headers["x-told"], answer.body) == (299, "yes", b"told")
    assert (asked.method, asked.target, asked.body) == ("POST", "/a?b=%20", b"c=d")
    assert (asked.headers["X-Ours"], asked.headers["X-This"]) == ("1", "2")


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "http://no-such-host.invalid:{port}"])
def test_without_a_connection_nothing_was_sent(url):
    (said,) = asyncio.run(call(url.format(port=free_port())))

    assert isinstance(said, NotSent)


def test_without_a_tls_handshake_nothing_was_sent():
    with Canned(http(200)).open() as canned:
        (said,) = asyncio.run(call(canned.url.replace("http:", "https:")))

    assert (type(said), canned.asked) == (NotSent, [])


def test_a_call_that_found_no_free_connection_was_not_sent():
    with Canned(None).open() as canned:
        canned.answers = [canned.hang]
        said = asyncio.run(call(canned.url, times=2, limit=1, seconds=0.4))

    assert [type(each) for each in said] == [NoAnswer, NotSent]
    assert len(canned.asked) == 1


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(None, id="reset"),
        pytest.param(b"", id="closed"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="not HTTP"),
        pytest.param(b"HTTP/1.1 201 Created\r\nContent-Len", id="half the headers"),
        pytest.param(http(201, b"half", content_length=9), id="half the body"),
        pytest.param(http(201, b"x" * (BODY_CAP + 1)), id="too long"),
        pytest.param(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="bad chunks"),
    ],
)
def test_a_call_without_a_whole_answer_may_have_taken_effect_and_is_not_repeated(said):
    with Canned(said).open() as canned:
        answer = outcome(canned)

    assert (type(answer), len(canned.asked)) == (NoAnswer, 1)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(tail=st.binary(max_size=60), head=st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", http(200)]))
def test_whatever_a_server_says_is_an_answer_or_none(tail, head):
    with Canned(head + tail).open() as canned:
        assert isinstance(outcome(canned, seconds=1.0), Answer | NoAnswer)


def test_nothing_is_followed_and_nothing_unpacked():
    packed = gzip.compress(b"x" * 1000)
    with Canned(http(307, packed, Location="/b", Content_Encoding="gzip")).open() as canned:
        answer = outcome(canned)

    assert (answer.status, answer.body, len(canned.asked)) == (307, packed, 1)


def test_connections_are_kept_up_to_the_limit():
    with Canned(http(200), keep=True).open() as canned:
        said = asyncio.run(call(canned.url, times=20, limit=2))

    assert [each.status for each in said] == [200] * 20
    assert canned.connections == 2


def test_calls_that_wait_for_a_connection_are_served_in_turn():
    async def in_turn(url):
        pool = Pool(url, limit=1, timeout=5, headers={})

        async def twice(name):
            for _ in range(2):
                await pool.request("GET", name, headers={})

        await asyncio.gather(*(twice(f"/{number}") for number in range(4)))
        await pool.close()

    with Canned(http(200), keep=True).open() as canned:
        asyncio.run(in_turn(canned.url))

    assert [asked.target for asked in canned.asked] == ["/0", "/1", "/2", "/3"] * 2


def test_a_closed_pool_can_be_used_again_and_an_unused_one_closed():
    async def twice(url):
        pool = Pool(url, limit=1, timeout=2, headers={})
        await pool.close()
        await pool.request("GET", "/", headers={})
        await pool.close()
        answer = await pool.request("GET", "/", headers={})
        await pool.close()
        return answer.status

    with Canned(http(200)).open() as canned:
        assert asyncio.run(twice(canned.url)) == 200


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("7", 7),
        (" 0 ", 0),
        ("9" * 400, LONGEST_WAIT),
        ("Sat, 21 Nov 2026 04:01:00 GMT", 60),
        ("Sun, 22 Nov 2026 04:01:00 +0100", LONGEST_WAIT),
        ("Fri, 20 Nov 2026 04:01:00 GMT", 0),
    ],
)
@time_machine.travel("2026-11-21T04:00:00Z", tick=False)
def test_retry_after_is_seconds_or_a_date(text, seconds):
    assert Answer(429, {"Retry-After": text}, b"").retry_after == seconds


@pytest.mark.parametrize(
    "text", [None, "", "soon", "-1", "1.5", "٣", "Sat, 21 Nov 2026 04:00:00", f"Sat, 21 Nov 2026 04:00:00 +{'9' * 30}"]
)
def test_a_retry_after_that_says_nothing_is_none(text):
    assert Answer(429, {} if text is None else {"Retry-After": text}, b"").retry_after is None


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + http(201, b"told"), id="after an interim answer"),
        pytest.param(b"HTTP/1.1 201 Created\r\n\r\ntold", id="until the connection ends"),
        pytest.param(
            b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nto\r\n2\r\nld\r\n0\r\n\r\n", id="in chunks"
        ),
    ],
)
def test_an_answer_may_come_in_every_form_that_http_knows(said):
    with Canned(said).open() as canned:
        answer = outcome(canned)

    assert (answer.status, answer.body) == (201, b"told")


def test_what_comes_unasked_after_an_answer_is_never_taken_for_the_next_one():
    stray = http(201, b"stray")
    with Canned(http(200, b"first") + stray, http(200, b"second"), keep=True).open() as canned:
        said = asyncio.run(call(canned.url, times=2, limit=1))

    assert [each.body for each in said] == [b"first", b"second"]
    assert canned.connections == 2


@pytest.mark.parametrize("afterwards", [http(201, b"stray"), b""], ids=["spoke unasked", "was closed"])
def test_a_kept_connection_that_changed_meanwhile_is_not_used_again(afterwards):
    connections = []

    async def serve(reader, writer):
        connections.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http(200, b"%d" % len(connections)))
        await asyncio.sleep(0.05)
        writer.write(afterwards)
        writer.close()

    async def pausing():
        server = await asyncio.start_server(serve, "127.0.0.1", port := free_port())
        pool = Pool(f"http://127.0.0.1:{port}", limit=1, timeout=2, headers={})
        first = await pool.request("GET", "/", headers={})
        await asyncio.sleep(0.2)
        second = await pool.request("GET", "/", headers={})
        await pool.close()
        server.close()
        # Until the server has said its last word, too.
        await asyncio.sleep(0.1)
        return first.body, second.body

    assert asyncio.run(pausing()) == (b"1", b"2")


@pytest.mark.parametrize(
    "target, headers",
    [("/a\r\nX: 1", {}), ("/a b", {}), ("http://elsewhere/", {}), ("/", {"X": "1\r\nY: 2"}), ("/", {"X:": "1"})],
)
def test_what_would_end_a_line_early_is_not_sent(target, headers):
    async def ask(url):
        await Pool(url, limit=1, timeout=2, headers={}).request("GET", target, headers=headers)

    with Canned(http(200)).open() as canned, pytest.raises(NotSent):
        asyncio.run(ask(canned.url))
    assert canned.asked == []


def test_a_call_that_is_given_up_leaves_no_answer_behind_for_the_next():
    async def given_up(canned):
        pool = Pool(canned.url, limit=1, timeout=5, headers={})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool.request("GET", "/slow", headers={}), 0.1)
        answer = await pool.request("GET", "/", headers={})
        await pool.close()
        return answer.body

    def slow(_asked):
        canned.over.wait(0.4)
        return http(200, b"slow")

    with Canned(slow, http(200, b"quick"), keep=True).open() as canned:
        assert asyncio.run(given_up(canned)) == b"quick"


@pytest.fixture
def certificate(tmp_path):
    """A certificate of 127.0.0.1 that vouches for itself, and the server's side of it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1))
    made = made.add_extension(address, critical=True).sign(key, hashes.SHA256())
    pem, secret = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file = tmp_path / "both.pem"
    file.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, secret, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return file, context


@pytest.mark.parametrize("trusted", [True, False])
def test_a_call_leaves_only_over_tls_that_is_trusted(certificate, trusted, monkeypatch):
    file, context = certificate
    heard = []
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))

    async def serve(reader, writer):
        for number in b"12":
            heard.append(await reader.readuntil(b"c=d"))
            writer.write(http(200, bytes([number])))

    async def twice():
        server = await asyncio.start_server(serve, "127.0.0.1", port := free_port(), ssl=context)
        said = await call(f"https://127.0.0.1:{port}", times=2, limit=1)
        server.close()
        await asyncio.sleep(0.1)
        return said

    said = asyncio.run(twice())

    if trusted:
        assert ([each.body for each in said], len(heard)) == ([b"1", b"2"], 2)
    else:
        assert ([type(each) for each in said], heard) == ([NotSent] * 2, [])
