"""Early plugin: a server before the settings are read, and a migrated database cloned for each worker."""

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from launch.postgres import Server

ROOT = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("DATA_DIR", ROOT / ".data")) / "test"
# Anything that may change what `migrate` makes.
INGREDIENTS = ("*/migrations/*.py", "campaigns_project/settings.py", "requirements.txt", "lifecycle/*.py")
server = pytest.StashKey[Server]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    if "DATABASE_URL" in os.environ:  # Given by hand, by bin/test, or by the controller of this worker.
        return
    DATA_DIR.mkdir(parents=True, exist_ok=True)
    lock = (DATA_DIR / "pytest.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise pytest.UsageError(
            f"another test run uses {DATA_DIR}; wait for it, or set DATABASE_URL"
        ) from None
    early_config.add_cleanup(lock.close)
    early_config.stash[server] = Server(DATA_DIR, test=True).start()
    early_config.add_cleanup(early_config.stash[server].stop)
    os.environ["DATABASE_URL"] = early_config.stash[server].url
    early_config.add_cleanup(lambda: os.environ.pop("DATABASE_URL"))


def pytest_report_header():
    url = os.environ["DATABASE_URL"]
    with _maintenance(url) as connection:
        return f"PostgreSQL {connection.info.parameter_status('server_version')} at {urlsplit(url).netloc}"


@contextlib.contextmanager
def cloned_database(settings_dict, *, worker, migrate):
    """A fresh copy of the migrated template under the settings' name, dropped at the end.

    `worker` (gw0, gw1, … or empty) makes the name unique within a run; `migrate` fills an empty database.
    """
    url, name = os.environ["DATABASE_URL"], settings_dict["NAME"]
    template = f"template_{name}_{_fingerprint()}"
    copy = "_".join(filter(None, ("test", name, worker)))
    with _maintenance(url) as connection:
        # One worker migrates; the others wait here and find it done.
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [template]).fetchone():
            _make_template(connection, name, template, settings_dict, migrate)
        _sql(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", copy)
        _sql(connection, "CREATE DATABASE {} TEMPLATE {}", copy, template)
    settings_dict["NAME"] = copy
    yield
    settings_dict["NAME"] = name
    with _maintenance(url) as connection:
        _sql(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", copy)


def _make_template(connection, name, template, settings_dict, migrate):
    old = connection.execute(
        "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [f"template_{name}_"]
    ).fetchall()
    for (stale,) in old:
        _sql(connection, "DROP DATABASE {} WITH (FORCE)", stale)
    _sql(connection, "CREATE DATABASE {}", f"{template}_new")
    settings_dict["NAME"] = f"{template}_new"
    migrate()
    # Renamed when whole, so that a run stopped in the middle leaves no half template.
    _sql(connection, "ALTER DATABASE {} RENAME TO {}", f"{template}_new", template)


def _fingerprint():
    paths = sorted(path for pattern in INGREDIENTS for path in ROOT.glob(pattern))
    return hashlib.sha256(b"\0".join(str(path).encode() + path.read_bytes() for path in paths)).hexdigest()[
        :12
    ]


def _maintenance(url):
    return psycopg.connect(urlsplit(url)._replace(path="/postgres").geturl(), autocommit=True)


def _sql(connection, statement, *names):
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
