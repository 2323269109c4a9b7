"""The sandbox within the test's own process, and a receiver for what it calls back."""

import asyncio
import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import pytest
import requests
from twilio.request_validator import RequestValidator

from providers.sandbox.server import serving
from tests.sandbox_process import ACCOUNT, TOKEN, Control, free_port

SENDER = "whatsapp:+14155238886"
PERSON = "whatsapp:+12025550143"
KEY = "6f6b2a34-95a4-4be2-9a4e-1f0d6c0f7a11"
# A client that closes its connection is served by aiohttp, one that keeps it by the fast lane.
LANES = pytest.mark.parametrize("lane", [{}, {"Connection": "close"}], ids=["fast", "slow"])


def until(true, seconds=10):
    """Wait until `true()`, and return what it said."""
    deadline = time.monotonic() + seconds
    while not (said := true()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert said, "it did not happen"
    return said


class Box(Control):
    def __init__(self, folder):
        self.folder, self.port, self.smtp_port, self.errors = folder, free_port(), free_port(), []
        self.url = f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def open(self):
        ready = threading.Event()
        thread = threading.Thread(target=asyncio.run, args=(self._serve(ready),))
        thread.start()
        assert ready.wait(10)
        yield self
        self.loop.call_soon_threadsafe(self.over.set)
        thread.join(10)
        assert self.errors == []

    async def _serve(self, ready):
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        self.loop.set_exception_handler(lambda _loop, context: self.errors.append(context))
        async with serving(self.folder, self.port, self.smtp_port):
            ready.set()
            await self.over.wait()

    def call(self, method, path, *, auth=(ACCOUNT, TOKEN), **more):
        return requests.request(method, f"{self.url}{path}", auth=auth, timeout=10, **more)

    def messages(self, method, path="", account=ACCOUNT, **more):
        return self.call(method, f"/2010-04-01/Accounts/{account}/Messages{path}.json", **more)

    def send(self, form=None, headers=None, **more):
        form = {"To": PERSON, "From": SENDER, "Body": "Hello"} | (form or {})
        return self.messages("POST", data={k: v for k, v in form.items() if v is not None}, headers=headers, **more)

    def template(self, types=None, *, submit=True, **more):
        """The sid of a template with these types; approved, when the settings take no time for it."""
        types = types or {"twilio/text": {"body": "Hi {{1}}, your order is ready."}}
        document = {"friendly_name": "order_ready", "language": "en", "types": types, "variables": {"1": "Ann"}}
        made = self.call("POST", "/v1/Content", json=document | more)
        assert made.status_code == 201, made.text
        sid = made.json()["sid"]
        if submit:
            self.submit(sid)
        return sid

    def submit(self, sid, name="order_ready", category="UTILITY"):
        path = f"/v1/Content/{sid}/ApprovalRequests/whatsapp"
        return self.call("POST", path, json={"name": name, "category": category})


class Receiver:
    """Takes webhooks and answers `status`. `forms` are what came, oldest first, each with a proven signature."""

    def __init__(self):
        self.forms, self.status, self.port = [], 204, free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def statuses(self, sid):
        return [form["MessageStatus"] for form in self.forms if form["MessageSid"] == sid]

    @contextlib.contextmanager
    def open(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = dict(parse_qsl(raw, keep_blank_values=True))
                signature = self.headers["X-Twilio-Signature"]
                assert RequestValidator(TOKEN).validate(receiver.url + self.path, form, signature)
                receiver.forms.append(form | {"path": self.path})
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        with ThreadingHTTPServer(("127.0.0.1", self.port), Handler) as server:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
            yield self
            server.shutdown()


@pytest.fixture(scope="module")
def box_of_module(tmp_path_factory):
    with Box(tmp_path_factory.mktemp("box")).open() as box:
        yield box


@pytest.fixture
def box(box_of_module):
    box_of_module.reset()
    yield box_of_module
    assert box_of_module.errors == []


@pytest.fixture
def receiver():
    with Receiver().open() as receiver:
        yield receiver
