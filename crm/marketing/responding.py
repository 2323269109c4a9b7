"""What comes back of deliveries: reached, opened, clicked, refused, unsubscribed. Hears `crm.customers.feedback`.

A delivery only moves forward, so late, repeated and reordered reports change nothing. A report also settles an attempt
of which nobody knew the outcome. What a machine opened or clicked counts for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection

from crm.customers import timeline
from crm.customers.consent import address_hash
from crm.customers.feedback import About
from crm.marketing import attributing
from crm.models import Channel, Delivery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.db.models import QuerySet

    from accounts.models import Account
    from crm.customers.feedback import Feedback
    from crm.models import Customer

# What was reported, in the order of a message's life: its verb, and the states in which it is news.
VERBS = {
    "delivered": ("delivered", ("sending", "sent")),
    "opened": ("read", ("sending", "sent", "delivered")),
    "clicked": ("read", ("sending", "sent", "delivered")),
    "bounced": ("not_delivered", ("sending", "sent")),
    "dropped": ("fail", ("sending", "sent")),
    "failed": ("fail", ("sending", "sent")),
}
# The moments that each report stamps, unless an earlier one is known.
STAMPS = {
    "delivered": ("delivered_at",),
    "opened": ("delivered_at", "opened_at"),
    "clicked": ("delivered_at", "opened_at", "clicked_at"),
    "unsubscribed": ("unsubscribed_at",),
    "spam": ("unsubscribed_at",),
}
MOMENTS = ("delivered_at", "opened_at", "clicked_at", "unsubscribed_at")

SETTLE = """
WITH given AS (
    SELECT * FROM unnest(%(uuids)s::uuid[], %(ids)s::text[]) AS g(uuid, provider_id)
), settled AS (
    UPDATE crm_delivery_attempt a SET state = 'accepted', provider_id = g.provider_id, ended_at = now(), code = ''
    FROM given g WHERE a.uuid = g.uuid AND a.account_id = %(account)s AND a.state IN ('calling', 'unknown')
)
SELECT a.uuid, a.row_id, c.public_id
FROM crm_delivery_attempt a JOIN given g ON a.uuid = g.uuid
JOIN crm_delivery m ON m.id = a.row_id JOIN crm_marketingcampaign c ON c.id = m.campaign_id
WHERE a.account_id = %(account)s AND a.state <> 'released'
"""
# Without an attempt a report is of the person's message of the campaign it names.
BY_PERSON = """
SELECT g.number, m.id, c.public_id
FROM unnest(%(numbers)s::int[], %(campaigns)s::text[], %(hashes)s::text[], %(emails)s::text[], %(phones)s::text[])
    AS g(number, campaign, hash, email, phone)
JOIN crm_marketingcampaign c ON c.account_id = %(account)s AND c.public_id = g.campaign
JOIN crm_customer person ON person.account_id = %(account)s
    AND ((lower(person.email) = g.email AND NOT person.email = '')
        OR (person.phone = g.phone AND NOT person.phone = ''))
JOIN crm_delivery m ON m.campaign_id = c.id AND m.customer_id = person.id AND m.address_hash = g.hash
"""
STAMP = """
UPDATE crm_delivery m SET delivered_at = least(m.delivered_at, g.delivered_at),
    opened_at = least(m.opened_at, g.opened_at), clicked_at = least(m.clicked_at, g.clicked_at),
    unsubscribed_at = least(m.unsubscribed_at, g.unsubscribed_at),
    provider_id = CASE WHEN m.provider_id = '' THEN g.provider_id ELSE m.provider_id END
FROM unnest(%(rows)s::bigint[], %(delivered_at)s::timestamptz[], %(opened_at)s::timestamptz[],
    %(clicked_at)s::timestamptz[], %(unsubscribed_at)s::timestamptz[], %(ids)s::text[])
    AS g(id, delivered_at, opened_at, clicked_at, unsubscribed_at, provider_id)
