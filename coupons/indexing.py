"""The search index of its own (OpenSearch), kept right behind the database: never ahead of it, never silently behind.

Changes are noted by triggers in the transaction that makes them, so the index hears of nothing that was rolled back. A
note goes when the index has what it is about; until then the account's searches are answered by PostgreSQL.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import connection, transaction

from coupons.models import CouponCampaign, SearchChange
from providers.base import Unreachable
from providers.opensearch import OpenSearchIndex
from providers.search_index import Document, FedIndex

if TYPE_CHECKING:
    from uuid import UUID

log = structlog.get_logger(__name__)
# Notes taken in one go.
BATCH = 500
# One process feeds at a time.
FEED_LOCK = 7_310_050
INDEX = "coupon_campaigns"
FIELDS = {
    **dict.fromkeys(("words", "kind", "status", "name"), "keyword"),
    **dict.fromkeys(("created_at", "starts_at", "ends_at"), "date"),
}
_READ = """
SELECT c.id, c.account_id, tsvector_to_array(to_tsvector('simple', c.name || ' ' || c.prefix)),
    c.name, c.kind, c.status, c.created_at, c.starts_at, c.ends_at
FROM coupons_couponcampaign AS c WHERE c.id = ANY(%s)
"""
_ALL = "INSERT INTO coupons_searchchange (account_id, campaign_id) SELECT account_id, id FROM coupons_couponcampaign"


@cache
def fed(url: str) -> FedIndex:
    """The index at this address, one for the process."""
    return OpenSearchIndex(url, INDEX, FIELDS, timeout=settings.OPENSEARCH_TIMEOUT_SECONDS)


def index_for(account: int) -> FedIndex | None:
    """The index that knows all of an account; None when there is none, or it has not been told everything yet."""
    if not settings.OPENSEARCH_URL or SearchChange.objects.for_account(account).exists():
        return None
    return fed(settings.OPENSEARCH_URL)


def lag() -> float | None:
    """Seconds since the oldest change that the index has not; None without an index."""
    if not settings.OPENSEARCH_URL:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float8 FROM coupons_searchchange"
        )
        return max(0.0, float(cursor.fetchone()[0]))


def feed() -> int:
    """Tell the index what has changed, until it knows everything; returns how many notes were taken away.

    Without an index the notes are only forgotten. What cannot be told now stays noted.
    """
    if not settings.OPENSEARCH_URL:
        return SearchChange.objects.all().delete()[0]
    index = fed(settings.OPENSEARCH_URL)
    told = 0
    try:
        if index.prepare():
            _note_everything()
        while batch := _feed_some(index):
            told += batch
    except Unreachable as trouble:
        log.warning("the search index is behind", trouble=str(trouble), seconds=lag())
    return told


def compare() -> bool:
    """Count what the index holds against what there is; where it has lost something it is told everything again.

    Returns whether they agree, as far as anybody can tell now.
    """
    if not settings.OPENSEARCH_URL or SearchChange.objects.exists():
        return True
    try:
        same = fed(settings.OPENSEARCH_URL).count() == CouponCampaign.objects.count()
    except Unreachable as trouble:
        log.warning("the search index does not answer", trouble=str(trouble))
        return True
    # What was written between the two counts is noted by now, and told anyway.
    if not same and not SearchChange.objects.exists():
        _note_everything()
    return same


def _feed_some(index: FedIndex) -> int:
    with transaction.atomic():
        if not _locked():
            return 0
        # By number, not by range: one that is committed late has a low one, and must not be taken away untold.
        notes = list(SearchChange.objects.order_by("id").values_list("id", "campaign_id")[:BATCH])
        versions: dict[UUID, int] = {}
        for number, campaign in notes:
            versions[campaign] = max(number, versions.get(campaign, 0))
        if versions:
            index.put(_documents(versions))
        SearchChange.objects.filter(pk__in=[number for number, _ in notes]).delete()
    return len(notes)


def _documents(versions: dict[UUID, int]) -> list[Document]:
    """The campaigns as they stand; what is gone has no fields."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, [list(versions)])
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
    return [Document(str(pk), version, _fields(rows.get(pk))) for pk, version in versions.items()]


def _fields(row: Any) -> dict[str, Any] | None:
    if row is None:
        return None
    names = ("account", "words", "name", "kind", "status", "created_at", "starts_at", "ends_at")
    return dict(zip(names, row, strict=True))


def _note_everything() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_ALL)
        log.info("the search index is filled anew", campaigns=cursor.rowcount)


def _locked() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [FEED_LOCK])
        return bool(cursor.fetchone()[0])
