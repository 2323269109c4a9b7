"""Coupon campaigns found by the words of their names, by their prefix, or by a code of theirs.

The index says which, the database says what they are: nothing that is gone, or is somebody else's, is ever shown. While
an index of its own is behind what the account has written, or does not answer, PostgreSQL finds them, in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import structlog
from django.contrib.postgres.search import SearchVectorField
from django.db import connection
from django.db.models import BooleanField, F, Func, Q, Value
from django.db.models.functions import Upper

from coupons import indexing
from coupons.models import Coupon, CouponCampaign
from coupons.models.campaign import SEARCHED
from providers.base import Unreachable
from providers.search_index import Hits, SearchIndex, Sought

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accounts.models import Account
    from coupons.models.campaign import CouponCampaignQuerySet
    from coupons.models.coupon import CouponQuerySet

log = structlog.get_logger(__name__)
ORDERS = ("created_at", "name", "starts_at", "ends_at")
DEEPEST = 10_000


@dataclass(frozen=True)
class Found:
    """One page of campaigns in order, how many there are, and which index said so."""

    campaigns: Sequence[CouponCampaign]
    total: int
    index: str


class _Begins(Func):
    """Whether every lexeme of the array begins a word of the document."""

    template = "%(expressions)s"
    arg_joiner = " @@ "
    output_field = BooleanField()


class _Query(Func):
    template = "%(expressions)s::tsquery"
    output_field = SearchVectorField()


class InDatabase:
    """PostgreSQL's full text: the index that is always right."""

    name = "postgresql"

    def search(self, sought: Sought) -> Hits:
        rows = matching(sought)
        descending = sought.order.startswith("-")
        column = F(sought.order.lstrip("-"))
        order = column.desc(nulls_last=True) if descending else column.asc(nulls_last=True)
        ids = rows.order_by(order, "id").values_list("pk", flat=True)
        return Hits([str(pk) for pk in ids[sought.offset : sought.offset + sought.limit]], rows.count())


def matching(sought: Sought) -> CouponCampaignQuerySet:
    """The campaigns that are sought, as rows."""
    rows = CouponCampaign.objects.for_account(sought.account)
    wanted = Q(**{f"{name}__in": values for name, values in sought.terms.items()})
    for name, (since, until) in sought.ranges.items():
        wanted &= Q(**{f"{name}__gte": since}) if since else Q()
        wanted &= Q(**{f"{name}__lte": until}) if until else Q()
    if sought.words or sought.named:
        said = Q(pk__in=sought.named)
        if sought.words:
            said |= Q(_Begins(SEARCHED, _Query(Value(_prefixes(sought.words)))))
        wanted &= said
    return rows.filter(wanted)


def find(account: Account, text: str, **sought: Any) -> Found:
    """The campaigns with words that begin like those of `text`, or with a coupon of just this code; all without a text.

    `sought` are `terms`, `ranges`, `order`, `offset` and `limit` of a `Sought`.
    """
    asked = Sought(account.pk, **sought)
    if text.strip():
        codes = coupons_of(account, text)[:1].values_list("campaign_id", flat=True)
        asked = replace(asked, words=words_of(text), named=[str(pk) for pk in codes])
        if not asked.words and not asked.named:
            return Found([], 0, InDatabase.name)
    hits, name = _answered(asked)
    rows = CouponCampaign.objects.for_account(account).select_related("account", "segment").in_bulk(hits.ids)
    known = {str(pk): row for pk, row in rows.items()}
    return Found([known[pk] for pk in hits.ids if pk in known], hits.total, name)


def coupons_of(account: Account, code: str) -> CouponQuerySet:
    """The account's coupon of this code, in any case."""
    return Coupon.objects.for_account(account).coded(code.strip())


def coupons_like(account: Account, code: str) -> CouponQuerySet:
    """The account's coupons whose codes begin like this, in any case; by code."""
    return Coupon.objects.for_account(account).coded_like(code.strip()).order_by(Upper("code"))


def words_of(text: str) -> list[str]:
    """What a text is searched by, as PostgreSQL takes it apart; a text of signs has nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tsvector_to_array(to_tsvector('simple', %s))", [text])
        words: list[str] = cursor.fetchone()[0]
    return words


def _answered(asked: Sought) -> tuple[Hits, str]:
    index: SearchIndex | None = indexing.index_for(asked.account)
    if index is not None:
        try:
            return index.search(asked), index.name
        except Unreachable as trouble:
            log.warning("the search index does not answer", trouble=str(trouble))
    return InDatabase().search(asked), InDatabase.name


def _prefixes(words: Sequence[str]) -> str:
    quoted = (word.replace("\\", "\\\\").replace("'", "''") for word in words)
    return " & ".join(f"'{word}':*" for word in quoted)
