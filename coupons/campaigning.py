"""Coupon campaigns as they are written: made, changed, limited and removed. How they move: `coupons.opening`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, connection, transaction
from django.db.models import CASCADE
from django.db.models.functions import Now

from campaigns_project.refusals import Conflict, Invalid
from coupons import approving, making, terms
from coupons.models import Coupon, CouponCampaign, CouponCampaignStatus, CouponUse
from crm.catalogue import products
from crm.models import Segment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import Account


class PrefixTaken(Conflict):
    code = "prefix_taken"
    message = "Another of your coupon campaigns has that prefix."


class CampaignHasRedemptions(Conflict):
    code = "campaign_has_redemptions"
    message = "Its coupons have been redeemed: archive the campaign instead."


def create(account: Account, *, by: Any = None, **said: Any) -> CouponCampaign:
    """A draft, whose single-use codes begin to be made; `said` are its columns. Raises Invalid and PrefixTaken."""
    campaign = CouponCampaign(account=account)
    _say(campaign, said)
    with transaction.atomic():
        _keep(campaign, force_insert=True)
        making.make_up_to(campaign, by=by)
    return campaign


def change(campaign: CouponCampaign, *, by: Any = None, **said: Any) -> CouponCampaign:
    """Other columns for a campaign whose row is locked; its coupons follow in the same transaction.

    Settings are changed key by key; more single-use codes are made if it wants more. Raises Invalid, PrefixTaken,
    CampaignArchived and ApprovalNeeded.
    """
    terms.still_open(campaign)
    if campaign.coupon_count and said.get("prefix", campaign.prefix) != campaign.prefix:
        raise Invalid(details={"prefix": ["The prefix stays once there are codes."]})
    before = terms.given(campaign)
    _say(campaign, said)
    _keep(campaign)
    if terms.given(campaign) != before:
        copy_to_coupons(campaign)
    making.make_up_to(campaign, by=by)
    return campaign


def limit(campaign: CouponCampaign, **limits: Any) -> CouponCampaign:
    """Other limits for a campaign whose row is locked; uses so far stay. Raises as `change`.

    `max_count`, `per_customer_limit`, `budget` (minor units of `currency`), `currency`, and
    `customer_segment_id` as a segment's public id; None takes a limit away.
    """
    terms.still_open(campaign)
    known = dict(limits)
    if "customer_segment_id" in known:
        known["segment"] = _segment(campaign.account, known.pop("customer_segment_id"))
    if "currency" in known:
        known["currency"] = known["currency"] or ""
    currency = campaign.currency
    for name, value in known.items():
        setattr(campaign, name, value)
    faults = {field: [sentence] for field, sentence in _limit_faults(campaign, currency)}
    if faults:
        raise Invalid(details=faults)
    if campaign.status == CouponCampaignStatus.ACTIVE:
        approving.refuse_to_grow(campaign)
    _keep(campaign)
    return campaign


def remove(campaign: CouponCampaign) -> None:
    """Delete a campaign whose row is locked, with its coupons. Raises CampaignHasRedemptions."""
    if CouponUse.objects.filter(campaign=campaign, redeemed_at__isnull=False).exists():
        raise CampaignHasRedemptions
    with connection.cursor() as cursor:
        # Django would read a million coupons to delete them. References are looked at when all is done.
        for child in CouponCampaign._meta.related_objects:
            if child.on_delete is CASCADE:
                table, column = child.related_model._meta.db_table, child.field.column
                cursor.execute(f"DELETE FROM {table} WHERE {column} = %s", [campaign.pk])  # noqa: S608 (our own tables)
    campaign.delete()


def copy_to_coupons(campaign: CouponCampaign) -> int:
    """Give a campaign's coupons what it gives now; returns how many there are. Its row is locked."""
    return Coupon.objects.filter(campaign=campaign).update(**terms.given(campaign), updated_at=Now())


def _say(campaign: CouponCampaign, said: dict[str, Any]) -> None:
    known = dict(said)
    if "settings" in known:
        known["settings"] = terms.merged(campaign.settings, known["settings"])
    for name, value in known.items():
        setattr(campaign, name, value)
    faults = {field: [sentence] for field, sentence in terms.faults(campaign)}
    if "settings" in known:
        faults = dict(_unknown(campaign)) | faults
    if campaign.status == CouponCampaignStatus.ACTIVE:
        faults = terms.gaps(campaign) | faults
    if faults:
        raise Invalid(details=faults)
    if campaign.status == CouponCampaignStatus.ACTIVE:
        approving.refuse_to_grow(campaign)


def _unknown(campaign: CouponCampaign) -> Iterator[tuple[str, list[str]]]:
    """What the settings name that is not in the catalogue."""
    for what, there in (("product", products.has_product), ("variant", products.has_variant)):
        named = campaign.settings.get(f"single_use_{what}_id")
        if named is not None and not there(campaign.account, named):
            yield f"settings.single_use_{what}_id", [f"There is no such {what} in your catalogue."]


def _keep(campaign: CouponCampaign, **how: Any) -> None:
    campaign.updated_at = Now()
    try:
        with transaction.atomic():
            campaign.save(**how)
    except IntegrityError as error:
        if "coupon_campaign_prefix_once" not in str(error):
            raise
        raise PrefixTaken from error
    campaign.refresh_from_db()


def _segment(account: Account, public_id: str | None) -> Segment | None:
    if public_id is None:
        return None
    segment = Segment.objects.for_account(account).filter(public_id=public_id).first()
    if segment is None:
        raise Invalid(details={"customer_segment_id": ["There is no such segment."]})
    return segment


def _limit_faults(campaign: CouponCampaign, currency: str) -> Iterator[tuple[str, str]]:
    if campaign.max_count is not None and campaign.max_count < campaign.used:
        yield "max_count", f"Its coupons have been used {campaign.used} times already."
    if campaign.budget is not None and campaign.budget < campaign.spent:
        yield "budget", "More than that has been given already."
    if campaign.currency != currency and campaign.spent:
        yield "currency", "Discounts have been given in the currency it had."
    if campaign.status == CouponCampaignStatus.ACTIVE and "max_count" in (gaps := terms.gaps(campaign)):
        yield "max_count", gaps["max_count"][0]
