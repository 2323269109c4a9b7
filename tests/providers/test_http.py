import asyncio
import gzip

import pytest
import time_machine
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
