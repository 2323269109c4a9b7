"""A merchant's server: real HTTP on loopback that keeps what it is sent and answers what a test says."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.sandbox_process import free_port


@dataclass
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self):
        return self.headers["webhook-id"]

    @property
    def said(self):
        return json.loads(self.body)


@dataclass
class Receiver:
    """`answers[path]` is a status, or a list of which each request takes the first while there is more than one."""

    port: int = field(default_factory=free_port)
    got: list[Got] = field(default_factory=list)
    answers: dict[str, int | list[int]] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    body: bytes = b"thanks"

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def at(self, path):
        return [each for each in self.got if each.path == path]

    def answer(self, path):
        time.sleep(self.delays.get(path, 0))
        said = self.answers.get(path, 200)
        return said if isinstance(said, int) else said.pop(0) if len(said) > 1 else said[0]


@pytest.fixture
def receiver(settings):
    """Listens, and is trusted although it is on this machine."""
    here = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            here.got.append(Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status = here.answer(self.path)
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(here.body)))
                self.end_headers()
                self.wfile.write(here.body)
            except OSError:
                pass

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", here.port), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    settings.WEBHOOK_TRUSTED_ORIGINS = [here.url]
    yield here
    server.shutdown()
    server.server_close()
