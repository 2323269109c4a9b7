"""Addresses from outside: which ones we accept, and how we read one without being led into our own network.

A check of the text alone is not enough: a name may resolve to a private address, and a public server may
redirect to one. So `fetch` checks every hop again, resolves it once, and connects to what it checked.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import re
import socket
import ssl
import threading
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import idna

from campaigns_project.refusals import Invalid

LONGEST_URL = 2048
PORTS = frozenset({None, 80, 443})
PRIVATE_SUFFIXES = (
    ".localhost",
    ".local",
    ".internal",
    ".intranet",
    ".lan",
    ".corp",
    ".private",
    ".home.arpa",
    # Never public (RFC 6761).
    ".test",
    ".invalid",
)
REDIRECTS = frozenset({301, 302, 303, 307, 308})

_HIDDEN_BREAK = re.compile(r"%0[0ad]", re.IGNORECASE)
_HOST = re.compile(r"(?=.{4,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}")
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_KEPT_IN_PATH = "/?%:@!$&'()*+,;=~"

Resolver = Callable[[str, int], Sequence[str]]
Connector = Callable[[str, int, float], socket.socket]


@dataclass(frozen=True)
class Limits:
    """The most one fetch may cost: wall-clock seconds in all, bytes of body, redirects."""

    seconds: float = 5.0
    size: int = 5_000_000
    redirects: int = 3


@dataclass(frozen=True)
class Fetched:
    """What an address answered: the last URL, the declared media type in lower case, the body."""

    url: str
    media_type: str
    body: bytes


class _UnreadableError(Exception):
    """Why an address is of no use, as a sentence."""


def check_url(url: object, *, schemes: Sequence[str] = ("http", "https"), field: str = "url") -> str:
    """Return `url` unchanged when a stranger may open it. Raises `Invalid`, the reason in `details[field]`.

    Absolute, one of `schemes`, a public host name or a public IP address, port 80 or 443, no credentials.
    Nothing is looked up: see `fetch` for that.
    """
    if not isinstance(url, str) or not url:
        raise _refused(field, "Give an address such as https://example.com/menu.")
    fault = _text_fault(url) or _parts_fault(url, schemes)
    if fault:
        raise _refused(field, fault)
    return url


def is_public(address: str) -> bool:
    """Whether everybody can reach this IP address: not private, loopback, link-local, multicast, …"""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.sixtofour:
        return False
    # "Reserved" covers the blocks that carry an IPv4 address inside IPv6, ::ffff:0:0/96 and 64:ff9b::/96.
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def plain_host(parts: SplitResult) -> str:
    """Return the host as a resolver wants it (full-width digits become plain), or "" if there is none."""
    host = (parts.hostname or "").removesuffix(".")
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode().removesuffix(".")
    except idna.IDNAError:
        return ""


def target_of(parts: SplitResult) -> str:
    """Return path and query as a request line wants them."""
    return quote(parts._replace(scheme="", netloc="", fragment="").geturl() or "/", safe=_KEPT_IN_PATH)


def resolve(host: str, port: int) -> list[str]:
    """Return the IP addresses of a host. Raises `OSError` when there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connect(address: str, port: int, seconds: float) -> socket.socket:
    """Open a TCP connection to an IP address. Raises `OSError`."""
    return socket.create_connection((address, port), timeout=seconds)


def fetch(
    url: str,
    *,
    resolver: Resolver = resolve,
    connector: Connector = connect,
    limits: Limits = Limits(),
    field: str = "url",
) -> Fetched:
    """Read an address within `limits`, never connecting to a private one.

    Raises `Invalid`, the reason in `details[field]`: a refused address, too slow, too large, too many
    redirects, or any answer but 200.
    """
    deadline = time.monotonic() + limits.seconds
    for _ in range(limits.redirects + 1):
        check_url(url, field=field)
        try:
            answer = _hop(url, resolver, connector, deadline, limits.size)
        except _UnreadableError as reason:
            raise _refused(field, str(reason)) from reason
        except TimeoutError as error:
            raise _refused(field, "The address takes too long to answer.") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _refused(field, "The address cannot be read.") from error
        if isinstance(answer, Fetched):
            return answer
        url = urljoin(url, answer)
    raise _refused(field, f"The address redirects more than {limits.redirects} times.")


