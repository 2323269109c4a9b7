"""A marketing campaign on its way from a draft to its launch, as people see it: an example of each message, what they
saw when they pressed the button, and the second person's word.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models.functions import Length
from django.utils import timezone

from accounts import approvals
from campaigns_project.api.etags import etag_of
from campaigns_project.refusals import Conflict
from crm.audiences import segments
from crm.marketing import handing_out, launching, planning, wording
from crm.models import Customer, MarketingChannel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accounts.models import Approval, User
    from crm.marketing.wording import Written
    from crm.models import MarketingCampaign

# Among so many members the longest name is looked for: enough to show what does not fit.
LOOKED_THROUGH = 2_000
NOBODY = Customer(first_name="", last_name="")


class AudienceChanged(Conflict):
    """`details`: people `before` and `now`."""

    code = "audience_changed"
    message = "Something changed since you looked."


class NobodyToReach(Conflict):
    code = "nobody_to_reach"
    message = "Nobody would get it."


def examples(campaign: MarketingCampaign, most: int = 3) -> list[Customer]:
    """People of the audience to show messages of, first the one of the longest name; somebody unnamed for nobody."""
    if campaign.segment is None:
        return [NOBODY]
    some = segments.members(campaign.segment).order_by("pk").values("pk")[:LOOKED_THROUGH]
    people = Customer.objects.filter(pk__in=some).order_by((Length("first_name") + Length("last_name")).desc(), "pk")
    return list(people[:1]) + list(people.order_by("pk")[: most - 1]) if people else [NOBODY]


def shown(campaign: MarketingCampaign, channel: str, customer: Customer) -> Written:
    """What one person reads on one channel, with the campaign's words as they are now."""
    values = {
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "merchant_name": campaign.account.name,
        "promo_code": campaign.promo.code if campaign.promo else "",
        wording.CODE: handing_out.sample(campaign),
    }
    foot = "https://…" if campaign.is_marketing else ""
    return wording.written(campaign.content, channel, values, unsubscribe=foot, opt_out=campaign.is_marketing)


def messages(campaign: MarketingCampaign, people: Sequence[Customer]) -> list[dict[str, Any]]:
    """By channel, in the campaign's order: what each of `people` reads."""
    return [
        {
            "channel": channel,
            "label": channel.label,
            "read": [{"who": who, "message": shown(campaign, channel, who)} for who in people],
        }
        for channel in map(MarketingChannel, campaign.channels)
    ]


def snapshot(campaign: MarketingCampaign, found: dict[str, Any]) -> str:
    """What the person looks at, as a fingerprint and the number of people: `3f9a…:1212`; `found` is the preflight."""
    seen = json.dumps([etag_of(campaign), found], sort_keys=True)
    return f"{hashlib.sha256(seen.encode()).hexdigest()[:32]}:{found['audience']}"


def launch(campaign: MarketingCampaign, *, seen: str, by: User) -> Approval | None:
    """Begin now, or schedule where a start to come is set, if it still is what the person saw; its row is locked.

    Returns the open question when it is so large that a second person decides. Raises AudienceChanged, NobodyToReach,
    and as `launching.move`.
    """
    launching.refuse_unready(campaign)
    found = planning.preflight(campaign)
    if snapshot(campaign, found) != seen:
        before = seen.rpartition(":")[2]
        people = found["audience"]
        raise AudienceChanged(details={"before": int(before) if before.isdecimal() else people, "now": people})
    if not found["audience"]:
        raise NobodyToReach
    return _go(campaign, by=by)


def decide(campaign: MarketingCampaign, *, by: User, granted: bool) -> Approval | None:
    """The second person's word; a yes launches what was asked for. Returns a new question when it has grown meanwhile.

    Raises Conflict without a question, and as `approvals.decide` and `launching.move`.
    """
    asked = open_approval(campaign)
    if asked is None:
        raise approvals.AlreadyDecided
    with transaction.atomic():
        approvals.decide(asked, by=by, granted=granted)
        return _go(campaign, by=by) if granted else None


def open_approval(campaign: MarketingCampaign) -> Approval | None:
    """The question that waits for a second person."""
    return approvals.waiting(campaign.account_id, kind=launching.APPROVAL, target_id=campaign.pk)


def starts_later(campaign: MarketingCampaign) -> bool:
    return campaign.starts_at is not None and campaign.starts_at > timezone.now()


def _go(campaign: MarketingCampaign, *, by: User) -> Approval | None:
    return launching.move(campaign, "scheduled" if starts_later(campaign) else "active", by=by)
