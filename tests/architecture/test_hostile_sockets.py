"""Hostile input that only a real server sees: lengths that lie, bodies that never end, paths nobody normalised."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

from campaigns.models import Campaign
from campaigns.sending import callback_mac
from tests.architecture.hostile import ATTEMPT, BASE, rows
from tests.factories import MembershipFactory
from tests.fixtures_http import Caller

ROWS = [row for row in rows() if row["input"].get("over") == "socket"]
VALID = b'{"name":"S","content_type":"twilio/text","content_context":{"body":"Hello there"}}'
CALLBACK = f"{BASE}/webhooks/twilio/status/{ATTEMPT}?m={callback_mac(ATTEMPT)}"
# The server's patience with a body, and some more.
LONGEST = 14


def asked(row, who):
    """The head and the body of the request, as bytes."""
    given = row["input"]
    method, path = given.get("method", "POST"), given.get("path", CALLBACK)
    body = VALID if method == "POST" else b""
    fields = {"Host": "127.0.0.1", "Authorization": who.headers["authorization"], "Connection": "close"}
    fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))} | given.get("headers", {})
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{head}\r\n".encode(), body


def answer_to(row, who, port):
    """The status of the answer, 0 when the connection was closed without one."""
    head, body = asked(row, who)
    slow = row["input"].get("slow")
    with socket.create_connection(("127.0.0.1", port), timeout=LONGEST) as line:
        line.sendall(head + (b"" if slow else body))
        end = time.monotonic() + LONGEST
        line.settimeout(1 if slow else LONGEST)
        for byte in body if slow else [0]:
            try:
                said = line.recv(4096)
            except TimeoutError:
                line.sendall(bytes([byte]))
            else:
                break
            assert time.monotonic() < end, "a slow body holds the server"
    return int(said.split()[1]) if said else 0


def test_what_only_a_real_server_sees_is_refused_too(house):
    who = Caller(MembershipFactory())

    with ThreadPoolExecutor(len(ROWS)) as lines:
        statuses = list(lines.map(lambda row: answer_to(row, who, house.port), ROWS))

    wrong = {
        row["name"]: status
        for row, status in zip(ROWS, statuses, strict=True)
        if status not in row["expected"]["status"]
    }
    assert wrong == {}
    assert not Campaign.objects.exists()