def _text_fault(url: str) -> str | None:
    if len(url) > LONGEST_URL:
        return f"An address has at most {LONGEST_URL} characters."
    if any(character.isspace() or unicodedata.category(character) in {"Cc", "Cs"} for character in url):
        return "An address has no spaces, line breaks or control characters."
    if "\\" in url or _HIDDEN_BREAK.search(url):
        return "An address has no backslashes, and no line breaks hidden as %0d, %0a or %00."
    return None


def _parts_fault(url: str, schemes: Sequence[str]) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "This is not an address."
    if parts.scheme not in schemes or not parts.hostname:
        return f"An address starts with {' or '.join(f'{scheme}://' for scheme in schemes)} and a host."
    if "@" in parts.netloc:
        return "An address has no user name or password."
    if port not in PORTS:
        return "Only ports 80 and 443 are open to addresses from outside."
    return None if _is_public_host(parts) else "The host is not a public one."


def _is_public_host(parts: SplitResult) -> bool:
    host = plain_host(parts)
    # 2130706433, 0177.0.0.1 and 0x7f.1 are loopback in disguise; of numbers only dotted quads pass.
    if "[" in parts.netloc or _NUMERIC.fullmatch(host):
        return is_public(host)
    return bool(_HOST.fullmatch(host)) and not host.endswith(PRIVATE_SUFFIXES)


def _hop(url: str, resolver: Resolver, connector: Connector, deadline: float, size: int) -> Fetched | str:
    """Return what one address answers, or where it redirects to."""
    parts = urlsplit(url)
    host = plain_host(parts)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = _looked_up(resolver, host, port, deadline)
    if not addresses or not all(map(is_public, addresses)):
        raise _UnreadableError("The host is not a public one.")
    sock = connector(addresses[0], port, _left(deadline))
    if parts.scheme == "https":
        sock.settimeout(_left(deadline))
        sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
    with sock:
        connection = http.client.HTTPConnection(host, port)
        connection.sock = _Wire(sock, deadline)
        connection.request("GET", target_of(parts), headers={"Connection": "close"})
        return _read(connection.getresponse(), url, size)


def _read(response: http.client.HTTPResponse, url: str, size: int) -> Fetched | str:
    location = response.getheader("Location")
    if response.status in REDIRECTS and location:
        return location
    if response.status != http.client.OK:
        raise _UnreadableError(f"The address answered {response.status}, not 200.")
    if response.getheader("Content-Encoding", "identity") != "identity":
        # A small compressed body may unpack to gigabytes, and we did not ask for one.
        raise _UnreadableError("The answer is compressed.")
    body = response.read(size + 1)
    if len(body) > size:
        raise _UnreadableError(f"The answer is larger than {size:,} bytes.")
    if response.length:
        raise _UnreadableError("The answer ends too early.")
    media_type = response.getheader("Content-Type", "").partition(";")[0].strip().lower()
    return Fetched(url, media_type, body)


def _looked_up(resolver: Resolver, host: str, port: int, deadline: float) -> Sequence[str]:
    # In a thread that may be left behind, because the system's resolver knows no deadline.
    found: list[Sequence[str]] = []

    def look_up() -> None:
        try:
            found.append(resolver(host, port))
        except (OSError, UnicodeError):
            found.append([])

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(_left(deadline))
    if not found:
        raise TimeoutError
    if not found[0]:
        raise _UnreadableError("The host has no address.")
    return found[0]


class _Wire:
    """A socket whose every step counts against one deadline; a time-out per step would let a server drip."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(_left(self._deadline))
        self._sock.sendall(data)

    def recv_into(self, buffer: memoryview) -> int:
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """Do nothing: http.client closes before it reads the body; `_hop` closes the socket."""


class _Reader(io.RawIOBase):
    def __init__(self, wire: _Wire) -> None:
        super().__init__()
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # BufferedReader gives a memoryview
        return self._wire.recv_into(buffer)


def _left(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _refused(field: str, sentence: str) -> Invalid:
    return Invalid(details={field: [sentence]})
