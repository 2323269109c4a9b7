"""How far the search index is behind, on the operators' front page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from campaigns_project.admin import Tile, tile
from coupons import indexing
from coupons.models import SearchChange

if TYPE_CHECKING:
    from django.http import HttpRequest

# From here on it is worth a look: the clock feeds the index every two seconds.
BEHIND_S = 30
COUNTED = 10_001


@tile(95)
def search_behind(request: HttpRequest) -> Tile | None:  # noqa: ARG001 (what a tile is given)
    """Changes that OpenSearch has not heard of; nothing where there is none."""
    if not settings.OPENSEARCH_URL:
        return None
    behind = indexing.lag() or 0
    note = f"the oldest {behind:.0f} s old: PostgreSQL answers" if behind > BEHIND_S else "searches are by OpenSearch"
    return Tile("Search index behind", SearchChange.objects.all()[:COUNTED].count(), note=note)
