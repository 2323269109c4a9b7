"""The WhatsApp message lane: what must hold right before a call, the call, and what its outcome means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models.functions import Now

from accounts.models import Connection
from accounts.secrets import keyed_hash
from campaigns.models import Broadcast, CampaignLeadMessage, MessageAttempt, MessageStatus, SkipReason
from crm.customers.consent import suppressed_sql
from crm.marketing.gating import CAP_HOURS, reached_sql
from dispatch.database import in_thread
from dispatch.keeping import Kept
from dispatch.lane import Call, Lane, OpenQuestion
from dispatch.statements import move
from providers.base import Credentials, Outgoing, Refused
from providers.twilio import Twilio
from providers.twilio.codes import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from providers.base import Found, Messenger, Outcome

LANE = "whatsapp"

SCOPE = """
campaigns_broadcast scope
JOIN campaigns template ON template.id = scope.campaign_id
JOIN accounts_account merchant ON merchant.id = scope.account_id
JOIN accounts_connection link ON link.account_id = scope.account_id AND link.provider = 'twilio'
"""
SCOPE_OPEN = """
scope.status = 'sending' AND template.status = 'approved' AND template.enabled_at IS NOT NULL
AND merchant.status = 'active' AND link.refused_at IS NULL
"""
PAYLOAD = """
jsonb_build_object('to', m.phone, 'sender', link.sender, 'connection', link.id, 'content_sid', template.content_sid,
                   'variables', m.context->'content_variables', 'tries', m.tries)
"""
OPTED_OUT = suppressed_sql("m.account_id", "m.address_hash", "whatsapp")
# Any version of the name counts, and a message that may have left counts too. The person has the account in them: asked
# for as well, a plan made while the table was young could read all of the account.
ALREADY_SENT = f"""
template.campaign_type = 'marketing' AND NOT scope.force AND m.campaign_name <> '' AND EXISTS (
    SELECT FROM campaigns_campaignleadmessage other
    WHERE other.conversation_user_id = m.conversation_user_id
      AND other.campaign_name = m.campaign_name AND other.id <> m.id
      AND other.status IN ({", ".join(f"'{state}'" for state in MessageStatus.TAKEN)}))
"""

# Whose people get one marketing message in the cap's hours: tests to oneself and service templates are free of it.
CAPPED = "template.campaign_type = 'marketing' AND NOT scope.test_send"
# When the person last got marketing in these hours, by WhatsApp or anything else (their number is how we know them), or
# null. Another call for the same row is no second message. Scalar subqueries only, each with one index that fits: a
# join that was planned while the tables were young would read all of them.
LAST_MARKETING = f"""
greatest((
    SELECT max(x.called_at) FROM campaigns_message_attempt x
    WHERE x.address = m.phone AND x.called_at > now() - interval '{CAP_HOURS} hours' AND x.row_id <> m.id
      AND x.account_id = m.account_id AND x.state IN ('calling', 'unknown', 'accepted') AND (
        SELECT (SELECT t.campaign_type FROM campaigns t WHERE t.id = theirs.campaign_id) = 'marketing'
           AND NOT (SELECT b.test_send FROM campaigns_broadcast b WHERE b.id = theirs.broadcast_id)
        FROM campaigns_campaignleadmessage theirs WHERE theirs.id = x.row_id)
), {reached_sql("m.address_hash")})
"""  # noqa: S608 (no input in it)
FREE_AT = f"""
SELECT {LAST_MARKETING} + interval '{CAP_HOURS} hours' FROM campaigns_campaignleadmessage m
JOIN campaigns_broadcast scope ON scope.id = m.broadcast_id JOIN campaigns template ON template.id = scope.campaign_id
WHERE m.id = %(message)s AND {CAPPED}
"""  # noqa: S608 (no input in it)
# One of the senders that reach a person at a time; others wait until the person is free.
ONE_A_DAY: dict[str, Any] = {
    "person": "m.account_id || m.phone",
    "alone": CAPPED,
    "free_in": f"extract(epoch FROM {LAST_MARKETING} + interval '{CAP_HOURS} hours' - now())",
}


def free_at(message: CampaignLeadMessage) -> datetime | None:
    """When its person may get it, who has had their one marketing message of the day; None when they have not."""
    with connection.cursor() as cursor:
        cursor.execute(FREE_AT, {"message": message.pk})
        found = cursor.fetchone()
    return found[0] if found else None


def callback_mac(key: UUID | str) -> str:
    """What proves that a callback address is one of ours: 32 hex digits over the attempt's id."""
    return keyed_hash("status-callback", str(key))[:32]


def callback_url(key: UUID) -> str:
    """Where Twilio reports what became of the attempt."""
    return f"{settings.PUBLIC_BASE_URL}/api/v1/campaign/webhooks/twilio/status/{key}?m={callback_mac(key)}"


class Caller:
    """Makes the lane's calls. One a process; keeps the accounts' credentials for a few seconds."""

    def __init__(self, messenger: Messenger) -> None:
        self.messenger = messenger
        self.credentials = Kept(credentials_of)

    async def prepare(self, call: Call) -> None:
        """Have the credentials at hand when the call's turn comes."""
        await self.credentials.get(call.payload["connection"])

    async def call(self, call: Call) -> Outcome:
        """Send one message, once."""
        payload = call.payload
        outgoing = Outgoing(
            to=payload["to"],
            sender=payload["sender"],
            content_sid=payload["content_sid"],
            variables=payload["variables"] or {},
            key=str(call.key),
            callback_url=callback_url(call.key),
        )
        try:
            credentials = await self.credentials.get(payload["connection"])
        except (DatabaseError, Connection.DoesNotExist) as trouble:
            # Nothing has left yet.
            return Refused("credentials", str(trouble), retry=True)
        return await self.messenger.send(outgoing, credentials)

    async def find(self, question: OpenQuestion) -> Sequence[Found]:
        """What the provider has from this sender to this number since the call; may raise Unreachable."""
        connection = await in_thread(_connection_of, question.account_id)
        return await self.messenger.find(
            question.address, question.sender, question.called_at, await self.credentials.get(connection)
        )


