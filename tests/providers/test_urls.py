import socket
import threading
import time
from contextlib import contextmanager
from functools import partial

import pytest

from campaigns_project.refusals import Invalid
from providers.urls import Fetched, Limits, check_url, connect, fetch, is_public, resolve

PUBLIC = "93.184.216.34"
START = "http://pictures.example.com/a.png"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: Image/PNG; x=y\r\n"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "HTTP://Example.com.:80/a?b=c#d",
        "https://example.com:443/",
        "http://8.8.8.8/",
        "http://[2606:4700:4700::1111]/",
        "https://аpple.com/",
        "https://my_shop.s3.amazonaws.com/ä.png",
        "https://例え.テスト/",
    ],
)
def test_a_public_address_is_accepted_unchanged(url):
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        *(
            None,
            5,
            "",
            "order.example.com",
            "//evil.example",
            "https://redirect.test/?to=http://127.0.0.1/",
            "https:\\\\evil.example",
            "https://",
            "https:///path",
        ),
        *(
            "javascript:alert(1)",
            "jav\tascript:alert(1)",
            "vbscript:msgbox(1)",
            "ftp://e.com/a.png",
            "data:,x",
        ),
        *(
            "https://e.com/%0d%0aSet-Cookie:a=b",
            "https://e.com/\x00",
            "https://e.com/\r\nX: y",
            "https://e.com/%00",
        ),
        *(" https://e.com", "https://e.com/a b", "https://e.com/\ud800", "https://e.com/" + "a" * 2048),
        *("http://127.0.0.1/", "http://2130706433/", "http://0177.0.0.1/", "http://0x7f.1/", "http://127.1/"),
        *("http://10.1.2.3/", "http://100.64.0.1/", "http://169.254.169.254/latest/", "http://0.0.0.0/"),
        *("http://224.0.0.1/", "http://255.255.255.255/", "http://１２７.0.0.1/", "http://127。0。0。1/"),
        *(
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
        ),
        *(
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://[2002:7f00:1::]/",
            "http://[ff02::1]/",
            "http://[v1.a]/",
        ),
        *(
            "http://localhost/",
            "http://db.internal/",
            "http://printer.local/",
            "http://intranet/",
            "http://x.home.arpa",
        ),
        *(
            "http://loc\u00adalhost/",
            "http://a..com/",
            "http://-a.com/",
            "http://" + "a" * 64 + ".com/",
            "http://☃\u200b-/",
        ),
        *(
            "http://u@e.com/",
            "http://u:p@e.com/",
            "http://@e.com/",
            "http://e.com:22/",
            "http://e.com:x/",
            "http://[/",
        ),
    ],
)
def test_any_other_address_is_refused(url):
    with pytest.raises(Invalid) as no:
        check_url(url, field="cta_url")

    assert list(no.value.details) == ["cta_url"]


def test_a_caller_may_allow_fewer_schemes():
    with pytest.raises(Invalid, match="not valid") as no:
        check_url("http://example.com/", schemes=["https"])

    assert no.value.details == {"url": ["An address starts with https:// and a host."]}


def test_what_is_no_ip_address_is_not_public():
    assert not is_public("example.com")


@contextmanager
def server(*answers, pause=0.0):
    """A real server on loopback that gives each connection the next answer; yields (connector, requests)."""
    listener = socket.create_server(("127.0.0.1", 0))
    requests = []

    def serve():
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                requests.append(connection.recv(65536))
                for piece in [answer] if isinstance(answer, bytes) else answer:
                    try:
                        connection.sendall(piece)
                    except OSError:
                        break
                    time.sleep(pause)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    def connector(address, port, seconds):
        assert is_public(address)
        return connect(*listener.getsockname(), seconds)

    with listener:
        yield connector, requests
        thread.join(5)


def answering(*addresses):
    return lambda host, port: list(addresses)


get = partial(fetch, START, resolver=answering(PUBLIC))


