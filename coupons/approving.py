"""What a coupon campaign may cost, and whose word it takes: over 10,000 uses or 1,000.00, two people's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from accounts import approvals
from campaigns_project.refusals import Conflict
from coupons.models import CouponKind, DiscountType

if TYPE_CHECKING:
    from accounts.models import Approval, User
    from coupons.models import CouponCampaign

KIND = "coupon_campaign"


class ApprovalNeeded(Conflict):
    """An active campaign would grow over what one person may decide; `details` says by how much it would count."""

    code = "approval_needed"
    message = "That is more than one person decides: deactivate the campaign, change it, and ask for a second person."


def at_stake(campaign: CouponCampaign) -> dict[str, int | None]:
    """How often its coupons can be used, and what they can cost in minor units; None where nobody can know."""
    uses = campaign.max_count
    if campaign.kind == CouponKind.SINGLE_USE:
        codes = max(campaign.coupon_count, campaign.settings.get("single_use_quantity", 0))
        uses = codes if uses is None else min(uses, codes)
    amount = campaign.budget
    if campaign.settings.get("discount_type") == DiscountType.FLAT and uses is not None:
        flat = uses * int(campaign.settings.get("discount_value", 0))
        amount = flat if amount is None else min(flat, amount)
    return {"uses": uses, "amount": amount}


def too_large_for_one(campaign: CouponCampaign) -> bool:
    """Whether it is over a limit, and nobody else has agreed to as much yet."""
    stake = at_stake(campaign)
    if not campaign.account.require_approval or not _over(stake):
        return False
    given = approvals.granted(campaign.account, kind=KIND, target_id=campaign.pk)
    return given is None or any((stake[name] or 0) > (given.summary[name] or 0) for name in stake)


def refuse_to_grow(campaign: CouponCampaign) -> None:
    """Raise ApprovalNeeded for an active campaign that one person may not have as it is now."""
    if too_large_for_one(campaign):
        raise ApprovalNeeded(details=at_stake(campaign))


def ask(campaign: CouponCampaign, *, verb: str, by: User, told: dict[str, Any]) -> Approval:
    """The question put to somebody else: may this be done? `told` goes with the verb, as text."""
    summary = {**at_stake(campaign), "name": campaign.name, "verb": verb, "told": told}
    return approvals.ask(campaign.account, kind=KIND, target_id=campaign.pk, summary=summary, by=by)


def open_question(campaign: CouponCampaign) -> Approval | None:
    """The question that waits for a second person."""
    return approvals.waiting(campaign.account_id, kind=KIND, target_id=campaign.pk)


def decide(campaign: CouponCampaign, *, by: User, granted: bool, reason: str = "") -> Approval:
    """The second person's word. Raises AlreadyDecided without a question, and SamePerson."""
    with transaction.atomic():
        asked = open_question(campaign)
        if asked is None:
            raise approvals.AlreadyDecided
        return approvals.decide(asked, by=by, granted=granted, reason=reason)


def _over(stake: dict[str, int | None]) -> bool:
    uses, amount = stake["uses"] or 0, stake["amount"] or 0
    return uses > settings.APPROVAL_PEOPLE or amount > settings.APPROVAL_MINOR
