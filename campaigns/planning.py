"""Whom a broadcast will reach, counted before it starts by the same SELECT that it starts with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection

from accounts.models import Connection
from campaigns import handing_out
from campaigns.models import CampaignStatus, MessageStatus, SkipReason
from campaigns.previewing import ValuesSQL, values_sql
from campaigns.variables import CODE
from crm.customers.consent import suppressed_sql

if TYPE_CHECKING:
    from campaigns.handing_out import CodeSQL
    from campaigns.models import Broadcast

PLANNED = """
SELECT lead.id AS lead_id, person.id AS user_id, person.phone, person.address_hash,
       {values} AS content_variables, {body} AS body,
       CASE WHEN {missing} THEN 'missing_variable' WHEN {opted_out} THEN 'opted_out'
            WHEN {already_sent} THEN 'already_sent' ELSE '' END AS skip_reason,
       {holder} AS code_holder
FROM campaigns_campaignlead lead
JOIN campaigns_conversationuser person ON person.id = lead.conversation_user_id
JOIN accounts_account merchant ON merchant.id = lead.account_id
WHERE lead.campaign_id = %(campaign)s AND lead.account_id = %(account)s AND {chosen}
"""


def preflight(broadcast: Broadcast) -> dict[str, Any]:
    """What a start would do now (spec: api › shapes): audience, skips by reason, missing variables, cost, can_start."""
    campaign = broadcast.campaign
    everybody, names = planned(broadcast)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT skip_reason, count(*) FROM ({everybody}) planned GROUP BY 1", names)  # noqa: S608
        counts = dict(cursor.fetchall())
    short = handing_out.lacking(broadcast, everybody, names)
    people = counts.pop("", 0) - short
    if short:
        counts[SkipReason.MISSING_VARIABLE] = counts.get(SkipReason.MISSING_VARIABLE, 0) + short
    price = settings.MESSAGE_PRICE_MINOR[campaign.campaign_type]
    return {
        "audience": people,
        "skips": counts,
        "missing_variables": [
            *(missing_variables(broadcast) if counts.get(SkipReason.MISSING_VARIABLE) else []),
            *([CODE] if short else []),
        ],
        "template_status": campaign.status,
        "estimated_cost": {"amount": people * price, "currency": campaign.account.currency},
        "can_start": not obstacles(broadcast) and people > 0,
        **({"leads": broadcast.preflight["leads"]} if broadcast.test_send else {}),
    }


def planned(broadcast: Broadcast, *, held: bool = False) -> tuple[str, dict[str, Any]]:
    """The SELECT of everybody this broadcast is for, with the reason why not.

    `held`: codes of a pool have been handed out, and who has none is left out.
    """
    campaign = broadcast.campaign
    code, values = _values(broadcast, held=held)
    marketing = campaign.campaign_type == "marketing" and not broadcast.force and not broadcast.test_send
    states = ", ".join(f"'{state}'" for state in (*MessageStatus.TAKEN, MessageStatus.QUEUED))
    already = (
        "EXISTS (SELECT FROM campaigns_campaignleadmessage other WHERE other.conversation_user_id = person.id "
        f"AND other.account_id = lead.account_id AND other.campaign_name = %(name)s AND other.status IN ({states}))"
    )
    people = PLANNED.format(
        values=values.numbered,
        body=values.body,
        missing=values.missing,
        opted_out=suppressed_sql("lead.account_id", "person.address_hash", "whatsapp"),
        already_sent=already if marketing else "false",
        holder=code.holder if code else "NULL::text",
        chosen="lead.id = ANY(%(leads)s)" if broadcast.test_send else "lead.active",
    )
    names = {"campaign": campaign.pk, "account": campaign.account_id, "name": campaign.name, **values.params}
    return people, names | {"leads": broadcast.preflight.get("leads", []), **(code.params if code else {})}


def _values(broadcast: Broadcast, *, held: bool) -> tuple[CodeSQL | None, ValuesSQL]:
    code = handing_out.code_sql(broadcast, held=held, lead="lead", person="person")
    said = {"call": broadcast.values, "code": code.code if code else "NULL::text"}
    return code, values_sql(broadcast.campaign, lead="lead", person="person", merchant="merchant", **said)


def missing_variables(broadcast: Broadcast) -> list[str]:
    """The names that at least one person lacks a value for."""
    _, values = _values(broadcast, held=False)
    people, names = planned(broadcast)
    tables = people[people.index("FROM campaigns_campaignlead lead") :]
    wanted = ", ".join(f"bool_or({missing})" for missing in values.missing_by_name.values())
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {wanted} {tables}", names)
        lacking = cursor.fetchone()
    return [name for name, lacks in zip(values.missing_by_name, lacking, strict=True) if lacks]


def obstacles(broadcast: Broadcast) -> dict[str, Any]:
    """What stands in the way of a start, by field, in sentences."""
    campaign, account = broadcast.campaign, broadcast.account
    found: dict[str, Any] = {}
    if campaign.status != CampaignStatus.APPROVED:
        found["template_status"] = [f"The template is {campaign.status}; only an approved one is sent."]
    elif campaign.enabled_at is None:
        found["enabled"] = ["The template is switched off."]
    connections = Connection.objects.for_account(account).filter(provider="twilio")
    if not connections.filter(refused_at=None).exists():
        found["connection"] = ["There is no working WhatsApp connection."]
    if fault := handing_out.obstacle(broadcast):
        found["coupon_campaign_id"] = [fault]
    if account.status != "active":
        found["account"] = [f"The account is {account.status}."]
    return found
