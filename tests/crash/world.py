"""A whole world as real processes: what bin/run starts, by the same commands, on ports and a data folder of its own.

The process that uses it (a test, a bench) is its supervisor, and its Django speaks to the world's database. Whatever is
killed is started again while somebody waits in `until`.
"""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import psutil
import requests
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from launch import ports, processes
from launch.broker import Broker
from launch.postgres import Server
from launch.processes import Child
from launch.run import BEAT, PYTHON, ROOT, SANDBOX, WEB, WORKER
from launch.supervisor import Supervisor
from tests.sandbox_process import Control

SENDER = [*PYTHON, str(ROOT / "manage.py"), "send", "twilio"]
# Short patience: a test cannot wait fifteen minutes until absence is believed.
PATIENCE = {"TWILIO_TIMEOUT_SECONDS": "2", "TWILIO_SLOWEST_SECONDS": "1", "TWILIO_QUIET_SECONDS": "5"}


class World(Control):
    """`with World() as world:` – everything runs; at the end nothing does."""

    def __init__(self, *, durable=True, **environment):
        self.folder = Path(tempfile.mkdtemp())
        # PostgreSQL runs as somebody without rights when we are root.
        self.folder.chmod(0o755)
        self.data_dir = self.folder / "data"
        self.data_dir.mkdir(mode=0o755)
        self.said = []
        self.supervisor = Supervisor(lambda line: self.said.append(f"{time.strftime('%X')} {line}"))
        self.server = Server(self.data_dir, test=not durable)
        self.port, self.sandbox_port = (ports.remembered(self.folder / name) for name in ("web", "sandbox"))
        self.url, self.web = f"http://127.0.0.1:{self.sandbox_port}", f"http://127.0.0.1:{self.port}"
        self.extra = environment
        self.children = {}

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        connection.close()
        for sender in processes.senders(self.data_dir):
            with contextlib.suppress(psutil.Error):
                sender.send_signal(signal.SIGCONT)
        processes.end_everything(self.data_dir)
        end = time.monotonic() + 10
        # Asking is what takes note of their ends.
        while [child for child in self.children.values() if child.alive()] and time.monotonic() < end:
            time.sleep(0.05)
        self.server.stop("immediate")
        shutil.rmtree(self.server.home.parent, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self):
        self.supervisor.keep(self.server)
        self._use_its_database()
        self.broker = Broker(self.data_dir)
        self.environment = {
            "DATABASE_URL": self.server.url,
            "BROKER_URL": self.broker.url,
            "DATA_DIR": str(self.data_dir),
            "DATA_KEY": settings.DATA_KEY,
            "SECRET_KEY": settings.SECRET_KEY,
            "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "PUBLIC_BASE_URL": self.web,
            "TWILIO_API_URL": self.url,
            "TWILIO_CONTENT_URL": self.url,
            "PYTHONUNBUFFERED": "1",
            **PATIENCE,
            **self.extra,
        }
        self.keep("broker", self.broker.command)
        self.until(self.broker.answers, what="the broker")
        self.keep("sandbox", SANDBOX)
        migrating = self.child("migrate", [*PYTHON, "manage.py", "migrate", "--verbosity", "0"])
        migrating.start()
        self.until(lambda: not migrating.alive(), within=120, what="migrating")
        assert migrating._process.returncode == 0, self.last_words()
        self.until(lambda: answers(f"{self.url}/healthz"), what="the sandbox")

    def _use_its_database(self):
        connection.close()
        connection.settings_dict |= {
            "HOST": "127.0.0.1", "PORT": self.server.port, "USER": "campaigns", "PASSWORD": "", "NAME": "campaigns",
        }  # fmt: skip

    # Its processes.

    def child(self, name, command, **environment):
        """A program of this world, not started yet."""
        variables = [f"{key}={value}" for key, value in {**self.environment, **environment}.items()]
        self.children[name] = Child(name, ["env", *variables, *command], self.data_dir, cwd=ROOT)
        return self.children[name]

    def keep(self, name, command, **environment):
        """Start a program and keep it running."""
        child = self.child(name, command, **environment)
        self.supervisor.keep(child)
        return child

    def open_the_house(self):
        """Web, worker and beat, and through them a sender."""
        self.keep_web()
        self.keep("worker", WORKER)
        self.keep("beat", BEAT)
        self.until(self.senders, what="a sender")

    def keep_web(self):
        self.keep("web", [*WEB, "--port", str(self.port)])
        self.until(lambda: answers(f"{self.web}/healthz"), what="the web process")

    def senders(self):
        """The living senders of this world."""
        return processes.senders(self.data_dir)

    def members(self, name):
        """The living processes of one program: its leader, and what that one started."""
        return processes.session(self.data_dir / "run" / f"{name}.pid")

    # Waiting and asking.

    def until(self, ready, *, within=60, what="it"):
        """Keep everything running until `ready()`, which may fail with the database; returns its answer."""
        found = []
        try:
            self.supervisor.wait_until(
                lambda: bool(found.append(self.ask(ready)) or found[-1]), within=within, what=what
            )
        except TimeoutError as late:
            raise AssertionError(f"{late}\n" + "\n".join(self.said[-20:]) + self.last_words()) from None
        return found[-1]

    def wait(self, seconds):
        """Keep everything running for a while."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end, within=seconds + 60)

    @staticmethod
    def ask(question):
        """The answer of a question to the database; None while there is none."""
        try:
            return question()
        except (OperationalError, InterfaceError):
            connection.close()
            return None

    def last_words(self):
        logs = sorted((self.data_dir / "logs").glob("*.log"))
        return "".join(f"\n{log.name}:\n{''.join(log.read_text().splitlines(True)[-12:])}" for log in logs)

    def call(self, method, path, token, document=None, **options):
        """Ask the web process; `token` is a bearer's."""
        return requests.request(
            method,
            f"{self.web}/api/v1/campaign/{path}",
            json=document,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            timeout=30,
            **options,
        )


def answers(url):
    try:
        return requests.get(url, timeout=2).status_code == 200
    except requests.RequestException:
        return False


def kill(process):
    """As the machine does it: no last word, and gone from the process table's living when this returns."""
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
