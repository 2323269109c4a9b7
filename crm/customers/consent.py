"""Consent and suppression for every channel: asked when planning and again right before each call.

The ledger (`ConsentEntry`) says who allowed or withdrew what, when and by which proof. A suppression is its short
answer for one address: while it stands nothing is sent there. It keeps a keyed hash only, so it outlives erasure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from campaigns_project.refusals import Forbidden, Invalid
from crm.models import Channel, ConsentEntry, Customer, Suppression, addressing
from crm.webhooks_out import outgoing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from accounts.models import Account

MARKETING = "marketing"
# The customer's column that holds the hash of a channel's address.
HASH_OF = {
    Channel.EMAIL: "email_hash",
    **dict.fromkeys((Channel.SMS, Channel.WHATSAPP), "phone_hash"),
    **dict.fromkeys((Channel.PUSH, Channel.MAIL), "own_hash"),
}
address_hash = addressing.address_hash
# A customer's row does not see a first grant that is being written in the same moment, nor that grant the row.
_FIRST_GRANTS = """
    SELECT crm_ledger_said(account_id, channel, address_hash) FROM (
        SELECT DISTINCT account_id, channel, address_hash FROM crm_consententry
        WHERE customer_id IS NULL AND purpose = 'marketing' AND act = 'granted'
            AND at > clock_timestamp() - interval '10 minutes'
    ) AS fresh ORDER BY account_id, address_hash"""


def phone_hash(account_id: int, phone: str) -> str:
    """The hash of a phone number (E.164), as `ConversationUser.address_hash` keeps it."""
    return address_hash(account_id, Channel.WHATSAPP, phone)


def address_of(customer: Customer, channel: str) -> str:
    """Where the customer is reached on a channel, "" for nowhere.

    For push and mail, where there is no one address, the ledger knows them by our own id.
    """
    if channel == Channel.EMAIL:
        return customer.email
    return customer.phone if channel in (Channel.SMS, Channel.WHATSAPP) else customer.public_id


def hashes_of(customer: Customer) -> dict[str, str]:
    """By channel, how the ledger knows the customer's address; only where they have one."""
    return {
        channel: address_hash(customer.account_id, channel, address)
        for channel in Channel.values
        if (address := address_of(customer, channel))
    }