WHERE m.id = g.id AND m.status NOT IN ('queued', 'skipped')
"""


def _sent_to(customer: Customer) -> QuerySet[Delivery]:
    rows = Delivery.objects.for_account(customer.account_id).filter(customer=customer)
    return rows.select_related("campaign")


def _sent(row: Delivery) -> dict[str, Any]:
    properties = {"campaign": row.campaign.name, "campaign_id": row.campaign.public_id, "status": row.status}
    if row.skip_reason:
        properties["reason"] = row.skip_reason
    return {"id": str(row.pk), "type": f"{row.channel or 'marketing'}.message", "properties": properties}


# What a customer's timeline tells of marketing campaigns beside the events.
TOLD = timeline.Source("message", _sent_to, "created_at", _sent)


class _Row(NamedTuple):
    pk: int
    campaign: str


def hear(account: Account, reports: Sequence[Feedback]) -> list[About | None]:
    """Move deliveries forward and stamp what happened to them; returns which delivery each report is about."""
    found = _by_attempt(account, reports)
    found |= _by_person(account, {n: each for n, each in enumerate(reports) if n not in found})
    rows = sorted({row.pk for row in found.values()})
    # The rows' locks first, in one order.
    list(Delivery.objects.filter(pk__in=rows).select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    _count(account, [(row.pk, reports[n]) for n, row in found.items() if not reports[n].bot])
    abouts = {number: About(row.campaign, row.pk) for number, row in found.items()}
    return [abouts.get(number) for number in range(len(reports))]


def _count(account: Account, said: Sequence[tuple[int, Feedback]]) -> None:
    for event, (verb, sources) in VERBS.items():
        _move(verb, sources, {pk: report.code for pk, report in said if report.event == event})
    _stamp(said)
    attributing.after_delivery(account, {pk for pk, report in said if report.event in STAMPS})


def _by_attempt(account: Account, reports: Sequence[Feedback]) -> dict[int, _Row]:
    given = {report.attempt: report.provider_id for report in reports if report.attempt is not None}
    names: dict[str, Any] = {"account": account.pk, "uuids": list(given), "ids": list(given.values())}
    with connection.cursor() as cursor:
        cursor.execute(SETTLE, names)
        rows = {uuid: _Row(pk, campaign) for uuid, pk, campaign in cursor.fetchall()}
    return {number: rows[report.attempt] for number, report in enumerate(reports) if report.attempt in rows}


def _by_person(account: Account, reports: Mapping[int, Feedback]) -> dict[int, _Row]:
    asked = {number: _person(account, report) for number, report in reports.items() if report.campaign}
    if not asked:
        return {}
    campaigns, hashes, emails, phones = zip(*asked.values(), strict=True)
    names: dict[str, Any] = {"account": account.pk, "numbers": list(asked), "campaigns": list(campaigns)}
    names |= {"hashes": list(hashes), "emails": list(emails), "phones": list(phones)}
    with connection.cursor() as cursor:
        cursor.execute(BY_PERSON, names)
        return {number: _Row(pk, campaign) for number, pk, campaign in cursor.fetchall()}


def _person(account: Account, report: Feedback) -> tuple[str, str, str, str]:
    mail = report.channel == Channel.EMAIL
    hashed = address_hash(account.pk, report.channel, report.address)
    return report.campaign, hashed, report.address.lower() if mail else "", "" if mail else report.address


def _move(verb: str, sources: Sequence[str], codes: dict[int, str]) -> None:
    # A report never takes a row out of the queue: what is queued was not sent, whatever somebody says.
    by_code: dict[str, list[int]] = {}
    for pk, code in codes.items():
        by_code.setdefault(code[:40], []).append(pk)
    sets = Delivery.machine.edge(verb).sets
    for code, rows in by_code.items():
        told: dict[str, Any] = {"error_code": code} if "error_code" in sets else {}
        Delivery.objects.filter(pk__in=rows, status__in=sources).transition(verb, reason=code, **told)


def _stamp(said: Sequence[tuple[int, Feedback]]) -> None:
    stamps: dict[int, dict[str, Any]] = {}
    for pk, report in said:
        mine = stamps.setdefault(pk, {"provider_id": report.provider_id})
        for moment in STAMPS.get(report.event, ()):
            mine[moment] = min(mine.get(moment, report.at), report.at)
    rows = sorted(stamps)
    names: dict[str, Any] = {moment: [stamps[pk].get(moment) for pk in rows] for moment in MOMENTS}
    names |= {"rows": rows, "ids": [stamps[pk]["provider_id"] for pk in rows]}
    with connection.cursor() as cursor:
        cursor.execute(STAMP, names)
