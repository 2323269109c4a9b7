"""Statements asked again and again with the same words: PostgreSQL keeps their plans, connection by connection.

For those whose planning costs as much as their work, and whose plan does not depend on the values. Everything else goes
through Django's cursor, which writes the values into the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from django.db import connection

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper


class _Prepared(psycopg.Cursor[Any]):
    def execute(self, query: Any, params: Any = None, **_options: Any) -> _Prepared:
        return super().execute(query, params, prepare=True)


def cursor() -> CursorWrapper:
    """A cursor of Django's connection, seen and counted as any other, that prepares what it executes.

    Values are sent beside the text, so a parameter whose type cannot be told from where it stands needs a cast.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    own: Any = _Prepared(connection.connection)
    return connection.make_debug_cursor(own) if connection.queries_logged else connection.make_cursor(own)
