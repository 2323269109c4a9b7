"""The providers' door as real providers meet it: over HTTP, at the house's own web server."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from django.db import connection as database

from crm.models import Event
from dispatch import inbox
from dispatch.models import InboxEntry, WebhookConnection
from tests.crm.webhook_world import OPENED, PREFIX, connected, path_of, stamped

BODY = json.dumps(OPENED).encode()
REPLAYS, AT_ONCE = 1000, 20
END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()
"""


def send(house, connection, body=BODY, session=requests, **headers):
    said = {"Content-Type": "application/json", **stamped(body), **headers}
    return session.post(f"{house.url}{path_of(connection)}", data=body, headers=said, timeout=30)


def test_a_thousand_parallel_replays_have_one_effect(house):
    connection = connected()

    def replays(_):
        with requests.Session() as session:
            return [send(house, connection, session=session).status_code for _ in range(REPLAYS // AT_ONCE)]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = [status for each in pool.map(replays, range(AT_ONCE)) for status in each]
    inbox.apply_all()

    assert statuses == [200] * REPLAYS
    assert (InboxEntry.objects.count(), Event.objects.count()) == (1, 1)
    assert WebhookConnection.objects.get().events_received == 1


def test_an_answer_names_its_request(house):
    connection = connected()

    taken = send(house, connection, **{"X-Request-ID": "mine-1"})
    refused = send(house, connection, body=b"[]", **{"X-Webhook-Timestamp": "1"})

    assert (taken.status_code, taken.content, taken.headers["X-Request-ID"]) == (200, b"{}", "mine-1")
    assert (refused.status_code, refused.json()["code"]) == (401, "UNAUTHORIZED")
    assert refused.json()["request_id"] == refused.headers["X-Request-ID"] != ""
    assert refused.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "acme", 404), ("GET", "mailchimp", 200), ("GET", "twilio", 405)]
)
def test_the_door_leads_on_to_all_others(house, method, path, status):
    assert requests.request(method, f"{house.url}{PREFIX}/{path}", timeout=30).status_code == status


def test_nothing_is_acknowledged_while_it_cannot_be_stored_and_everything_after(house):
    connection = connected()
    name = database.settings_dict["NAME"]
    assert send(house, connection).status_code == 200
    with database.cursor() as cursor:
        cursor.execute("ALTER TABLE dispatch_inboxentry RENAME TO elsewhere")
    down = send(house, connection, body=json.dumps(OPENED | {"event_id": "e1"}).encode())
    with database.cursor() as cursor:
        cursor.execute("ALTER TABLE elsewhere RENAME TO dispatch_inboxentry")
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [name],
        )
    again = [send(house, connection, body=json.dumps(OPENED | {"event_id": f"e{n}"}).encode()) for n in range(1, 20)]

    assert (down.status_code, down.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    # A provider comes back after a 503; a connection that broke costs one answer of its thread at most.
    taken = [answer for answer in again if answer.status_code == 200]
    assert {answer.status_code for answer in again} <= {200, 503}
    assert len(taken) > len(again) / 2
    assert InboxEntry.objects.count() == 1 + len(taken)


def test_a_slow_body_holds_nobody(house):
    connection = connected()
    head = f"POST {path_of(connection)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", house.port), timeout=14) as line:
        line.sendall(head.encode() + b"{")

        assert send(house, connection).status_code == 200
        assert line.recv(4096).split()[1] == b"408"
