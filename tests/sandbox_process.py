"""A real sandbox process for tests: `sandbox` is empty at the start of each test."""

import contextlib
import os
import random
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).resolve().parent.parent
ACCOUNT = f"AC{'fake':0<32}"
TOKEN = "fake-token"


def free_port():
    """A port below the range that outgoing connections take theirs from."""
    for port in random.sample(range(20_000, 32_768), 50):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no free port")


class Control:
    """The sandbox's control routes at `url`."""

    def reset(self, **settings):
        """Forget everything; then change these settings. Approval takes no time unless `approve_after_ms` says so."""
        self.post("reset")
        self.settings(**({"approve_after_ms": 0, "callback_delay_ms": 0} | settings))

    def settings(self, provider="twilio", **wanted):
        return self.post("faults", wanted, provider=provider)

    def log(self, provider="twilio", **query):
        return self.get("log", provider=provider, **query)["messages"]

    def calls(self, **query):
        return self.get("calls", **query)["calls"]

    def summary(self, provider="twilio"):
        return self.get("summary", provider=provider)

    def write(self, *, sender, to, body, **more):
        """Somebody writes to us; returns {"sid", "status" of our webhook}."""
        return self.post("inbound", {"from": sender, "to": to, "body": body} | more)

    def rule(self, content_sid, status, reason=""):
        return self.post(f"templates/{content_sid}", {"status": status, "rejection_reason": reason})

    def get(self, name, **query):
        return self._read(requests.get(f"{self.url}/_sandbox/{name}", params=query, timeout=30))

    def post(self, name, document=None, **query):
        url = f"{self.url}/_sandbox/{name}"
        return self._read(requests.post(url, json=document or {}, params=query, timeout=30))

    def _read(self, answer):
        assert answer.status_code == 200, answer.text
        return answer.json()


@dataclass
class SandboxProcess(Control):
    folder: Path
    port: int = field(default_factory=free_port)
    smtp_port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, **environment):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "providers.sandbox"],
            cwd=ROOT,
            env=os.environ
            | {"DATA_DIR": str(self.folder), "SANDBOX_PORT": str(self.port), "SANDBOX_SMTP_PORT": str(self.smtp_port)}
            | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"{self.url}/healthz", timeout=5)
                return self
            time.sleep(0.05)
        raise AssertionError(f"the sandbox did not start at {self.url}: {self.process.poll()}")

    def kill(self):
        """As kill -9 does."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait(10)


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory):
    sandbox = SandboxProcess(tmp_path_factory.mktemp("sandbox")).start()
    yield sandbox
    if sandbox.process.poll() is None:
        sandbox.stop()


@pytest.fixture
def sandbox(sandbox_process):
    sandbox_process.reset()
    return sandbox_process
