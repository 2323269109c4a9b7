"""bin/test: a server, a browser, and pytest; one run for each kind of test."""

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from launch import browser
from launch.postgres import Server

# Requests made from the API's document: ten seconds to collect, and all of them are fast ones.
FROM_THE_DOCUMENT = "tests/architecture/test_schemathesis.py"
# The gate is on branches; see [tool.coverage] for what counts as ours.
RUNS = {
    "fast": ["-n", "2", "--cov", "--cov-report=term"],
    "browser": ["-m", "browser", f"--ignore={FROM_THE_DOCUMENT}"],
    "crash": ["-m", "crash", f"--ignore={FROM_THE_DOCUMENT}"],
}

ASKED = (
    "import os, psycopg\n"
    "with psycopg.connect(os.environ['DATABASE_URL']) as server:\n"
    "    print(server.info.parameter_status('server_version'))"
)


def main(arguments: list[str], data_dir: Path) -> int:
    """Run every kind of test, or what the arguments name; 0 when all passed."""
    with test_server(data_dir):
        print(_which_server(), flush=True)
        return _chosen(arguments) if arguments else _everything()


@contextlib.contextmanager
def test_server(data_dir: Path) -> Iterator[None]:
    """DATABASE_URL as it was given, or that of a server under `data_dir`/test, which its last user stops."""
    if "DATABASE_URL" in os.environ:
        yield
        return
    server = Server(data_dir / "test", test=True)
    with (data_dir / "test" / "users.lock").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        os.environ["DATABASE_URL"] = server.start().url
        try:
            yield
        finally:
            del os.environ["DATABASE_URL"]
            with contextlib.suppress(BlockingIOError):  # Somebody else still uses it.
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                server.stop()


def _which_server() -> str:
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"no server answers at DATABASE_URL: {done.stderr.strip().splitlines()[-1]}")
    place = urlsplit(os.environ["DATABASE_URL"])
    return f"PostgreSQL {done.stdout.strip()} at {place.hostname}:{place.port or 5432}"


def _chosen(arguments: list[str]) -> int:
    if any("browser" in argument for argument in arguments):
        os.environ["CHROMIUM"] = browser.find()
    return _pytest(arguments)


def _everything() -> int:
    os.environ["CHROMIUM"] = browser.find()
    failed = []
    for name, arguments in RUNS.items():
        print(f"\n== {name}: pytest {' '.join(arguments)}", flush=True)
        if _pytest(arguments):
            failed.append(name)
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nall passed", flush=True)
    return 1 if failed else 0


def _pytest(arguments: list[str]) -> int:
    # pytest-playwright keeps an event loop open, which Django takes for asynchronous code.
    environment = os.environ | {"DJANGO_ALLOW_ASYNC_UNSAFE": "true"}
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], env=environment, check=False).returncode
