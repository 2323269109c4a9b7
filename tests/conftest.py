"""What every test has: a database of its worker's own."""

import gc

import pytest
from django.core.management import call_command
from django.db import connection

from tests.postgres import cloned_database

pytest_plugins = ["tests.at_once", "tests.fixtures_http", "tests.sandbox_process", "tests.served"]


# After pytest's own sorting, which brings together what shares a browser.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    # Who empties the tables comes last: others need what migrations wrote there. The longest come first: at the end
    # there are short ones for everybody, and nobody waits for the other.
    items.sort(key=lambda item: (_empties(item), item.path.name != "test_schemathesis.py"))


def _empties(item):
    marked = item.get_closest_marker("django_db")
    wanted = {"transactional_db", "live_server"} & set(item.fixturenames)
    return bool(wanted or (marked and marked.kwargs.get("transaction")))


def pytest_collection_finish():
    # Programs and tests stay to the end: without this each full collection would walk through a gigabyte of them.
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_blocker, request):
    def migrate():
        call_command("migrate", verbosity=0, interactive=False)
        connection.close()

    worker = getattr(request.config, "workerinput", {}).get("workerid", "")
    with (
        django_db_blocker.unblock(),
        cloned_database(connection.settings_dict, worker=worker, migrate=migrate),
    ):
        yield
        connection.close()
