"""SMS that people write to us: written down once, and STOP and START obeyed before the webhook is acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q

from crm import events
from crm.customers import consent
from crm.models import Channel, Customer, Event
from dispatch.models import InboxEntry
from providers.twilio import opt_word

if TYPE_CHECKING:
    from accounts.models import Account
    from providers.twilio import Inbound

RECEIVED = "sms.received"
_ID = "sms:in:"


def receive(account: Account, inbound: Inbound) -> bool:
    """Take in one SMS. True when it is new; a repeated one changes nothing."""
    customer = Customer.objects.for_account(account).filter(phone=inbound.sender).first()
    said = events.Happened(
        event_id=f"{_ID}{inbound.message_sid}",
        type=RECEIVED,
        customer_id=customer.pk if customer else None,
        phone=inbound.sender,
        properties={"body": inbound.body[:1600]},
    )
    with transaction.atomic():
        is_new = events.store(account, [said]) == 1
        word = inbound.opt_out_type.lower() or opt_word(inbound.body) or ""
        act = {"stop": consent.withdraw, "start": consent.grant}.get(word)
        if is_new and act is not None:
            proof = {"message_sid": inbound.message_sid, "body": inbound.body[:200]}
            act(account, channel=Channel.SMS, address=inbound.sender, source="inbound", proof=proof, customer=customer)
    return is_new


def forget(customer: Customer) -> None:
    """The webhooks of what they wrote, as they came. Call it before their events are blanked."""
    theirs = Q(customer=customer) | Q(phone=customer.phone) if customer.phone else Q(customer=customer)
    said = Event.objects.for_account(customer.account_id).filter(theirs, type=RECEIVED)
    sids = [each.removeprefix(_ID) for each in said.values_list("event_id", flat=True)]
    entries = InboxEntry.objects.filter(account=customer.account_id, provider="twilio", dedupe_key__in=sids)
    entries.update(body=b"", headers={})
