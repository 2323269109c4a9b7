"""The sender's ways to the database: asynchronous connections of its own, and Django's in a thread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from django.db import connection as django_connection
from django.db import connections

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_NOT_FOR_PSYCOPG = ("cursor_factory", "context", "prepare_threshold", "server_side_binding", "pool", "isolation_level")


def parameters() -> dict[str, Any]:
    """What psycopg needs to reach Django's default database."""
    given = django_connection.get_connection_params()
    return {name: value for name, value in given.items() if name not in _NOT_FOR_PSYCOPG}


async def connect(**options: Any) -> psycopg.AsyncConnection[Any]:
    """A new connection in autocommit mode. Raises psycopg.OperationalError when there is no database."""
    return await psycopg.AsyncConnection.connect(**parameters(), autocommit=True, prepare_threshold=2, **options)


async def in_thread(work: Callable[..., T], *given: Any) -> T:
    """Run blocking `work` with Django's connection in a thread; the connection is closed with the work."""
    return await asyncio.to_thread(_closed_after, work, given)


def _closed_after(work: Callable[..., T], given: tuple[Any, ...]) -> T:
    try:
        return work(*given)
    finally:
        connections.close_all()