def let_in_first_grants() -> None:
    """Let those into their opt-in columns who were first written in the moment of their first grant."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_GRANTS)


def standing(account_id: int, customers: Iterable[Customer]) -> dict[int, dict[str, dict[str, Any]]]:
    """By customer and channel: `{"marketing": "granted" | "withdrawn" | "none", "suppressed": bool}`; two queries."""
    hashed = {customer.pk: hashes_of(customer) for customer in customers}
    where = {"account": account_id, "address_hash__in": {each for those in hashed.values() for each in those.values()}}
    entries = ConsentEntry.objects.filter(**where, purpose=MARKETING).order_by("channel", "address_hash", "-id")
    said = {
        (channel, address): act
        for channel, address, act in entries.distinct("channel", "address_hash").values_list(
            "channel", "address_hash", "act"
        )
    }
    silent = set(Suppression.objects.filter(**where).values_list("channel", "address_hash"))
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for pk, hashes in hashed.items():
        keys = {channel: (channel, hashes.get(channel, "")) for channel in Channel.values}
        found[pk] = {
            channel: {"marketing": said.get(key, "none"), "suppressed": key in silent} for channel, key in keys.items()
        }
    return found


def withdraw(
    account: Account,
    *,
    channel: str,
    address: str,
    source: str,
    proof: dict[str, Any] | None = None,
    customer: Customer | None = None,
    purpose: str = MARKETING,
) -> None:
    """Nothing is sent to this address on this channel any more, from the commit on.

    Another purpose than marketing is written down only.
    """
    hashed = address_hash(account.pk, channel, address)
    with transaction.atomic():
        _enter(account, ConsentEntry.Act.WITHDRAWN, channel, hashed, source, proof, customer, purpose)
        if purpose == MARKETING:
            Suppression.objects.get_or_create(
                account=account,
                channel=channel,
                address_hash=hashed,
                defaults={"reason": "opted_out", "source": source},
            )


def grant(
    account: Account,
    *,
    channel: str,
    address: str,
    source: str,
    proof: dict[str, Any] | None = None,
    customer: Customer | None = None,
    purpose: str = MARKETING,
) -> None:
    """The person allows messages on this channel (again)."""
    hashed = address_hash(account.pk, channel, address)
    with transaction.atomic():
        _enter(account, ConsentEntry.Act.GRANTED, channel, hashed, source, proof, customer, purpose)
        if purpose == MARKETING:
            Suppression.objects.for_account(account).filter(channel=channel, address_hash=hashed).delete()


def settle(customer: Customer, *, granted: bool, may_lift: bool, **said: Any) -> None:
    """Write down what a customer says of a channel (`channel, purpose, source, proof`); what stands already is not
    written again. Call it under the row's lock.

    Raises Invalid where they have no address, Forbidden when a suppression would be lifted and `may_lift` is false.
    """
    channel, purpose = said["channel"], said["purpose"]
    address = address_of(customer, channel)
    if not address:
        raise Invalid(details={"channel": ["This customer has no address on this channel."]})
    hashed = address_hash(customer.account_id, channel, address)
    rows = ConsentEntry.objects.for_account(customer.account_id).filter(address_hash=hashed, channel=channel)
    last = rows.filter(purpose=purpose).order_by("-id").values_list("act", flat=True).first()
    act = ConsentEntry.Act.GRANTED if granted else ConsentEntry.Act.WITHDRAWN
    silent = is_suppressed(customer.account, channel=channel, address=address)
    gated = purpose == MARKETING
    if last == act and not (gated and silent == granted):
        return
    if gated and granted and silent and not may_lift:
        raise Forbidden("Your role may not take somebody off the list of those who opted out.")
    (grant if granted else withdraw)(customer.account, address=address, customer=customer, **said)


def lift(suppression: Suppression, *, source: str, proof: dict[str, Any]) -> None:
    """Messages may go to this address again, of which only the hash is known; `proof` says who says so and why."""
    account, channel, hashed = suppression.account, suppression.channel, suppression.address_hash
    with transaction.atomic():
        _enter(account, ConsentEntry.Act.GRANTED, channel, hashed, source, proof, None)
        Suppression.objects.for_account(account).filter(channel=channel, address_hash=hashed).delete()


def is_suppressed(account: Account, *, channel: str, address: str) -> bool:
    hashed = address_hash(account.pk, channel, address)
    return Suppression.objects.for_account(account).filter(channel=channel, address_hash=hashed).exists()


def suppressed_sql(account: str, hashed: str, channel: str) -> str:
    """SQL boolean for gates: is this address suppressed? `account` and `hashed` are SQL expressions, never input."""
    return suppressed_on_sql(account, hashed, f"'{Channel(channel).value}'")


def suppressed_on_sql(account: str, hashed: str, channel: str) -> str:
    """As `suppressed_sql`, for a channel that is an SQL expression too."""
    return (
        f"EXISTS (SELECT FROM crm_suppression suppressed WHERE suppressed.account_id = {account} "
        f"AND suppressed.channel = {channel} AND suppressed.address_hash = {hashed})"
    )


def _enter(
    account: Account,
    act: str,
    channel: str,
    hashed: str,
    source: str,
    proof: dict[str, Any] | None,
    customer: Customer | None,
    purpose: str = MARKETING,
) -> None:
    ConsentEntry.objects.create(
        account=account,
        customer=customer,
        channel=channel,
        purpose=purpose,
        act=act,
        address_hash=hashed,
        source=source,
        proof=proof or {},
    )

    def told() -> dict[str, Any]:
        hashes = Customer.objects.for_account(account).filter(**{HASH_OF[Channel(channel)]: hashed})
        who = customer.public_id if customer else hashes.values_list("public_id", flat=True).first()
        return {"customer_id": who, "channel": channel, "purpose": purpose, "source": source}

    outgoing.tell(account, f"consent.{ConsentEntry.Act(act).value}", told)
