"""bin/run: everything on one machine, from an empty data folder to `ready`, until Ctrl-C."""

import contextlib
import fcntl
import http
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import psutil

from launch import ports, processes, running
from launch.broker import Broker
from launch.postgres import Server
from launch.processes import Child
from launch.supervisor import Stopped, Supervisor

ROOT = Path(__file__).resolve().parent.parent
PYTHON = [sys.executable]
CELERY = [*PYTHON, "-m", "celery", "-A", "campaigns_project.celery:app"]
WORKER = [*CELERY, "worker", "--concurrency", "2", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
BEAT = [*CELERY, "beat", "--pidfile=", "--loglevel", "INFO"]
WEB = [*PYTHON, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--workers", "1", "--no-ws"]
WEB += ["--blocking-threads", "16", "--log-level", "warning", "campaigns_project.serving:application"]
SANDBOX = [*PYTHON, "-m", "providers.sandbox"]


class CannotRunError(RuntimeError):
    """Something on this machine is in the way; the message says what and what to do."""


def main(data_dir: Path) -> int:
    """Run everything until Ctrl-C or SIGTERM; 0 when it ended so, 1 when it could not start."""
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        with _alone(data_dir):
            return Run(data_dir).until_stopped()
    except CannotRunError as trouble:
        print(trouble, file=sys.stderr)
        return 1


def watch(data_dir: Path) -> int:
    """Wait for the end of the supervisor, whose pipe is our standard input, and end what it leaves behind."""
    sys.stdin.buffer.read()
    # If the lock is taken, a new supervisor is there already and has cleared up itself.
    with contextlib.suppress(CannotRunError), _alone(data_dir):
        processes.end_everything(data_dir)
    return 0


class Run:
    """One run: the order in which things start, and the order in which they end."""

    def __init__(self, data_dir: Path) -> None:
        """Everything is kept under `data_dir`; PORT and the sandbox's two come from the environment."""
        self.data_dir = data_dir
        self.begun = time.monotonic()
        self.supervisor = Supervisor(self.say)
        self.server: Server | None = None
        self.port = int(os.environ.setdefault("PORT", "8000"))
        self.sandbox_port = int(os.environ.setdefault("SANDBOX_PORT", "8100"))
        self.smtp_port = int(os.environ.setdefault("SANDBOX_SMTP_PORT", str(self.sandbox_port + 25)))
        os.environ["DATA_DIR"] = str(data_dir)
        os.environ["PYTHONUNBUFFERED"] = "1"

    def say(self, text: str) -> None:
        """A line of progress, with the seconds since the start."""
        print(f"[{time.monotonic() - self.begun:5.1f} s] {text}", flush=True)

    def until_stopped(self) -> int:
        """Start everything, say so, keep it running, and end it all."""
        self.supervisor.stop_on_signals()
        try:
            self._start()
            self.supervisor.run()
        except Stopped:
            return 0
        except (CannotRunError, TimeoutError, OSError, RuntimeError) as trouble:
            self.say(f"cannot go on: {trouble}")
            return 1
        else:
            return 0
        finally:
            self._stop()

    def _start(self) -> None:
        processes.end_everything(self.data_dir)
        wanted = {"PORT": self.port, "SANDBOX_PORT": self.sandbox_port, "SANDBOX_SMTP_PORT": self.smtp_port}
        for name, port in wanted.items():
            if not ports.is_free(port):
                raise CannotRunError(f"port {port} is taken by another program; set {name} to a free one")
        self._watch()
        self._database()
        self._broker()
        self._child("sandbox", SANDBOX)
        self._manage("migrating the database", "migrate", "--verbosity", "0")
        self._manage("collecting and compressing static files", "collectstatic", "--noinput", "--verbosity", "0")
        self._child("web", [*WEB, "--port", str(self.port)])
        self._manage("filling in the demo", "demo")
        self._child("worker", WORKER)
        self._child("beat", BEAT)
        self._answers("sandbox", self.sandbox_port, "/healthz")
        self._answers("web", self.port, "/healthz")
        self._answers("web", self.port, "/readyz")
        self._welcome()

    def _watch(self) -> None:
        # We never write: that our end closes is the message, and a kill -9 of us cannot prevent it.
        read, self._pipe = os.pipe()
        command = [*PYTHON, "-m", "launch", "watch"]
        self.supervisor.keep(Child("watch", command, self.data_dir, cwd=ROOT, stdin=os.fdopen(read, "rb")))

    def _database(self) -> None:
        if os.environ.get("DATABASE_URL"):
            self.say("database: DATABASE_URL")
        else:
            self.server = Server(self.data_dir)
            self.supervisor.keep(self.server)
            os.environ["DATABASE_URL"] = self.server.url
            self.say(f"database: PostgreSQL on port {self.server.port}")

    def _broker(self) -> None:
        if os.environ.get("BROKER_URL"):
            self.say("broker: BROKER_URL")
        else:
            broker = Broker(self.data_dir)
            os.environ["BROKER_URL"] = broker.url
            self._child("broker", broker.command)
            self.supervisor.wait_until(broker.answers, within=30, what="the broker")
            self.say(f"broker: Valkey on port {broker.port}")
        running.note_down(self.data_dir)

    def _child(self, name: str, command: list[str]) -> None:
        self.supervisor.keep(Child(name, command, self.data_dir, cwd=ROOT))

    def _manage(self, doing: str, *arguments: str) -> str:
        if doing:
            self.say(doing)
        command = [*PYTHON, "manage.py", *arguments]
        with (self.data_dir / "logs" / "manage.log").open("w+") as said:
            process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said, start_new_session=True)
            try:
                self.supervisor.wait_until(lambda: process.poll() is not None, within=300, what=arguments[0])
            finally:
                process.kill()
            said.seek(0)
            if process.wait():
                raise CannotRunError(f"manage.py {arguments[0]} failed:\n{said.read()}")
            return said.read().strip()

    def _answers(self, name: str, port: int, path: str) -> None:
        self.supervisor.wait_until(
            lambda: _status(port, path) == http.HTTPStatus.OK, within=60, what=f"{name} at {path}"
        )

    def _welcome(self) -> None:
        token = self._manage("", "token", "merchant@demo.test").splitlines()[-1]
        base = os.environ.get("PUBLIC_BASE_URL", f"http://127.0.0.1:{self.port}")
        self.say("ready")
        print(WELCOME.format(base=base, sandbox=f"http://127.0.0.1:{self.sandbox_port}", token=token), flush=True)

    def _stop(self) -> None:
        self.say("ending everything")
        processes.end_everything(self.data_dir)
        if self.server:
            self.server.stop()
        running.forget(self.data_dir)
        self.say("ended")


WELCOME = """
  web       {base}/
  admin     {base}/admin/
  API docs  {base}/api/docs/
  phone     {sandbox}/phone   (the sandbox: nothing leaves this machine)

  log in as operator@demo.test, merchant@demo.test or neighbour@demo.test
  password  demo-password-1

  curl -s -H 'Authorization: Bearer {token}' {base}/api/v1/campaign/

Ctrl-C ends everything; the data stays.
"""


@contextlib.contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Hold the data folder's lock. Raises CannotRunError when a living bin/run has it."""
    with (data_dir / "run.lock").open("a+") as lock:
        _take(lock, data_dir)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _take(lock: TextIO, data_dir: Path) -> None:
    for _ in range(200):
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read() or "0"
        if (command := _command(int(holder))) and "watch" not in command:
            raise CannotRunError(f"bin/run already runs on {data_dir} (process {holder}); end it, or set DATA_DIR")
        # The watcher of a killed run is still ending what that one left.
        time.sleep(0.1)
    raise CannotRunError(f"the run before this one is still being ended (process {holder})")


def _command(pid: int) -> list[str]:
    try:
        return psutil.Process(pid).cmdline()
    except (psutil.Error, ValueError):
        return []


def _status(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
