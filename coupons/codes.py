"""Codes: letters from the system's random source, and many rows at once by COPY.

256 is a multiple of 32, so no letter is likelier than another. Codes and ids are made in ascending order: the unique
indexes are then filled from left to right, which is faster than the order that chance gives.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import psycopg.errors
from django.conf import settings
from django.db import connection, transaction

from coupons.models import Coupon, CouponKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Thirty-two, without look-alikes.
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LETTERS = bytes(ALPHABET[byte % 32].encode()[0] for byte in range(256))
_LOWEST = [f"8{low:03x}-" for low in range(4096)]
# So many rows go to PostgreSQL in one piece.
PIECE = 20_000
TABLE, STAGE = Coupon._meta.db_table, "coupons_staged"
# In the order of the codes, so that two who bring the same ones wait for each other and never in a ring.
_TAKE = f"""
INSERT INTO {TABLE} ({{columns}}) SELECT {{columns}} FROM {STAGE} ORDER BY upper(code)
ON CONFLICT DO NOTHING RETURNING code
"""  # noqa: S608 (our own tables)


def length_for(kind: str, quantity: int) -> int:
    """How many random letters: few for one code that people share and type, more for codes that must not be guessed."""
    shared = kind != CouponKind.SINGLE_USE and quantity == 1
    return int(settings.COUPON_SHARED_CODE_LENGTH if shared else settings.COUPON_CODE_LENGTH)


def fresh(quantity: int, *, prefix: str, length: int) -> list[str]:
    """So many different codes, in ascending order."""
    made: set[str] = set()
    while len(made) < quantity:
        made.update(_random(quantity - len(made), prefix, length))
    return sorted(made)


def _random(quantity: int, prefix: str, length: int) -> Iterator[str]:
    letters = os.urandom(quantity * length).translate(_LETTERS).decode()
    return (prefix + letters[start : start + length] for start in range(0, quantity * length, length))


def ids(quantity: int) -> Iterator[str]:
    """UUIDs (version 7) in ascending order: the time in ms, a counter, 48 random bits."""
    moment = f"{time.time_ns() // 1_000_000:012x}"
    head = f"{moment[:8]}-{moment[8:]}-7"
    chance = os.urandom(6 * quantity).hex()
    for number in range(quantity):
        yield f"{head}{number >> 12:03x}-{_LOWEST[number & 4095]}{chance[12 * number : 12 * number + 12]}"


def write(codes: Sequence[str], shared: Mapping[str, Any], notes: Sequence[str | None] = ()) -> set[str]:
    """Write coupons with these codes, which must differ in any case, in the order they are best in.

    `shared` are the columns that all of them have alike, `notes` those of each. Returns the codes that the account had
    already; these are left as they are. Call it in a transaction.
    """
    columns = ["id", "code", *(["notes"] if notes else []), *shared]
    tail = "".join(f"\t{_cell(value)}" for value in shared.values())
    cells = [list(map(_cell, column)) for column in (codes, notes) if column]
    lines = _lines([list(ids(len(codes))), *cells], tail)
    try:
        with transaction.atomic():
            _copy(TABLE, columns, lines)
    except psycopg.errors.UniqueViolation:
        return set(codes) - _take(columns, lines)
    return set()


def _lines(cells: Sequence[Sequence[str]], tail: str) -> list[str]:
    """The rows as COPY reads them, in pieces."""
    end = f"{tail}\n"
    pieces = (zip(*(column[start : start + PIECE] for column in cells), strict=True) for start in _starts(cells[0]))
    return [end.join(map("\t".join, piece)) + end for piece in pieces]


def _starts(column: Sequence[str]) -> range:
    return range(0, len(column), PIECE)


def _copy(table: str, columns: Sequence[str], lines: Sequence[str]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for piece in lines:
            copy.write(piece)


def _take(columns: Sequence[str], lines: Sequence[str]) -> set[str]:
    """Write those of the rows whose code is new; returns their codes."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE {STAGE} ON COMMIT DROP AS SELECT {', '.join(columns)} FROM {TABLE} LIMIT 0")  # noqa: S608
        _copy(STAGE, columns, lines)
        cursor.execute(_TAKE.format(columns=", ".join(columns)))
        taken = {code for (code,) in cursor.fetchall()}
        cursor.execute(f"DROP TABLE {STAGE}")
    return taken


def _cell(value: Any) -> str:
    """A value as COPY reads it; none of ours has control characters."""
    return r"\N" if value is None else str(value).replace("\\", "\\\\")