def _connection_of(account_id: int) -> int:
    return Connection.objects.for_account(account_id).get(provider="twilio").pk


def credentials_of(connection_id: int) -> Credentials:
    """The opened credentials of one connection."""
    connection = Connection.objects.get(pk=connection_id)
    return Credentials(connection.external_id, connection.secret["auth_token"], connection.sender)


def react(effect: str, row_id: int, code: str) -> None:
    """A refusal that would meet everybody else too: hold the broadcast, and credentials that do not open the door."""
    message = CampaignLeadMessage.objects.select_related("broadcast").get(pk=row_id)
    if effect in {"opt_out", "suppress"}:
        return
    with transaction.atomic():
        Broadcast.objects.filter(pk=message.broadcast_id).transition("pause", reason=f"refused by Twilio: {code}")
        if effect == "pause_connection":
            Connection.objects.for_account(message.account_id).filter(provider="twilio").update(refused_at=Now())


def whatsapp_lane() -> Lane:
    """The lane as dispatch needs it."""
    from campaigns import broadcasting  # it starts what this lane sends, and counts with the lane's own SQL

    messenger = Twilio.from_settings()
    caller = Caller(messenger)
    return Lane(
        name=LANE,
        provider=messenger.name,
        row_model=CampaignLeadMessage,
        attempt_model=MessageAttempt,
        scope_from=SCOPE,
        scope_column="broadcast_id",
        scope_open=SCOPE_OPEN,
        row_due="m.status = 'queued'",
        skips={SkipReason.OPTED_OUT: OPTED_OUT, SkipReason.ALREADY_SENT: ALREADY_SENT},
        waits={},
        **ONE_A_DAY,
        sender="link.sender",
        address="m.phone",
        payload=PAYLOAD,
        sender_rate="NULLIF(link.rate_per_second, 0)",
        scope_rate="scope.rate_per_second",
        on_open=move("begun", CampaignLeadMessage, "opened s", "begin", MessageStatus.QUEUED),
        on_skip=_on_skip(),
        on_record=_on_record(),
        accepted=MessageStatus.SENT,
        queued=MessageStatus.QUEUED,
        failed=MessageStatus.FAILED,
        prepare=caller.prepare,
        call=caller.call,
        find=caller.find,
        react=react,
        tend=broadcasting.tend,
        connections=settings.TWILIO_CONNECTIONS,
        timeout=messenger.timeout,
        quiet=messenger.quiet,
        close=messenger.close,
    )


def _on_skip() -> str:
    rows = "(SELECT id AS row_id, substr(verdict, 6) AS reason FROM candidate WHERE left(verdict, 5) = 'skip:') s"
    return move("skipped", CampaignLeadMessage, rows, "skip", MessageStatus.QUEUED, sets=", skip_reason = s.reason")


def _on_record() -> str:
    """Accepted rows get their message in the conversation in the same statement; opt-outs are kept at once."""
    accepted = move(
        "taken",
        CampaignLeadMessage,
        "said s",
        "sent",
        MessageStatus.SENDING,
        sets=", provider_id = s.provider_id, message_id = s.message_id",
        also=", m.conversation_user_id, m.context->>'body' AS body, m.provider_id, m.message_id",
    )
    again = move(
        "again",
        CampaignLeadMessage,
        "(SELECT * FROM settled WHERE target = 'queued') s",
        "requeue",
        MessageStatus.SENDING,
        sets=", tries = m.tries + (s.state = 'rejected')::int",
    )
    refused = move(
        "refused",
        CampaignLeadMessage,
        "(SELECT * FROM settled WHERE target = 'failed') s",
        "fail",
        MessageStatus.SENDING,
        sets=", error_code = s.code",
    )
    unwanted = ", ".join(f"'{code}'" for code, meaning in MEANINGS.items() if meaning.effect in {"opt_out", "suppress"})
    return NUMBERED + accepted + SPOKEN + again + refused + UNWANTED.format(codes=unwanted)


# The message's id is drawn first, so that the row and the message can point at each other in one statement. What it is
# drawn from is looked up once, not for each row.
NUMBERED = """, said AS (
    SELECT s.*, nextval((SELECT pg_get_serial_sequence('campaigns_message', 'id')::regclass)) AS message_id
    FROM settled s WHERE s.target = 'sent'
)"""
SPOKEN = """, spoken AS (
    INSERT INTO campaigns_message (id, account_id, conversation_user_id, direction, body, content, provider_id)
    SELECT message_id, account_id, conversation_user_id, 'outbound', coalesce(body, ''), '{}', provider_id FROM taken
    ON CONFLICT DO NOTHING
)"""
UNWANTED = """, unwanted AS (
    INSERT INTO crm_suppression (account_id, channel, address_hash, reason, source)
    SELECT m.account_id, 'whatsapp', m.address_hash, 'provider_' || s.code, 'twilio'
    FROM settled s JOIN campaigns_campaignleadmessage m ON m.id = s.row_id WHERE s.code IN ({codes})
    ON CONFLICT DO NOTHING
)"""
