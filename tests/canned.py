"""A server that answers what it is told, byte for byte, and keeps what it was asked."""

import contextlib
import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from tests.sandbox_process import free_port


class Asked(NamedTuple):
    method: str
    target: str
    headers: dict
    body: bytes


def http(status, document=b"", **headers):
    """The bytes of an answer: `document` as it is, or as JSON."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    fields = {"content_length": len(body), "content_type": "application/json"} | headers
    told = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Told\r\n{told}\r\n".encode() + body


class Canned:
    """Answers with `answers` in turn, the last one for ever: bytes, or what a function of the call returns.

    None is a reset. After bytes the connection is closed when `keep` is false.
    """

    def __init__(self, *answers, keep=False):
        self.answers, self.keep, self.asked, self.connections = list(answers), keep, [], 0
        self.over = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def next_answer(self, asked):
        self.asked.append(asked)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(asked) if callable(answer) else answer

    def hang(self, _asked):
        """An answer that does not come while the test runs."""
        self.over.wait(20)

    @contextlib.contextmanager
    def open(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", free_port()), _handler(self))
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.over.set()
            self.server.shutdown()
            thread.join()
            self.server.server_close()


def _handler(canned):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            canned.connections += 1
            super().setup()

        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            said = canned.next_answer(Asked(self.command, self.path, dict(self.headers), body))
            if said is None:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                self.wfile.write(said or b"")
            self.close_connection = not canned.keep or not said

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815  # the names http.server asks for

        def log_message(self, *_args):
            pass

    return Handler
