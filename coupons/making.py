"""Codes of a campaign made in the background: exactly as many as were asked for, whatever is killed meanwhile.

A slice is one transaction: its codes and the job's count of them commit together. What coupons copy from their campaign
is compared under the campaign's lock at the end of the slice: that lock, for which redemptions wait, is held for a
moment and not for the whole slice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import F, Sum

from campaigns_project import jobs
from campaigns_project.models import Job
from campaigns_project.refusals import Invalid, NotFound
from coupons import codes, terms
from coupons.models import CouponCampaign, CouponKind, CouponStatus

if TYPE_CHECKING:
    from collections.abc import Callable

KIND = "coupon_codes"
SLICE = 50_000
# Nobody deletes the campaign meanwhile, and nobody else waits.
_KEEP = f"SELECT FROM {CouponCampaign._meta.db_table} WHERE id = %s FOR KEY SHARE"


class CampaignGone(NotFound):
    message = "The campaign was deleted meanwhile."


def generate(campaign: CouponCampaign, quantity: int, *, by: Any) -> Job:
    """Make so many codes as a job. Raises Invalid (`details["quantity"]`), CampaignArchived."""
    if not 1 <= quantity <= terms.MOST_CODES:
        raise Invalid(details={"quantity": [f"Ask for 1 to {terms.MOST_CODES:,} codes."]})
    terms.still_open(campaign)
    return jobs.create(KIND, account=campaign.account, by=by, total=quantity, params={"campaign": str(campaign.pk)})


def make_up_to(campaign: CouponCampaign, *, by: Any) -> Job | None:
    """Make what a single-use campaign lacks of its `single_use_quantity`; None when it lacks nothing.

    What jobs under way will make is counted as made. Call it with the campaign's row locked, or just born.
    """
    wanted = campaign.settings.get("single_use_quantity") or 0
    lacking = wanted - campaign.coupon_count - _under_way(campaign)
    return generate(campaign, lacking, by=by) if lacking > 0 else None


def _under_way(campaign: CouponCampaign) -> int:
    running = Job.objects.filter(
        account=campaign.account_id, kind=KIND, status__in=jobs.OPEN, params__campaign=str(campaign.pk)
    )
    return running.aggregate(left=Sum(F("total") - F("done")))["left"] or 0


@jobs.runs(KIND)
def make_slice(job: Job) -> bool:
    """Make the next codes; True when there are as many as were asked for."""
    total = job.total or 0
    quantity = min(SLICE, total - job.done)

    def fill(campaign: CouponCampaign, shared: dict[str, Any]) -> int:
        length, wanted = codes.length_for(campaign.kind, total), quantity
        while wanted:
            # A code that is there already is made up for, never reported.
            wanted = len(codes.write(codes.fresh(wanted, prefix=campaign.prefix, length=length), shared))
        return quantity

    put(job, fill)
    jobs.progress(job, done=quantity)
    return job.done + quantity >= total


def columns_of(campaign: CouponCampaign) -> dict[str, Any]:
    """What all coupons of a campaign that are made now have alike."""
    return {
        "account_id": campaign.account_id,
        "campaign_id": campaign.pk,
        "status": CouponStatus.ACTIVE,
        "max_count": 1 if campaign.kind == CouponKind.SINGLE_USE else None,
        **terms.given(campaign),
    }


def put(job: Job, fill: Callable[[CouponCampaign, dict[str, Any]], int]) -> None:
    """Let `fill(campaign, shared columns)` write coupons, and count those that it says it wrote.

    It is done again when the campaign was changed meanwhile. Raises CampaignGone, CampaignArchived.
    """
    while not _put(job, fill):
        pass


def _put(job: Job, fill: Callable[[CouponCampaign, dict[str, Any]], int]) -> bool:
    with transaction.atomic():
        campaign = _standing(job)
        written = fill(campaign, columns_of(campaign))
        _settle()
        locked = CouponCampaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        if (locked.prefix, columns_of(locked)) != (campaign.prefix, columns_of(campaign)):
            transaction.set_rollback(True)
            return False
        CouponCampaign.objects.filter(pk=campaign.pk).update(coupon_count=F("coupon_count") + written)
    return True


def _standing(job: Job) -> CouponCampaign:
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [job.params["campaign"]])
    campaign = CouponCampaign.objects.for_account(job.account_id).filter(pk=job.params["campaign"]).first()
    if campaign is None:
        raise CampaignGone
    terms.still_open(campaign)
    return campaign


def _settle() -> None:
    """Check the rows' references before the campaign is locked, and not at the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS coupon_campaign IMMEDIATE")
        cursor.execute("SET CONSTRAINTS coupon_campaign DEFERRED")
