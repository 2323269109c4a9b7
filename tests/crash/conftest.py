import pytest
from django.db import connection

from tests.crash.world import World


@pytest.fixture(scope="module")
def worlds(django_db_blocker):
    """Makes worlds; while one stands, this process speaks to its database."""
    before = dict(connection.settings_dict)
    with django_db_blocker.unblock():
        yield World
        connection.close()
    connection.settings_dict.clear()
    connection.settings_dict.update(before)
