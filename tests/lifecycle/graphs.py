"""What is drawn: the seeds' graphs and the list in the decisions, by model; and how rows of each are made."""

from typing import Any, NamedTuple

from django.db import connection

from accounts.models import Account
from campaigns.models import Broadcast, Campaign, CampaignLeadMessage
from coupons.models import Coupon, CouponCampaign
from crm.models import Delivery, MarketingCampaign
from lifecycle.transition import Lifecycle
from tests import factories
from tests.coupons.factories import CouponCampaignFactory, CouponFactory


class Drawn(NamedTuple):
    factory: Any
    born: set[str]
    edges: dict[str, set[str]]


REVIEWED = {"pending", "approved", "rejected", "archived"}
OUTCOMES = {"delivered", "read", "failed", "undelivered"}
MESSAGE = {
    "queued": {"sending", "skipped", "failed"},
    "sending": {"queued", "skipped", "sent", *OUTCOMES},
    "sent": OUTCOMES,
    "delivered": {"read"},
    **{state: set() for state in ("skipped", "read", "failed", "undelivered")},
}
DRAWN: dict[type[Lifecycle], Drawn] = {
    Account: Drawn(
        factories.AccountFactory,
        {"active"},
        {"active": {"suspended"}, "suspended": {"active", "closed"}, "closed": set()},
    ),
    Campaign: Drawn(
        factories.CampaignFactory,
        {"unsubmitted"},
        {
            "unsubmitted": {"received", *REVIEWED},
            "received": REVIEWED,
            "pending": {"approved", "rejected", "archived"},
            "approved": {"paused", "disabled", "archived"},
            "paused": {"approved", "disabled", "archived"},
            "rejected": {"archived"},
            "disabled": {"archived"},
            "archived": set(),
        },
    ),
    Broadcast: Drawn(
        factories.BroadcastFactory,
        {"draft"},
        {
            "draft": {"scheduled", "sending", "cancelled"},
            "scheduled": {"draft", "sending", "cancelled"},
            "sending": {"paused", "completed", "cancelled"},
            "paused": {"sending", "cancelled"},
            "completed": set(),
            "cancelled": set(),
        },
    ),
    CampaignLeadMessage: Drawn(factories.CampaignLeadMessageFactory, {"queued", "skipped"}, MESSAGE),
    Delivery: Drawn(factories.DeliveryFactory, {"queued", "skipped"}, MESSAGE),
    MarketingCampaign: Drawn(
        factories.MarketingCampaignFactory,
        {"draft"},
        {
            "draft": {"scheduled", "active"},
            "scheduled": {"active", "draft"},
            "active": {"paused", "completed"},
            "paused": {"active", "completed"},
            "completed": set(),
        },
    ),
    # The seed's drawing; the ways to `archived` are ours.
    CouponCampaign: Drawn(
        CouponCampaignFactory,
        {"draft"},
        {
            "draft": {"active", "archived"},
            "active": {"inactive", "active"},
            "inactive": {"active", "archived"},
            "archived": set(),
        },
    ),
    # Ours.
    Coupon: Drawn(
        CouponFactory,
        {"active"},
        {"active": {"inactive", "void"}, "inactive": {"active", "void"}, "void": set()},
    ),
}
STATES = [(model, state) for model, drawn in DRAWN.items() for state in drawn.edges]


def beside(model, status):
    """The columns that constraints tie to `status`, as they must be in that state."""
    left_out = {CampaignLeadMessage: "cancelled", Delivery: "ended"}
    if model in left_out:
        return {"skip_reason": left_out[model] if status == "skipped" else ""}
    start = {Broadcast: "scheduled_at", MarketingCampaign: "starts_at"}
    return {start[model]: "2030-01-01T00:00:00Z"} if model in start else {}


def force(row, status):
    """What somebody in psql would try."""
    columns = {"status": status, **beside(type(row), status)}
    assignments = ", ".join(f'"{column}" = %s' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {row._meta.db_table} SET {assignments} WHERE id = %s", [*columns.values(), row.pk])


def status_of(row):
    return type(row).objects.values_list("status", flat=True).get(pk=row.pk)
