"""A broadcast whose `coupon_code` comes out of a pool: each person gets a code of their own when it starts.

Codes are handed out in the transaction of the start, so a start that fails hands out none and a second one does not
hand out twice. Who is left out in the end gives theirs back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection

from campaigns.models import CampaignLeadMessage, MessageStatus
from campaigns.values import SAMPLES
from campaigns.variables import CODE
from campaigns_project.refusals import Invalid
from crm import codes

if TYPE_CHECKING:
    from campaigns.models import Broadcast
    from crm.codes import Pool

MESSAGES = CampaignLeadMessage._meta.db_table
# One person on all channels: their customer, or else the hash of their number.
_HOLDER = (
    "coalesce((SELECT known.public_id FROM crm_customer known WHERE known.id = {person}.customer_id), "
    "{person}.address_hash)"
)
_LEFT_OUT = f"""
SELECT DISTINCT {_HOLDER.format(person="person")} FROM {MESSAGES} message
JOIN campaigns_conversationuser person ON person.id = message.conversation_user_id
WHERE message.broadcast_id = %s AND message.status = '{MessageStatus.SKIPPED}'"""  # noqa: S608 (our own tables)


@dataclass(frozen=True)
class CodeSQL:
    """SQL expressions over one lead: the code they read, and the holder who still needs one (null: has a value)."""

    code: str
    holder: str
    params: dict[str, Any]


def chosen(broadcast: Broadcast) -> bool:
    """Whether people are to get codes of their own."""
    return bool(broadcast.code_pool) and CODE in broadcast.campaign.variables.values()


def pool_of(broadcast: Broadcast) -> Pool | None:
    """Where the codes come from."""
    return codes.source().pool(broadcast.account_id, broadcast.code_pool) if broadcast.code_pool else None


def offered(broadcast: Broadcast) -> list[tuple[str, str]] | None:
    """The pools (id, name) that a person may choose among; None where the template names no code."""
    if CODE not in broadcast.campaign.variables.values():
        return None
    return [(pool.id, pool.name) for pool in codes.source().pools(broadcast.account_id)]


def sample(broadcast: Broadcast) -> dict[str, str]:
    """How a code looks that somebody will get, as a value for previews."""
    pool = pool_of(broadcast) if chosen(broadcast) else None
    return {CODE: pool.sample} if pool else {}


def check(account_id: int, pool: str) -> None:
    """Raise Invalid (`details["coupon_campaign_id"]`) unless it is a pool of the account's; "" is none at all."""
    if pool and codes.source().pool(account_id, pool) is None:
        raise Invalid(details={"coupon_campaign_id": ["There is no such campaign of single-use coupons."]})


def obstacle(broadcast: Broadcast) -> str:
    """Why its codes would be refused now, or ""."""
    if not chosen(broadcast) or broadcast.test_send:
        return ""
    pool = pool_of(broadcast)
    return pool.closed if pool else "The campaign that its coupons come from was deleted."


def code_sql(broadcast: Broadcast, *, held: bool, lead: str, person: str) -> CodeSQL | None:
    """`held`: only codes that people have; otherwise everybody is expected to get one, and a sample stands for it."""
    if broadcast.test_send and CODE in broadcast.campaign.variables.values():
        return CodeSQL("%(code_sample)s::text", "NULL::text", {"code_sample": SAMPLES[CODE]})
    if not chosen(broadcast):
        return None
    holder = _HOLDER.format(person=person)
    own = f"nullif({lead}.custom_variables->>'{CODE}', '')"
    code = codes.source().held_sql("%(code_pool)s", holder) if held else "%(code_sample)s::text"
    needing = f"CASE WHEN {own} IS NULL THEN {holder} END"
    return CodeSQL(code, needing, {"code_pool": broadcast.code_pool, "code_sample": SAMPLES[CODE]})


def lacking(broadcast: Broadcast, everybody: str, names: dict[str, Any]) -> int:
    """How many people would be left out because the pool has too few codes."""
    stands_in = broadcast.values.get(CODE) or broadcast.campaign.variable_defaults.get(CODE)
    if not chosen(broadcast) or broadcast.test_send or stands_in or pool_of(broadcast) is None:
        return 0
    wanting = codes.source().held_sql("%(code_pool)s", "planned.code_holder")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(DISTINCT code_holder) FROM ({everybody}) planned "  # noqa: S608 (our own words)
            f"WHERE skip_reason = '' AND code_holder IS NOT NULL AND {wanting} IS NULL",
            names,
        )
        wanted = int(cursor.fetchone()[0])
    stock = codes.source().stock(broadcast.account_id, broadcast.code_pool, at_most=wanted) if wanted else 0
    return wanted - stock


def hand_out(broadcast: Broadcast, everybody: str, names: dict[str, Any]) -> None:
    """Give a code to everybody who will be written to and has no other value."""
    if not chosen(broadcast) or broadcast.test_send:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT code_holder FROM ({everybody}) planned "  # noqa: S608 (our own words)
            "WHERE skip_reason = '' AND code_holder IS NOT NULL ORDER BY lead_id",
            names,
        )
        holders = [holder for (holder,) in cursor.fetchall()]
    codes.source().hand_out(broadcast.account_id, broadcast.code_pool, holders, purpose=_purpose(broadcast))


def take_back(broadcast: Broadcast) -> None:
    """The codes of people who were left out after all are free again."""
    if not chosen(broadcast):
        return
    with connection.cursor() as cursor:
        cursor.execute(_LEFT_OUT, [broadcast.pk])
        holders = [holder for (holder,) in cursor.fetchall()]
    codes.source().give_back(broadcast.account_id, broadcast.code_pool, holders, purpose=_purpose(broadcast))


def _purpose(broadcast: Broadcast) -> str:
    return f"wa_{broadcast.pk}"
