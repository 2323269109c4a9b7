"""The house as real programs on the test's own database: web server, sandbox and a sender."""

import contextlib
import os
import subprocess
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from django.conf import settings as django_settings
from django.db import connection

from launch.run import PYTHON, ROOT, WEB
from tests.sandbox_process import free_port

SENDER = [*PYTHON, "manage.py", "send", "twilio"]


@dataclass
class House:
    """`url` is where the web server answers; `sandbox` is told to call back there."""

    sandbox: Any
    port: int = field(default_factory=free_port)
    programs: list[subprocess.Popen] = field(default_factory=list)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self):
        database = connection.settings_dict
        place = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
        kept = {name: str(getattr(django_settings, name)) for name in ("SECRET_KEY", "DATA_KEY", "DATA_DIR")}
        own = {"PORT": str(self.port), "PUBLIC_BASE_URL": self.url, "DATABASE_URL": f"postgres://{place}"}
        patience = {"TWILIO_TIMEOUT_SECONDS": "2", "TWILIO_QUIET_SECONDS": "5", "TEMPLATE_POLL_SECONDS": "0.2"}
        return (
            os.environ
            | kept
            | own
            | patience
            | dict.fromkeys(("TWILIO_API_URL", "TWILIO_CONTENT_URL"), self.sandbox.url)
        )

    def start(self, command):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.programs.append(subprocess.Popen(command, cwd=ROOT, env=self.environment, **quiet))
        return self.programs[-1]

    def open(self):
        """Start the web server and wait until it answers."""
        self.start([*WEB, "--port", str(self.port)])
        eventually(lambda: requests.get(f"{self.url}/healthz", timeout=5).ok, what="the web server")
        self.sandbox.settings(inbound_url=f"{self.url}/api/v1/campaign/webhooks/twilio/inbound")
        return self

    def close(self):
        for program in self.programs:
            program.terminate()
        for program in self.programs:
            try:
                program.wait(15)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()


@pytest.fixture
def house(transactional_db, sandbox, settings, tmp_path):
    """The web server is open; `house.start(SENDER)` adds a sender."""
    settings.DATA_DIR, settings.PRIVATE_FILES_DIR = tmp_path, tmp_path / "private"
    house = House(sandbox)
    settings.PUBLIC_BASE_URL = house.url
    try:
        yield house.open()
    finally:
        house.close()


def eventually(found, *, within=30, what="it"):
    """Ask until the answer is true; returns it."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.ConnectionError):
            if answer := found():
                return answer
        time.sleep(0.1)
    raise AssertionError(f"{what} took longer than {within} s")
