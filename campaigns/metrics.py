"""How templates fare: sums over the rows themselves, a few statements for any number of templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection

from campaigns_project.api.rendering import wire_time

if TYPE_CHECKING:
    from collections.abc import Collection

# The names of variables are looked for among this many of a template's newest active leads.
LEADS_LOOKED_AT = 10_000
CONVERSION_DAYS = 7

# Messages of test sends have no campaign name.
COUNTS = """
SELECT campaign_id,
       count(*) FILTER (WHERE status IN ('sent', 'delivered', 'read', 'undelivered')),
       count(*) FILTER (WHERE status IN ('delivered', 'read')),
       count(*) FILTER (WHERE status = 'read'),
       count(*) FILTER (WHERE replied_at IS NOT NULL AND status IN ('delivered', 'read'))
FROM campaigns_campaignleadmessage WHERE campaign_id = ANY(%(ids)s) AND campaign_name <> '' GROUP BY 1
"""

# From the orders to the messages, because there are fewer of them. A message that was read had been delivered then.
CONVERSIONS = """
WITH orders AS (
    SELECT o.account_id, o.phone, o.customer_id, o.occurred_at FROM crm_event o
    WHERE o.account_id = %(account)s AND o.type = 'order.completed'
), buyers AS (
    SELECT person.id, o.occurred_at FROM orders o
    JOIN campaigns_conversationuser person ON person.account_id = o.account_id AND person.phone = o.phone
    WHERE o.phone <> ''
    UNION
    SELECT person.id, o.occurred_at FROM orders o
    JOIN campaigns_conversationuser person ON person.customer_id = o.customer_id
)
SELECT m.campaign_id, count(DISTINCT m.conversation_user_id) FROM buyers
JOIN campaigns_campaignleadmessage m ON m.conversation_user_id = buyers.id AND m.account_id = %(account)s
CROSS JOIN LATERAL (
    SELECT coalesce(min(move.at), m.status_at) AS at FROM campaigns_campaignleadmessage_move move
    WHERE move.row_id = m.id AND move.target IN ('delivered', 'read')
) delivered
WHERE m.campaign_id = ANY(%(ids)s) AND m.campaign_name <> '' AND m.status IN ('delivered', 'read')
  AND buyers.occurred_at >= delivered.at AND buyers.occurred_at < delivered.at + make_interval(days => %(days)s)
GROUP BY 1
"""

VARIABLE_KEYS = """
SELECT campaign.id, array_agg(DISTINCT key ORDER BY key)
FROM unnest(%(ids)s::bigint[]) AS campaign(id)
CROSS JOIN LATERAL (
    SELECT custom_variables FROM campaigns_campaignlead lead
    WHERE lead.campaign_id = campaign.id AND lead.active ORDER BY lead.id DESC LIMIT %(looked_at)s
) lead
CROSS JOIN LATERAL jsonb_object_keys(lead.custom_variables) AS key
GROUP BY 1
"""

VERSIONS = """
SELECT shown.id, version.id, version.status, version.next_campaign_id, version.created_at
FROM campaigns shown
JOIN campaigns version
  ON version.account_id = shown.account_id AND version.name = shown.name AND version.language = shown.language
WHERE shown.id = ANY(%(ids)s) ORDER BY shown.id, version.id
"""


def described(account_id: int, ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """`{id: {metrics, custom_variable_keys, versions}}` of the account's templates, in four statements.

    Rates are percent of the delivered, with one decimal; a conversion is a person's completed order within seven days
    after the message was delivered.
    """
    counts = _rows(COUNTS, ids)
    bought = {row[0]: row[1] for row in _rows(CONVERSIONS, ids, account=account_id, days=CONVERSION_DAYS)}
    keys = dict(_rows(VARIABLE_KEYS, ids, looked_at=LEADS_LOOKED_AT))
    found = {
        pk: {"metrics": _metrics(0, 0, 0, 0, 0), "custom_variable_keys": keys.get(pk, []), "versions": []} for pk in ids
    }
    for pk, sent, delivered, read, replied in counts:
        found[pk]["metrics"] = _metrics(sent, delivered, read, replied, bought.get(pk, 0))
    for pk, version, status, successor, created_at in _rows(VERSIONS, ids):
        told = {"id": version, "status": status, "next_campaign_id": successor, "created_at": wire_time(created_at)}
        found[pk]["versions"].append(told)
    return found


def _metrics(sent: int, delivered: int, read: int, replied: int, bought: int) -> dict[str, Any]:
    return {
        "messages_sent": sent,
        "delivered": delivered,
        "read": read,
        "replied": replied,
        "reply_rate": _percent(replied, delivered),
        "conversion_rate": _percent(bought, delivered),
    }


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def _rows(statement: str, ids: Collection[int], **names: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"ids": list(ids), **names})
        found: list[Any] = cursor.fetchall()
        return found
