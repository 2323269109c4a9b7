"""A campaign's coupons as CSV, as PostgreSQL writes it: one COPY, one snapshot, no row an object of ours.

RFC 4180 (lines end in CRLF); a cell that a spreadsheet would take for a formula has an apostrophe in front, which is
the only thing to take off again. Times are UTC with milliseconds, money is in minor units.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any

import psycopg
from django.http import StreamingHttpResponse
from django.utils.text import slugify
from psycopg import sql

from campaigns_project.models import AuditEntry
from campaigns_project.refusals import TooManyRequests
from coupons.models import Coupon
from dispatch import database

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from datetime import datetime

    from coupons.models import CouponCampaign

# At once, of one account.
MOST = 2
RETRY_S = 10
PIECE = 64 * 1024
LONGEST_S = 3_600
# The first of the two numbers of our locks, so that nobody else's are meant.
_LOCKS = 0x0C50
# What a spreadsheet runs, also behind blanks; the full-width forms are read as the others.
_FORMULA = r"^([\t\r\n]|\s*[=+@＝＋－＠-])"
_SLOT = "SELECT n FROM generate_series(0, %s) AS n WHERE pg_try_advisory_xact_lock(%s, %s + n) LIMIT 1"
# Without this a big campaign would be sorted before its first row is sent, though an index has the order.
_SETTINGS = f"""
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL enable_sort = off;
SET LOCAL statement_timeout = '{LONGEST_S}s'
"""
_MOMENT = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
_TEXTS = frozenset({"code", "product_id", "variant_id", "notes", "extradata"})
_COPIED = frozenset({"starts_at", "ends_at"})
_MOMENTS = frozenset({"created_at", "updated_at"})
# The columns of the file, in their order (spec: decisions › Coupons).
COLUMNS = (
    *("id", "account_id", "coupon_campaign_id", "code", "status", "starts_at", "ends_at", "max_count", "used_count"),
    *("min_cart_value", "discount_type", "discount_value", "product_id", "variant_id", "notes", "extradata"),
    *("created_at", "updated_at"),
)


class TooManyExports(TooManyRequests):
    message = f"{MOST} exports of this account are under way. Try again when one of them is done."


class CouponFile:
    """The file in pieces of some 64 KiB. It holds a connection and one of the account's places: close it.

    Raises TooManyExports when there is no place; who waits in a line of its own is not `counted`. `rows` is how many
    coupons were read so far.
    """

    def __init__(self, campaign: CouponCampaign, *, counted: bool = True) -> None:
        self.rows = 0
        self._link = psycopg.connect(**database.parameters())
        self._pieces = self._read(campaign)
        self._link.execute(_SETTINGS)
        if counted:
            self._take_place(campaign.account_id)

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """Ends the statement, wherever it is; the place is free when this returns."""
        with suppress(psycopg.Error):
            self._pieces.close()
            self._link.rollback()
        self._link.close()

    # An answer that nobody reads is not always closed.
    __del__ = close

    def _take_place(self, account: int) -> None:
        # Locks of the transaction: they go with it, whatever becomes of us or of a pooler between.
        taken = self._link.execute(_SLOT, [MOST - 1, _LOCKS, account % 1_000_000_000 * MOST])
        if taken.fetchone() is None:
            raise TooManyExports(retry_after=RETRY_S)

    def _read(self, campaign: CouponCampaign) -> Generator[bytes, None, None]:
        # The head is no coupon.
        self.rows = -1
        with self._link.cursor() as cursor, cursor.copy(statement(campaign)) as copy:
            piece: list[bytes] = []
            size = 0
            while row := copy.read():
                piece.append(bytes(row))
                size += len(row)
                if size >= PIECE:
                    self.rows += len(piece)
                    yield _lines(piece)
                    piece, size = [], 0
            self.rows += len(piece)
            yield _lines(piece)
        self._link.commit()


def as_file(campaign: CouponCampaign, *, by: Any) -> StreamingHttpResponse:
    """The file as an answer without a length; the audit trail says who took it. Raises TooManyExports."""
    pieces = CouponFile(campaign)
    AuditEntry.objects.create(account=campaign.account, actor=by, action="coupons.export", target=str(campaign.pk))
    response = StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{file_name(campaign)}"'
    response["Cache-Control"] = "private, no-store"
    return response


def file_name(campaign: CouponCampaign) -> str:
    """`summer-sale-coupons.csv`: letters, digits, `-` and `_`, whatever the campaign is called."""
    return f"{slugify(campaign.name) or 'campaign'}-coupons.csv"


def statement(campaign: CouponCampaign) -> sql.Composed:
    """The COPY that writes the whole file but for its line ends."""
    values = {
        **{name: sql.Identifier(name) for name in COLUMNS},
        "account_id": sql.Literal(str(campaign.account.uuid)),
        "coupon_campaign_id": sql.Literal(str(campaign.pk)),
        "max_count": sql.SQL("coalesce(max_count, {})").format(sql.Literal(campaign.max_count)),
        **{name: _harmless(name) for name in _TEXTS},
        **{name: sql.SQL(_MOMENT).format(sql.Identifier(name)) for name in _MOMENTS},
        **{name: _window(name, getattr(campaign, name)) for name in _COPIED},
    }
    columns = sql.SQL(", ").join(sql.SQL("{} AS {}").format(values[name], sql.Identifier(name)) for name in COLUMNS)
    return sql.SQL(
        "COPY (SELECT {} FROM {} WHERE campaign_id = {} ORDER BY campaign_id, id) "
        "TO STDOUT (FORMAT csv, HEADER, ENCODING 'UTF8')"
    ).format(columns, sql.Identifier(Coupon._meta.db_table), sql.Literal(campaign.pk))


def _harmless(name: str) -> sql.Composed:
    return sql.SQL("CASE WHEN {0}::text ~ {1} THEN '''' || {0}::text ELSE {0}::text END").format(
        sql.Identifier(name), sql.Literal(_FORMULA)
    )


def _window(name: str, at: Any) -> sql.Composed:
    """A moment that is the campaign's in nearly every row is written once."""
    written = sql.SQL(_MOMENT).format(sql.Identifier(name))
    if at is None:
        return written
    return sql.SQL("CASE WHEN {} = {} THEN {} ELSE {} END").format(
        sql.Identifier(name), sql.Literal(at), sql.Literal(_wire(at)), written
    )


def _wire(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _lines(rows: list[bytes]) -> bytes:
    """Each row ends in a line feed; so may a line within a value, which stays as it is."""
    joined = b"".join(rows)
    if joined.count(b"\n") == len(rows):
        return joined.replace(b"\n", b"\r\n")
    return b"".join(row[:-1] + b"\r\n" for row in rows)
