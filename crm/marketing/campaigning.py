"""Marketing campaigns as they are written: made, changed and removed. How they are sent: `crm.marketing.launching`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from campaigns_project.refusals import Conflict, Forbidden, Invalid
from crm.audiences import segments
from crm.marketing import handing_out, wording
from crm.models import MarketingCampaign, MarketingStatus, Promo, PromoType
from crm.offers import promos
from crm.offers.promos import ALL_OF_IT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import Account
    from lifecycle.transition import Actor

# What is said of a promo beside the campaign's own columns.
PROMO = ("promo_code", "promo_discount_percent")
# Hundredths in one percent.
PERCENT = 100


class CampaignLaunched(Conflict):
    code = "campaign_launched"
    message = "People are being reached already; only a draft or a scheduled campaign is changed."


class NotADraft(Conflict):
    code = "campaign_not_draft"
    message = "Only a draft is deleted."


def create(account: Account, *, by: Actor | None, may_make_promos: bool, **said: Any) -> MarketingCampaign:
    """A draft; `said` are its columns, `promo_code` and `promo_discount_percent`.

    A promo code that is there must give that percentage; one that is not is made for the campaign's window and segment.
    Raises Invalid, InvalidPromoCode, SegmentTooLarge, and Forbidden where a promo would have to be made and may not.
    """
    campaign = MarketingCampaign(account=account, created_by_id=by.pk if by else None)
    with transaction.atomic():
        _say(campaign, said, may_make_promos=may_make_promos)
        campaign.save(force_insert=True)
    campaign.refresh_from_db()
    return campaign


def change(campaign: MarketingCampaign, *, may_make_promos: bool, **said: Any) -> MarketingCampaign:
    """Other words, people or times for a campaign whose row is locked. Raises as `create`, and CampaignLaunched."""
    if campaign.status not in MarketingStatus.EDITABLE:
        raise CampaignLaunched(details={"status": campaign.status})
    _say(campaign, said, may_make_promos=may_make_promos)
    campaign.save()
    return campaign


def remove(campaign: MarketingCampaign) -> None:
    """Delete a draft whose row is locked. Raises NotADraft."""
    if campaign.status != MarketingStatus.DRAFT:
        raise NotADraft(details={"status": campaign.status})
    campaign.delete()


def _say(campaign: MarketingCampaign, said: dict[str, Any], *, may_make_promos: bool) -> None:
    promo = {name: said.pop(name) for name in PROMO if name in said}
    for name, value in said.items():
        setattr(campaign, name, value)
    faults = {field: [sentence] for field, sentence in _faults(campaign)}
    if faults:
        raise Invalid(details=faults)
    wording.check(campaign.content, campaign.channels)
    handing_out.check(campaign)
    if campaign.segment is not None:
        segments.refuse_too_large(campaign.segment, campaign.channels)
    if promo:
        campaign.promo = _promo_for(campaign, **promo, may_make=may_make_promos)


def _faults(campaign: MarketingCampaign) -> Iterator[tuple[str, str]]:
    if len(set(campaign.channels)) < len(campaign.channels):
        yield "channels", "Each channel once, in the order of preference."
    starts, ends = campaign.starts_at, campaign.ends_at
    if starts and ends and ends <= starts:
        yield "schedule.end_date", "This must be later than start_date."
    if campaign.status == MarketingStatus.SCHEDULED and starts is None:
        yield "schedule.start_date", "A scheduled campaign has a time; take it back to a draft first."


def _promo_for(
    campaign: MarketingCampaign,
    *,
    promo_code: Any = None,
    promo_discount_percent: int | None = None,
    may_make: bool,
) -> Promo | None:
    """`promo_discount_percent` is in hundredths of a percent, as promos keep it."""
    if promo_code is None:
        if promo_discount_percent is not None:
            raise Invalid(details={"promo_discount_percent": ["A discount needs its promo_code."]})
        return None
    code = promos.plain(promo_code)
    known = Promo.objects.for_account(campaign.account).filter(code=code).first()
    if known is None:
        return _new_promo(campaign, code, promo_discount_percent, may_make=may_make)
    gives = known.value if known.type == PromoType.PERCENTAGE else None
    if promo_discount_percent not in (None, gives):
        raise Invalid(details={"promo_discount_percent": ["The promo code gives something else."]})
    return known


def _new_promo(campaign: MarketingCampaign, code: str, percent: int | None, *, may_make: bool) -> Promo:
    if percent is None:
        raise Invalid(details={"promo_code": ["There is no such promo code; say its discount and it is made."]})
    if not 0 < percent <= ALL_OF_IT:
        raise Invalid(details={"promo_discount_percent": ["A percentage is more than 0 and at most 100."]})
    if not may_make:
        raise Forbidden("Your role may not make the promo code of this campaign.")
    window = {name: at for name, at in (("valid_from", campaign.starts_at), ("valid_until", campaign.ends_at)) if at}
    return promos.create(
        campaign.account,
        code=code,
        type=PromoType.PERCENTAGE,
        value=percent,
        segment=campaign.segment,
        **window,
    )
