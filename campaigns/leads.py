"""Who a campaign is for: leads from JSON and from CSV files, a few statements for ten thousand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from campaigns.authoring import check_newest
from campaigns.models import Campaign, CampaignLead, ConversationUser
from campaigns.models.conversation import ERASED
from campaigns.values import check_values
from campaigns_project.refusals import Invalid
from crm.customers.consent import phone_hash
from crm.models import Channel, Suppression
from crm.phones import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from accounts.models import Account

MOST_ROWS = 10_000
PERSON = "conversation_user_id"
ROW = {"phone_number", PERSON, "custom_variables"}

PEOPLE = """
INSERT INTO campaigns_conversationuser AS person (account_id, phone, address_hash, name, customer_id)
SELECT %(account)s, given.phone, given.hashed, '', customer.id
FROM unnest(%(phones)s::text[], %(hashes)s::text[]) AS given(phone, hashed)
LEFT JOIN crm_customer customer ON customer.account_id = %(account)s AND customer.phone = given.phone
ORDER BY given.phone
ON CONFLICT (account_id, phone) DO UPDATE SET customer_id = excluded.customer_id
    WHERE person.customer_id IS NULL AND excluded.customer_id IS NOT NULL
"""

LEADS = """
WITH given AS (
    SELECT person.id AS person, given.variables
    FROM unnest(%(phones)s::text[], %(variables)s::jsonb[]) AS given(phone, variables)
    JOIN campaigns_conversationuser person ON person.account_id = %(account)s AND person.phone = given.phone
)
INSERT INTO campaigns_campaignlead AS lead (account_id, campaign_id, conversation_user_id, active, custom_variables)
SELECT %(account)s, %(campaign)s, person, true, variables FROM given ORDER BY person
ON CONFLICT (account_id, campaign_id, conversation_user_id) DO UPDATE
    SET active = true, custom_variables = excluded.custom_variables
    WHERE NOT lead.active OR lead.custom_variables <> excluded.custom_variables
RETURNING lead.xmax = 0
"""


def add(campaign: Campaign, rows: Sequence[Any]) -> dict[str, Any]:
    """Add up to 10,000 leads: `{created, reactivated, unchanged, opted_out, invalid: [{index, code, message}]}`.

    A row has `phone_number` or `conversation_user_id`, and may have `custom_variables`. Somebody who is there already
    is made active again, or given new variables (both count as reactivated). Numbers that opted out are taken in,
    counted in `opted_out` too, and left out when sending. Raises Invalid, by index, when no row is valid, and
    NotTheNewestVersion for an old version.
    """
    check_newest(campaign)
    valid, faults = _sorted_out(campaign, rows)
    if rows and not valid:
        raise Invalid(
            details={f"leads.{index}.{path}": why for index, found in faults.items() for path, why in found.items()}
        )
    created, changed = upsert(campaign, valid)
    return {
        "created": created,
        "reactivated": changed,
        "unchanged": len(rows) - len(faults) - created - changed,
        "opted_out": _opted_out(campaign.account_id, valid),
        "invalid": [_told(index, found) for index, found in faults.items()],
    }


def upsert(campaign: Campaign, valid: Mapping[str, Mapping[str, str]]) -> tuple[int, int]:
    """Leads by phone (E.164) with their variables; returns how many were created and how many changed."""
    names: dict[str, Any] = {
        "account": campaign.account_id,
        "campaign": campaign.pk,
        "phones": list(valid),
        "hashes": [phone_hash(campaign.account_id, phone) for phone in valid],
        "variables": [json.dumps(values) for values in valid.values()],
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(PEOPLE, names)
        cursor.execute(LEADS, names)
        born = [row[0] for row in cursor.fetchall()]
    return sum(born), len(born) - sum(born)


def remove(lead: CampaignLead) -> None:
    """Out of the queue; the lead stays for the record."""
    CampaignLead.objects.filter(pk=lead.pk).update(active=False)
    lead.active = False


def for_test(campaign: Campaign, phone: str) -> CampaignLead:
    """An inactive lead to hang a test message on."""
    number = normalise(phone)
    with transaction.atomic():
        person, _ = ConversationUser.objects.get_or_create(
            account=campaign.account,
            phone=number,
            defaults={"address_hash": phone_hash(campaign.account_id, number)},
        )
        lead, _ = CampaignLead.objects.get_or_create(
            account=campaign.account, campaign=campaign, conversation_user=person, defaults={"active": False}
        )
    return lead


def _sorted_out(
    campaign: Campaign, rows: Sequence[Any]
) -> tuple[dict[str, dict[str, str]], dict[int, dict[str, list[str]]]]:
    """Variables by phone for the rows that can be leads (the last word counts), and faults by index for the rest."""
    phones = _phones_of(campaign.account, rows)
    valid: dict[str, dict[str, str]] = {}
    faults: dict[int, dict[str, list[str]]] = {}
    for index, row in enumerate(rows):
        try:
            phone = _phone_of(row, phones)
            valid[phone] = check_values(row.get("custom_variables", {}), variables=campaign.variables)
        except Invalid as refusal:
            faults[index] = refusal.details
    return valid, faults


def _phones_of(account: Account, rows: Iterable[Any]) -> dict[Any, str]:
    ids: list[int] = [row[PERSON] for row in rows if isinstance(row, dict) and type(row.get(PERSON)) is int]
    people = ConversationUser.objects.for_account(account).filter(pk__in=ids).exclude(phone__startswith=ERASED)
    return dict(people.values_list("pk", "phone")) if ids else {}


def _phone_of(row: object, phones: Mapping[Any, str]) -> str:
    """The row's number in E.164. Raises Invalid for a row that does not say, in one way, who it is about."""
    if not isinstance(row, dict):
        raise Invalid(details={"lead": ["A lead is an object."]})
    if unknown := [str(key) for key in row if key not in ROW]:
        raise Invalid(details={unknown[0]: ["This field is not known."]})
    if ("phone_number" in row) == (PERSON in row):
        raise Invalid(details={"phone_number": [f"Give either phone_number or {PERSON}."]})
    if PERSON not in row:
        return normalise(row["phone_number"])
    phone = phones.get(row[PERSON]) if type(row[PERSON]) is int else None
    if phone is None:
        raise Invalid(details={PERSON: ["There is no such person."]})
    return phone


def _opted_out(account_id: int, phones: Iterable[str]) -> int:
    hashes = [phone_hash(account_id, phone) for phone in phones]
    silent = Suppression.objects.for_account(account_id).filter(channel=Channel.WHATSAPP, address_hash__in=hashes)
    return silent.count()


def _told(index: int, faults: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    path, sentences = next(iter(faults.items()))
    return {"index": index, "code": "invalid", "message": f"{path}: {sentences[0]}"}
