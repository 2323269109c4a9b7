"""What comes back from Twilio: how messages fare, and what people answer.

Statuses only move forward: a late, repeated or reordered callback changes nothing. A callback also settles an attempt
of which nobody knew the outcome. STOP and START take effect before the webhook is acknowledged.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from campaigns.models import CampaignLeadMessage, ConversationUser, Direction, Message
from crm import events
from crm.customers import consent, texting, timeline
from crm.models import Customer
from providers.twilio import RANK, Malformed, opt_word, parse_inbound, parse_status, read_form
from providers.twilio.codes import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accounts.models import Account
    from campaigns.models.message import MessageQuerySet
    from dispatch.models import InboxEntry
    from providers.twilio import Inbound

VERBS = {"sent": "sent", "delivered": "delivered", "read": "read", "failed": "fail", "undelivered": "not_delivered"}

SETTLE = """
WITH given AS (
    SELECT * FROM unnest(%(uuids)s::uuid[], %(accounts)s::bigint[], %(sids)s::text[]) AS g(uuid, account_id, sid)
), settled AS (
    UPDATE campaigns_message_attempt a SET state = 'accepted', provider_id = g.sid, ended_at = now(), code = ''
    FROM given g WHERE a.uuid = g.uuid AND a.account_id = g.account_id AND a.state IN ('calling', 'unknown')
)
SELECT a.uuid::text, a.row_id
FROM campaigns_message_attempt a JOIN given g ON a.uuid = g.uuid AND a.account_id = g.account_id
WHERE a.provider_id IN ('', g.sid) AND a.state <> 'released'
"""

# The row's own lock first, so that the state it came from is the one that is written down. An event's id
# is made of what it is about, shortened by md5: a random one costs more than the row.
MOVE = """
WITH given AS (SELECT * FROM unnest(%(rows)s::bigint[], %(sids)s::text[], %(codes)s::text[]) AS g(id, sid, code)),
present AS (
    SELECT m.id, m.account_id, m.status AS was, g.sid, g.code FROM {table} m JOIN given g ON g.id = m.id
    WHERE m.status = ANY(%(sources)s) ORDER BY m.id FOR UPDATE OF m
), moved AS (
    UPDATE {table} m SET status = %(target)s, status_at = now(), provider_id = p.sid, error_code = p.code
    FROM present p WHERE m.id = p.id RETURNING m.id, m.account_id, m.conversation_user_id, m.phone
), written AS (
    INSERT INTO {moves} (account_id, row_id, verb, source, target, at, by_id, reason)
    SELECT account_id, id, %(verb)s, was, %(target)s, now(), NULL, p.code FROM present p
), told AS (
    INSERT INTO crm_event
        (account_id, public_id, event_id, type, customer_id, email, phone, occurred_at, currency, properties)
    SELECT m.account_id, 'evt_' || left(md5(m.account_id || ':whatsapp:' || m.id || ':' || %(target)s), 16),
           'whatsapp:' || m.id || ':' || %(target)s, 'message.' || %(target)s, u.customer_id, '', m.phone, now(), '',
           jsonb_build_object('message_id', m.id)
    FROM moved m JOIN campaigns_conversationuser u ON u.id = m.conversation_user_id ON CONFLICT DO NOTHING
    RETURNING id, account_id
)
SELECT id, NULL, NULL FROM moved UNION ALL SELECT NULL, account_id, id FROM told
"""


def apply_statuses(entries: Sequence[InboxEntry]) -> list[bool]:
    """Handler of ("twilio", "status"): settle attempts, move rows forward. True where a row moved."""
    updates = [_status_of(entry) for entry in entries]
    rows = _settle(updates)
    best = _furthest(updates, rows)
    moved = {row_id for status in VERBS for row_id in _move(status, best)}
    _suppress_unreachable(best)
    return [rows.get(update["uuid"]) in moved for update in updates]


def _furthest(updates: list[dict[str, Any]], rows: dict[str, int]) -> dict[int, dict[str, Any]]:
    """Of several statuses of one row the furthest."""
    ranked = sorted((each for each in updates if each["status"]), key=lambda each: RANK[each["status"]])
    return {rows[each["uuid"]]: each for each in ranked if each["uuid"] in rows}


def receive(entry: InboxEntry) -> bool:
    """Take in one inbound message: kept once, linked to its person, STOP and START obeyed. True when it is new.

    An SMS is no part of a WhatsApp conversation; `crm.customers.texting` takes it.
    """
    inbound = parse_inbound(read_form(bytes(entry.body)))
    account: Account = entry.account  # type: ignore[assignment]  # the door stores the account it verified
    if inbound.channel == "sms":
        return texting.receive(account, inbound)
    with transaction.atomic():
        person = _person(account, inbound)
        message, created = Message.objects.get_or_create(
            account=account,
            provider_id=inbound.message_sid,
            defaults={
                "conversation_user": person,
                "direction": Direction.INBOUND,
                "body": inbound.body,
                "content": {"button": inbound.button_payload} if inbound.button_payload else {},
            },
        )
        if created:
            _note_reply(account, person, message)
            _obey(account, person, inbound)
    return created


def receive_all(entries: Sequence[InboxEntry]) -> list[bool]:
    """Handler of ("twilio", "inbound"), for replays and for what could not be applied at once."""
    return [receive(entry) for entry in entries]


def _status_of(entry: InboxEntry) -> dict[str, Any]:
    try:
        update = parse_status(read_form(bytes(entry.body)))
    except Malformed:
        return {"uuid": "", "account": entry.account_id, "sid": "", "status": None, "code": ""}
    return {
        "uuid": entry.context.get("attempt", ""),
        "account": entry.account_id,
        "sid": update.message_sid,
        "status": update.ours,
        "code": update.error_code,
    }


def _settle(updates: list[dict[str, Any]]) -> dict[str, int]:
    """The callback proves that the call took effect. Returns row ids by attempt."""
    given = [update for update in updates if update["uuid"]]
    names = {
        "uuids": [update["uuid"] for update in given],
        "accounts": [update["account"] for update in given],
        "sids": [update["sid"] for update in given],
    }
    with connection.cursor() as cursor:
        cursor.execute(SETTLE, names)
        return dict(cursor.fetchall())


def _move(status: str, best: dict[int, dict[str, Any]]) -> list[int]:
    chosen = sorted(row_id for row_id, update in best.items() if update["status"] == status)
    if not chosen:
        return []
    edge = CampaignLeadMessage.machine.edge(VERBS[status])
    # A callback never takes a row out of the queue: what is queued was not sent, whatever somebody says.
    sources = [source for source in edge.sources if source != "queued"]
    names: dict[str, Any] = {
        "rows": chosen,
        "sids": [best[row_id]["sid"] for row_id in chosen],
        "codes": [best[row_id]["code"] for row_id in chosen],
        "sources": sources,
        "target": edge.target,
        "verb": edge.verb,
    }
    table, moves = CampaignLeadMessage._meta.db_table, CampaignLeadMessage.machine.moves._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(MOVE.format(table=table, moves=moves), names)
        found = cursor.fetchall()
    told: dict[int, list[int]] = {}
    for _, account_id, event_id in found:
        if event_id is not None:
            told.setdefault(account_id, []).append(event_id)
    events.announce(told)
    return [row_id for row_id, _, _ in found if row_id is not None]


def _suppress_unreachable(best: dict[int, dict[str, Any]]) -> None:
    """Whoever opted out at the provider, or is not on WhatsApp, is not written to again."""
    unwanted = {str(code) for code, meaning in MEANINGS.items() if meaning.effect in {"opt_out", "suppress"}}
    codes = {row_id: update["code"] for row_id, update in best.items() if update["code"] in unwanted}
    for message in CampaignLeadMessage.objects.filter(pk__in=codes).select_related("account"):
        consent.withdraw(
            message.account,
            channel="whatsapp",
            address=message.phone,
            source="twilio",
            proof={"code": codes[message.pk]},
        )


def _person(account: Account, inbound: Inbound) -> ConversationUser:
    person, _ = ConversationUser.objects.get_or_create(
        account=account,
        phone=inbound.sender,
        defaults={
            "address_hash": consent.phone_hash(account.pk, inbound.sender),
            "name": inbound.profile_name[:200],
            "customer": Customer.objects.for_account(account).filter(phone=inbound.sender).first(),
        },
    )
    ConversationUser.objects.filter(pk=person.pk).update(last_inbound_at=Now())
    return person


def _note_reply(account: Account, person: ConversationUser, message: Message) -> None:
    last = CampaignLeadMessage.objects.for_account(account).filter(conversation_user=person).order_by("-id").first()
    if last is not None and last.replied_at is None:
        CampaignLeadMessage.objects.filter(pk=last.pk).update(replied_at=Now())
    events.record(
        account,
        type="message.received",
        event_id=f"whatsapp:in:{message.provider_id}",
        customer_id=person.customer_id,
        phone=person.phone,
        properties=json.loads(json.dumps({"message_id": message.pk})),
    )


def _obey(account: Account, person: ConversationUser, inbound: Inbound) -> None:
    word = inbound.opt_out_type.lower() or opt_word(inbound.body)
    act = {"stop": consent.withdraw, "start": consent.grant}.get(word or "")
    if act is not None:
        act(
            account,
            channel="whatsapp",
            address=person.phone,
            source="inbound",
            proof={"message_sid": inbound.message_sid, "body": inbound.body[:200]},
            customer=person.customer,
        )


def _sent_to(customer: Customer) -> MessageQuerySet:
    known = Q(conversation_user__customer=customer)
    if customer.phone:
        known |= Q(conversation_user__phone=customer.phone)
    return CampaignLeadMessage.objects.for_account(customer.account_id).filter(known)


def _sent(row: CampaignLeadMessage) -> dict[str, Any]:
    properties = {"campaign": row.campaign_name, "broadcast_id": row.broadcast_id, "status": row.status}
    return {"id": str(row.pk), "type": "whatsapp.message", "properties": properties}


# What a customer's timeline tells of WhatsApp beside the events.
TOLD = timeline.Source("message", _sent_to, "created_at", _sent)
