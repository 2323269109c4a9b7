"""A marketing campaign's people as a file: who got it, who did not and why, and what came of it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db.models import Case, F, TextField, Value, When
from django.http import StreamingHttpResponse

from campaigns_project.currencies import places
from campaigns_project.jobs import csv_line
from campaigns_project.models import AuditEntry
from crm.marketing.campaign_words import left_out
from crm.models import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from crm.models import MarketingCampaign

# The columns of the file; times are UTC, `revenue` is in major units of `currency`.
COLUMNS = (
    *("customer_id", "external_id", "first_name", "last_name", "channel", "address", "status", "outcome", "why_not"),
    *("error_code", "provider_id", "delivered_at", "opened_at", "clicked_at", "converted_at", "revenue", "currency"),
    "unsubscribed_at",
)
_READ = (
    *("customer__public_id", "customer__external_id", "customer__first_name", "customer__last_name", "channel"),
    *("address", "status", "outcome", "skip_reason", "error_code", "provider_id", "delivered_at", "opened_at"),
    *("clicked_at", "converted_at", "revenue_minor", "unsubscribed_at"),
)
CHUNK = 2_000


def as_file(campaign: MarketingCampaign, *, by: Any, **wanted: Any) -> StreamingHttpResponse:
    """Everybody as CSV, streamed from one snapshot; no cell runs as a formula. `wanted` are filters of deliveries.

    There is no length, so that a file which broke off is seen to be none. The audit trail says who took it.
    """
    AuditEntry.objects.create(account=campaign.account, actor=by, action="campaign.export", target=campaign.public_id)
    response = StreamingHttpResponse(_lines(campaign, wanted), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{campaign.public_id}.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


def _lines(campaign: MarketingCampaign, wanted: Mapping[str, Any]) -> Iterator[bytes]:
    rows = Delivery.objects.of(campaign).with_outcome().filter(**wanted)
    unknown = Case(When(is_unknown=True, then=Value("unknown")), default=F("status"), output_field=TextField())
    currency = campaign.account.currency
    yield csv_line(COLUMNS)
    for row in rows.annotate(outcome=unknown).order_by("pk").values_list(*_READ).iterator(chunk_size=CHUNK):
        *who, reason, error, provider, arrived, opened, clicked, converted, revenue, left = row
        why = left_out(reason) if reason else ""
        stamps = [_moment(each) for each in (arrived, opened, clicked, converted)]
        yield csv_line([*who, why, error, provider, *stamps, _major(revenue, currency), currency, _moment(left)])


def _moment(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""


def _major(minor: int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-places(currency))