def test_an_address_is_read():
    with server(OK + b"Content-Length: 3\r\n\r\nabc") as (connector, requests):
        answer = fetch("http://bücher.example.com/ä?q=%20é#f", resolver=answering(PUBLIC), connector=connector)

    assert answer == Fetched("http://bücher.example.com/ä?q=%20é#f", "image/png", b"abc")
    assert requests[0].startswith(b"GET /%C3%A4?q=%20%C3%A9 HTTP/1.1\r\nHost: xn--bcher-kva.example.com\r\n")


def test_redirects_are_followed_and_each_hop_is_resolved_again():
    asked = []

    def resolver(host, port):
        asked.append((host, port))
        return [PUBLIC]

    hop = b"HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n"
    with server(hop % b"/b", hop % b"//other.example.com", OK + b"\r\nabc") as (connector, _):
        answer = fetch(START, resolver=resolver, connector=connector)

    assert answer.url == "http://other.example.com"
    assert asked == [("pictures.example.com", 80)] * 2 + [("other.example.com", 80)]


@pytest.mark.parametrize(
    "answers, reason",
    [
        ([b"HTTP/1.1 301 Moved\r\nLocation: /a.png\r\n\r\n"] * 4, "more than 3 times"),
        ([b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n"], "not a public one"),
        ([b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n"], "starts with"),
        ([b"HTTP/1.1 302 Found\r\n\r\n"], "answered 302"),
        ([b"HTTP/1.1 404 Not Found\r\n\r\n"], "answered 404"),
        ([OK + b"Content-Encoding: gzip\r\n\r\nabc"], "compressed"),
        ([OK + b"\r\n" + b"a" * 11], "larger than 10 bytes"),
        ([OK + b"Content-Length: 11\r\n\r\n" + b"a" * 11], "larger than 10 bytes"),
        ([OK + b"Content-Length: 9\r\n\r\nabc"], "too early"),
        ([OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc"], "cannot be read"),
        ([b"nonsense\r\n\r\n"], "cannot be read"),
        ([b""], "cannot be read"),
    ],
)
def test_a_bad_answer_is_refused(answers, reason):
    with server(*answers) as (connector, _), pytest.raises(Invalid) as no:
        get(connector=connector, limits=Limits(size=10), field="media.0")

    assert reason in no.value.details["media.0"][0]


@pytest.mark.parametrize("head", [OK + b"\r\n", b""])
def test_a_server_that_drips_is_left_in_time(head):
    began = time.monotonic()
    with server([head, *[b"H"] * 8], pause=0.1) as (connector, _), pytest.raises(Invalid) as no:
        get(connector=connector, limits=Limits(seconds=0.3))

    assert no.value.details == {"url": ["The address takes too long to answer."]}
    assert time.monotonic() - began < 2


def test_no_time_left_means_no_attempt():
    with pytest.raises(Invalid, match="not valid") as no:
        get(limits=Limits(seconds=0))

    assert no.value.details == {"url": ["The address takes too long to answer."]}


def fails(host, port):
    raise OSError


@pytest.mark.parametrize(
    "resolver, reason",
    [
        (answering("127.0.0.1"), "not a public one"),
        (answering(PUBLIC, "10.0.0.1"), "not a public one"),
        (answering("::ffff:169.254.169.254"), "not a public one"),
        (answering(), "no address"),
        (fails, "no address"),
        (lambda host, port: time.sleep(1), "too long"),
    ],
)
def test_a_name_that_leads_nowhere_public_is_never_connected_to(resolver, reason):
    connected = []

    with pytest.raises(Invalid) as no:
        fetch(
            START,
            resolver=resolver,
            connector=lambda *args: connected.append(args),
            limits=Limits(seconds=0.2),
        )

    assert reason in no.value.details["url"][0]
    assert connected == []


def test_a_server_without_a_certificate_is_refused():
    with server(b"HTTP/1.1 200 OK\r\n\r\n") as (connector, requests), pytest.raises(Invalid) as no:
        fetch(START.replace("http", "https"), resolver=answering(PUBLIC), connector=connector)

    assert no.value.details == {"url": ["The address cannot be read."]}
    assert b"GET" not in requests[0]


def test_names_are_looked_up_by_the_system():
    assert resolve("127.0.0.1", 80) == ["127.0.0.1"]
