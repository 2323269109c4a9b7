"""A marketing campaign whose `{{coupon_code}}` comes out of a pool: each person gets a code of their own at the launch.

Codes are handed out in the transaction that plans the deliveries, so nobody is handed two. Who is left out in the end
gives theirs back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection

from campaigns_project.refusals import Invalid
from crm import codes
from crm.marketing import wording
from crm.models import Delivery, DeliveryStatus, LeftOut

if TYPE_CHECKING:
    from typing import Any

    from crm.models import MarketingCampaign

TABLE = Delivery._meta.db_table
_KEEP = f"""
UPDATE {TABLE} m SET code = {{held}} FROM crm_customer person
WHERE person.id = m.customer_id AND m.campaign_id = %(campaign)s AND m.account_id = %(account)s
    AND m.status = 'queued' AND m.code IS NULL"""  # noqa: S608 (our own table)
_WANTING = """
SELECT count(*) FROM planned JOIN crm_customer person ON person.id = planned.customer_id
WHERE planned.skip_reason = '' AND {held} IS NULL"""


def named(campaign: MarketingCampaign) -> list[str]:
    """What stands in for the code wherever the campaign's words name it; "" where nothing does."""
    return [instead for name, instead in wording.gaps(campaign.content, campaign.channels) if name == wording.CODE]


def chosen(campaign: MarketingCampaign) -> bool:
    """Whether people are to get codes of their own."""
    return bool(campaign.code_pool and named(campaign))


def offered(account_id: int) -> list[tuple[str, str]]:
    """The pools (id, name) that a person may choose among."""
    return [(pool.id, pool.name) for pool in codes.source().pools(account_id)]


def check(campaign: MarketingCampaign) -> None:
    """Raise Invalid (`details["coupon_campaign_id"]`) unless its pool is one of the account's, or none at all."""
    if campaign.code_pool and codes.source().pool(campaign.account_id, campaign.code_pool) is None:
        raise Invalid(details={"coupon_campaign_id": ["There is no such campaign of single-use coupons."]})


def obstacle(campaign: MarketingCampaign) -> str:
    """Why people would get no code that counts, or ""."""
    instead = named(campaign)
    if not campaign.code_pool:
        return "" if all(instead) else "Its words name a coupon code; say which campaign the codes come from."
    if not instead:
        return ""
    pool = codes.source().pool(campaign.account_id, campaign.code_pool)
    return pool.closed if pool else "The campaign that its coupons come from was deleted."


def sample(campaign: MarketingCampaign) -> str:
    """How a code looks that somebody will get, for previews and tests."""
    pool = codes.source().pool(campaign.account_id, campaign.code_pool) if campaign.code_pool else None
    return pool.sample if pool else ""


def lacking(campaign: MarketingCampaign, planned: str, names: dict[str, Any]) -> int:
    """How many people would be left out because the pool has too few codes."""
    if not chosen(campaign) or all(named(campaign)):
        return 0
    held = codes.source().held_sql("%(code_pool)s", "person.public_id")
    with connection.cursor() as cursor:
        cursor.execute(f"{planned} {_WANTING.format(held=held)}", names | {"code_pool": campaign.code_pool})
        wanted = int(cursor.fetchone()[0])
    stock = codes.source().stock(campaign.account_id, campaign.code_pool, at_most=wanted) if wanted else 0
    return wanted - stock


def hand_out(campaign: MarketingCampaign) -> None:
    """Give a code to everybody who waits without one; who gets none and needs one is left out."""
    if not chosen(campaign):
        return
    waiting = Delivery.objects.of(campaign).queued().filter(code=None)
    holders = list(waiting.order_by("pk").values_list("customer__public_id", flat=True))
    source = codes.source()
    source.hand_out(campaign.account_id, campaign.code_pool, holders, purpose=campaign.public_id)
    names: dict[str, Any] = {"campaign": campaign.pk, "account": campaign.account_id, "code_pool": campaign.code_pool}
    with connection.cursor() as cursor:
        cursor.execute(_KEEP.format(held=source.held_sql("%(code_pool)s", "person.public_id")), names)
    if not all(named(campaign)):
        waiting.transition_all("skip", skip_reason=LeftOut.NO_CODE)


def take_back(campaign: MarketingCampaign) -> None:
    """The codes of people who were left out after all are free again."""
    if not chosen(campaign):
        return
    left_out = Delivery.objects.of(campaign).filter(status=DeliveryStatus.SKIPPED, code__isnull=False)
    holders = list(left_out.values_list("customer__public_id", flat=True))
    codes.source().give_back(campaign.account_id, campaign.code_pool, holders, purpose=campaign.public_id)
