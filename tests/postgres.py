"""Early plugin: a server before the settings are read, and a migrated database cloned for each worker."""

import contextlib
import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from launch.testing import test_server

ROOT = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("DATA_DIR", ROOT / ".data"))
# Anything that may change what `migrate` makes.
INGREDIENTS = (
    "*/migrations/*.py",
    "*/models.py",
    "*/models/*.py",
    "campaigns_project/settings.py",
    "requirements.txt",
    "lifecycle/*.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    if "DATABASE_URL" in os.environ:  # Given by hand, by bin/test, or by the controller of this worker.
        return
    server = contextlib.ExitStack()
    server.enter_context(test_server(DATA_DIR))
    early_config.add_cleanup(server.close)


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
        # Held to the end: of two runs on one server the second must not take the first one's database away.
        if connection.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [copy]).fetchone() != (True,):
            pytest.exit(f"another test run uses {copy}; wait for it, or set DATABASE_URL")
        _sql(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", copy)
        # One worker migrates; the others wait here and find it done.
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        # A row of no columns is an empty tuple: only None says that there is no row.
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [template]).fetchone() is None:
            _make_template(connection, name, template, settings_dict, migrate)
        _sql(connection, "CREATE DATABASE {} TEMPLATE {}", copy, template)
        connection.execute("SELECT pg_advisory_unlock(hashtext(%s))", [name])
        settings_dict["NAME"] = copy
        yield
        settings_dict["NAME"] = name
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
    return hashlib.sha256(b"\0".join(str(path).encode() + path.read_bytes() for path in paths)).hexdigest()[:12]


def _maintenance(url):
    return psycopg.connect(urlsplit(url)._replace(path="/postgres").geturl(), autocommit=True)


def _sql(connection, statement, *names):
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
