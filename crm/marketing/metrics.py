"""What became of marketing campaigns, as sums over their deliveries (seed: marketing-crm-api › Get Campaign).

Rates are percent of what was delivered, with one decimal: 2180 of 5380 is 40.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce

from crm.models import Delivery, DeliveryStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crm.models import MarketingCampaign

_COUNTED: dict[str, Any] = {
    "sent": Count("pk", filter=Q(status__in=DeliveryStatus.SENT_OUT)),
    "delivered": Count("pk", filter=Q(status__in=DeliveryStatus.ARRIVED)),
    "opened": Count("opened_at"),
    "clicked": Count("clicked_at"),
    "converted": Count("converted_at"),
    "unsubscribed": Count("unsubscribed_at"),
    "revenue_minor": Coalesce(Sum("revenue_minor"), 0),
}


def sums(campaigns: Iterable[MarketingCampaign]) -> dict[int, dict[str, int]]:
    """By campaign id: people sent to, delivered to, who opened, clicked, ordered and unsubscribed, and
    `revenue_minor`. One query.
    """
    ids = [campaign.pk for campaign in campaigns]
    rows: Any = Delivery.objects.filter(campaign__in=ids).order_by().values("campaign_id").annotate(**_COUNTED)
    found: dict[int, dict[str, int]] = {row.pop("campaign_id"): row for row in rows}
    return {pk: found.get(pk) or dict.fromkeys(_COUNTED, 0) for pk in ids}


def by_status(campaign: MarketingCampaign) -> dict[str, int]:
    """People by status; every status is there."""
    rows = Delivery.objects.of(campaign).order_by().values_list("status").annotate(Count("pk"))
    found: dict[str, int] = {status: count for status, count in rows}  # noqa: C416 (typed, unlike dict(rows))
    return {str(state): found.get(state, 0) for state in DeliveryStatus}


def left_out(campaign: MarketingCampaign) -> dict[str, int]:
    """People who get nothing, by reason."""
    rows = Delivery.objects.of(campaign).filter(status=DeliveryStatus.SKIPPED).order_by()
    return {reason: count for reason, count in rows.values_list("skip_reason").annotate(Count("pk"))}  # noqa: C416 (typed)


def rate(part: int, delivered: int) -> float:
    """Percent with one decimal, a half up; 0.0 of nobody."""
    return (2_000 * part + delivered) // (2 * delivered) / 10 if delivered else 0.0
