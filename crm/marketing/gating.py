"""What must hold right before a marketing message is sent, as SQL for the lanes: `m` is the delivery, `scope` its
campaign. Asked when the audience was planned, and here again in the statement that opens the call.
"""

from __future__ import annotations

from crm.customers import consent
from crm.models import LeftOut, MarketingChannel

# Nobody is written to from nine in the evening to eight in the morning, where they are.
QUIET_FROM, QUIET_UNTIL = 21, 8
# One marketing message a person in so many hours, whatever the channel.
CAP_HOURS = 24

SCOPE = """
crm_marketingcampaign scope
JOIN accounts_account merchant ON merchant.id = scope.account_id
"""
LINK = "JOIN accounts_connection link ON link.account_id = scope.account_id AND link.provider IN ({providers})"
LINK_OPEN = "link.refused_at IS NULL AND link.{sender} <> ''"
SCOPE_OPEN = """
scope.status = 'active' AND merchant.status = 'active' AND (scope.ends_at IS NULL OR scope.ends_at > now())
"""
MARKETING = "scope.type <> 'transactional'"
PERSON = "EXISTS (SELECT FROM crm_customer person WHERE person.id = m.customer_id AND {what})"
HASHES = {MarketingChannel.EMAIL: "email_hash", MarketingChannel.SMS: "phone_hash", MarketingChannel.PUSH: "own_hash"}

LOCAL = "(now() AT TIME ZONE m.time_zone)"
IS_QUIET = f"extract(hour FROM {LOCAL}) >= {QUIET_FROM} OR extract(hour FROM {LOCAL}) < {QUIET_UNTIL}"
# The next eight o'clock, there.
UNTIL_MORNING = f"""
extract(epoch FROM (date_trunc('day', {LOCAL} + interval '{24 - QUIET_FROM} hours') + interval '{QUIET_UNTIL} hours')
    AT TIME ZONE m.time_zone - now())
"""
# The trigger on crm_delivery_attempt asks the same again, so that two senders at one moment cannot both say no. What
# floors above send counts too: they replace the function `crm_reached_elsewhere`.
LAST_REACHED = f"""
(SELECT max(x.called_at) FROM crm_delivery other
 JOIN crm_delivery_attempt x ON x.row_id = other.id
 JOIN crm_marketingcampaign theirs ON theirs.id = other.campaign_id
 WHERE other.customer_id = m.customer_id AND other.id <> m.id AND theirs.type <> 'transactional'
   AND x.state IN ('calling', 'unknown', 'accepted') AND x.called_at > now() - interval '{CAP_HOURS} hours')
"""  # noqa: S608 (no input in it)
ELSEWHERE = """
crm_reached_elsewhere(m.account_id, (SELECT person.phone FROM crm_customer person WHERE person.id = m.customer_id))
"""
PAYLOAD = """
jsonb_build_object('to', m.address, 'campaign', scope.id, 'delivery', m.id, 'tries', m.tries, {more}
    'values', (SELECT jsonb_build_object('first_name', person.first_name, 'last_name', person.last_name,
                                         'coupon_code', m.code)
               FROM crm_customer person WHERE person.id = m.customer_id))
"""


def skips(channel: MarketingChannel) -> dict[str, str]:
    """SQL booleans by reason: the person gets nothing on this channel any more."""
    column = HASHES[channel]
    own = PERSON.format(what=f"person.{column} = m.address_hash")
    agreed = PERSON.format(what=f"person.{channel.value}_opt_in")
    browser = "EXISTS (SELECT FROM crm_pushsubscription browser WHERE browser.customer_id = m.customer_id)"
    return {
        **({LeftOut.NO_ADDRESS: f"NOT {browser}"} if channel == MarketingChannel.PUSH else {}),
        LeftOut.SUPPRESSED: consent.suppressed_sql("m.account_id", "m.address_hash", channel),
        LeftOut.ADDRESS_CHANGED: f"NOT {own}",
        LeftOut.NO_CONSENT: f"{MARKETING} AND NOT {agreed}",
    }


def row_due(channel: MarketingChannel) -> str:
    """SQL boolean: the row waits, and is this channel's."""
    return f"m.status = 'queued' AND {row_own(channel)}"


def row_own(channel: MarketingChannel) -> str:
    """SQL boolean: the row is this channel's."""
    return f"m.channel = '{channel.value}'"


def payload(more: str = "") -> str:
    """SQL: a jsonb of what a call needs; `more` are further keys and values, each with a comma after it."""
    return PAYLOAD.format(more=more)


def reached_sql(hashed: str) -> str:
    """SQL: when the customer whose number has this hash last got marketing within the cap's hours, or null.

    For floors above; `hashed` is an SQL expression, and has the account in it.
    """
    return f"""(
    SELECT max((
        SELECT max((
            SELECT max(x.called_at) FROM crm_delivery_attempt x
            WHERE x.row_id = theirs.id AND x.state IN ('calling', 'unknown', 'accepted')
              AND x.called_at > now() - interval '{CAP_HOURS} hours'
        )) FROM crm_delivery theirs
        WHERE theirs.customer_id = known.id
          AND (SELECT c.type FROM crm_marketingcampaign c WHERE c.id = theirs.campaign_id) <> 'transactional'
    )) FROM crm_customer known WHERE known.phone_hash = {hashed} AND NOT (known.phone_hash = ''))"""  # noqa: S608 (no input in it)


def waits() -> dict[str, str]:
    """SQL boolean → SQL seconds: the person is not written to now, but after so long."""
    last = f"greatest({LAST_REACHED}, {ELSEWHERE})"
    return {
        f"{MARKETING} AND ({IS_QUIET})": UNTIL_MORNING,
        f"{MARKETING} AND {last} IS NOT NULL": f"extract(epoch FROM {last} + interval '{CAP_HOURS} hours' - now())",
    }
