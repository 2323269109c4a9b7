"""The sender's own connections: asynchronous, outside Django's, to the same database."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connection as django_connection

_NOT_FOR_PSYCOPG = ("cursor_factory", "context", "prepare_threshold", "server_side_binding", "pool", "isolation_level")


def parameters() -> dict[str, Any]:
    """What psycopg needs to reach Django's default database."""
    given = django_connection.get_connection_params()
    return {name: value for name, value in given.items() if name not in _NOT_FOR_PSYCOPG}


async def connect(**options: Any) -> psycopg.AsyncConnection[Any]:
    """A new connection in autocommit mode. Raises psycopg.OperationalError when there is no database."""
    return await psycopg.AsyncConnection.connect(**parameters(), autocommit=True, prepare_threshold=2, **options)
