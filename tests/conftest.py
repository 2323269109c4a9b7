"""What every test has: a database of its worker's own."""

import pytest
from django.core.management import call_command
from django.db import connection

from tests.postgres import cloned_database

pytest_plugins = ["tests.fixtures_http", "tests.sandbox_process", "tests.served"]


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
