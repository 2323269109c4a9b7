"""Whom a marketing campaign reaches and on which channel, counted before the launch by the SELECT it launches with.

Each person gets one message, on the first channel with an address, consent and no suppression. Who is left out is told
why, by the first channel that has their address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Count

from crm.audiences import segments
from crm.customers import consent
from crm.marketing import handing_out, zones
from crm.models import Delivery, LeftOut, MarketingChannel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crm.models import MarketingCampaign

BUCKETS = 10_000

PLANNED = """
SELECT person.id AS customer_id, way.channel, way.address, way.address_hash,
       coalesce(own.name, place.zone, %(zone)s) AS time_zone,
       CASE WHEN way.fault = '' AND {held_out} THEN 'holdout' ELSE way.fault END AS skip_reason
FROM crm_customer person
CROSS JOIN LATERAL (
    SELECT ways.channel, ways.address, ways.address_hash, {fault} AS fault FROM (VALUES {ways})
        AS ways(rank, channel, address, address_hash, opted_in)
    ORDER BY {fault} = '' DESC, ways.address = '', ways.rank LIMIT 1
) way
LEFT JOIN zones own ON own.name = person.time_zone
LEFT JOIN places place ON place.country = person.country
WHERE person.account_id = %(account)s AND person.erased_at IS NULL AND person.id IN ({members}) AND {chosen}
"""
# PostgreSQL looks its list of zones up in files: once, and only those it knows are ever used.
PLACES = """
zones AS MATERIALIZED (SELECT name FROM pg_timezone_names),
places AS (
    SELECT g.country, g.zone FROM unnest(%(countries)s::text[], %(main_zones)s::text[]) AS g(country, zone)
    JOIN zones ON zones.name = g.zone
)
"""
WAYS = {
    MarketingChannel.EMAIL: "person.email, person.email_hash, person.email_opt_in",
    MarketingChannel.SMS: "person.phone, person.phone_hash, person.sms_opt_in",
    MarketingChannel.PUSH: (
        "CASE WHEN EXISTS (SELECT FROM crm_pushsubscription device WHERE device.customer_id = person.id) "
        "THEN person.public_id ELSE '' END, person.own_hash, person.push_opt_in"
    ),
}
BORN = """
INSERT INTO crm_delivery (account_id, campaign_id, customer_id, channel, address, address_hash, time_zone, status,
    skip_reason, error_code, provider_id)
SELECT %(account)s, %(campaign)s, customer_id, channel, address, address_hash, time_zone,
       CASE WHEN skip_reason = '' THEN 'queued' ELSE 'skipped' END, skip_reason, '', ''
FROM planned ORDER BY customer_id ON CONFLICT DO NOTHING
"""
# As `segments.members_sql`, but not joined on the version: PostgreSQL would expect a thousandth of the members, and
# look each of them up by itself.
MEMBERS = f"""
SELECT member.customer_id FROM {segments.MEMBERS} member WHERE member.segment_id = %(segment)s
    AND member.version = (SELECT audience.version FROM crm_segment audience WHERE audience.id = %(segment)s)
"""  # noqa: S608 (our own table)
NEW_ONLY = (
    "NOT EXISTS (SELECT FROM crm_delivery had WHERE had.campaign_id = %(campaign)s AND had.customer_id = person.id)"
)


def preflight(campaign: MarketingCampaign) -> dict[str, Any]:
    """What a launch would do now: `audience` (people to reach), the same by channel, and `skips` by reason."""
    with connection.cursor() as cursor:
        planned, names = _planned(campaign)
        cursor.execute(f"{planned} SELECT channel, skip_reason, count(*) FROM planned GROUP BY 1, 2", names)  # noqa: S608
        found = _told(cursor.fetchall())
    return _without(found, handing_out.lacking(campaign, planned, names))


def _without(found: dict[str, Any], lacking: int) -> dict[str, Any]:
    """The same when so many get no code: the last channels' people, as nobody knows whose turn comes last."""
    if not lacking:
        return found
    channels, left = dict(found["channels"]), lacking
    for channel in reversed(list(channels)):
        taken = min(left, channels[channel])
        channels[channel], left = channels[channel] - taken, left - taken
    skips = found["skips"] | {LeftOut.NO_CODE.value: lacking}
    return {"audience": sum(channels.values()), "channels": channels, "skips": skips}


def _told(rows: Iterable[tuple[str, str, int]]) -> dict[str, Any]:
    channels = {channel: count for channel, reason, count in rows if reason == ""}
    skips: dict[str, int] = {}
    for _, reason, count in rows:
        if reason:
            skips[reason] = skips.get(reason, 0) + count
    return {"audience": sum(channels.values()), "channels": channels, "skips": skips}


def born(campaign: MarketingCampaign) -> dict[str, Any]:
    """As `preflight`, of the deliveries that are there."""
    rows = Delivery.objects.of(campaign).order_by().values_list("channel", "skip_reason").annotate(Count("pk"))
    return _told(list(rows))


def bear(campaign: MarketingCampaign) -> int:
    """A delivery for everybody in the segment who has none, queued or skipped with the reason. Returns how many."""
    with connection.cursor() as cursor:
        planned, names = _planned(campaign)
        cursor.execute(f"{planned} {BORN}", names)
        return int(cursor.rowcount)


def bucket_sql(campaign: str, customer: str) -> str:
    """SQL of the bucket (0 to 9,999) that a customer falls into in a campaign, by their public ids: always the same."""
    return f"mod(('x' || left(md5({campaign} || ':' || {customer}), 8))::bit(32)::bigint, {BUCKETS})"


def _planned(campaign: MarketingCampaign) -> tuple[str, dict[str, Any]]:
    """`WITH … planned AS (…)` and its parameters."""
    ways = ", ".join(
        f"({rank}, '{channel.value}', {WAYS[channel]})"
        for rank, channel in enumerate(map(MarketingChannel, campaign.channels))
    )
    select = PLANNED.format(
        held_out=f"{bucket_sql('%(public_id)s::text', 'person.public_id')} < %(holdout)s",
        fault=_fault(marketing=campaign.is_marketing),
        ways=ways,
        members=MEMBERS,
        chosen=NEW_ONLY,
    )
    names = {
        "account": campaign.account_id,
        "campaign": campaign.pk,
        "public_id": campaign.public_id,
        "segment": campaign.segment_id,
        "holdout": int(campaign.holdout_percent * BUCKETS / 100),
        "zone": zones.known(campaign.account.time_zone),
        "countries": list(zones.MAIN),
        "main_zones": list(zones.MAIN.values()),
    }
    return f"WITH {PLACES}, planned AS MATERIALIZED ({select})", names


def _fault(*, marketing: bool) -> str:
    """SQL: why one way to a person is closed, or ''. Who opted in is not suppressed (crm.models.people)."""
    suppressed = consent.suppressed_on_sql("person.account_id", "ways.address_hash", "ways.channel")
    open_way = "WHEN ways.opted_in THEN ''" if marketing else ""
    otherwise = LeftOut.NO_CONSENT if marketing else ""
    return (
        f"CASE WHEN ways.address = '' THEN '{LeftOut.NO_ADDRESS}' {open_way} "
        f"WHEN {suppressed} THEN '{LeftOut.SUPPRESSED}' ELSE '{otherwise}' END"
    )
