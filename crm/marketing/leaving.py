"""The way out: one click stops all marketing at once, and a page lets each person choose by channel and purpose.

A message's signed link is the proof of who asks. What they say stands in the ledger with the message, the moment and
how it was said, and holds for every call that has not started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models.functions import Coalesce, Now

from crm import events
from crm.customers import consent
from crm.models import Channel, ConsentEntry, Customer, Delivery

if TYPE_CHECKING:
    from collections.abc import Collection

ONE_CLICK, BUTTON, CHOICES = "one-click", "button", "choices"
SOURCE = "unsubscribe link"
# As people call them.
NAMES = {Channel.EMAIL: "E-mail", Channel.SMS: "SMS", Channel.PUSH: "Notifications", Channel.WHATSAPP: "WhatsApp",
         Channel.MAIL: "Post"}  # fmt: skip
Choice = tuple[str, str]


def choices(delivery: Delivery) -> dict[Choice, bool]:
    """By channel and purpose, whether the person allows it now; only channels on which they have an address."""
    person = delivery.customer
    hashes = consent.hashes_of(person)
    standing = consent.standing(person.account_id, [person])[person.pk]
    found = {
        (channel, consent.MARKETING): standing[channel]["marketing"] == "granted"
        and not standing[channel]["suppressed"]
        for channel in hashes
    }
    said = ConsentEntry.objects.for_account(person.account_id).filter(address_hash__in=hashes.values())
    for channel, purpose, act in said.order_by("pk").values_list("channel", "purpose", "act"):
        if purpose != consent.MARKETING:
            found[channel, purpose] = act == ConsentEntry.Act.GRANTED
    return found


def stop(delivery: Delivery, *, how: str) -> None:
    """No marketing to this person any more, on any channel. Saying so again changes nothing."""
    kept = {choice for choice, allowed in choices(delivery).items() if allowed and choice[1] != consent.MARKETING}
    choose(delivery, kept, how=how)


def choose(delivery: Delivery, allowed: Collection[Choice], *, how: str) -> None:
    """The person allows exactly these, of what `choices` lists, and nothing else."""
    with transaction.atomic():
        people = Customer.objects.select_for_update(no_key=True, of=("self",)).select_related("account")
        person = delivery.customer = people.get(pk=delivery.customer_id)
        proof = {"campaign_id": delivery.campaign.public_id, "delivery_id": delivery.pk, "how": how}
        said: dict[str, Any] = {"source": SOURCE, "proof": proof}
        for (channel, purpose), stands in choices(delivery).items():
            granted = (channel, purpose) in allowed
            if granted or stands or purpose == consent.MARKETING:
                consent.settle(person, granted=granted, may_lift=True, channel=channel, purpose=purpose, **said)
        if (delivery.channel, consent.MARKETING) not in allowed:
            _leave(delivery, said)


def _leave(delivery: Delivery, said: dict[str, Any]) -> None:
    """The address the message went to is left alone, also where the person has another one by now."""
    here: dict[str, Any] = {"channel": delivery.channel, "address": delivery.address}
    if not consent.is_suppressed(delivery.account, **here):
        consent.withdraw(delivery.account, customer=delivery.customer, **here, **said)
    Delivery.objects.filter(pk=delivery.pk).update(unsubscribed_at=Coalesce("unsubscribed_at", Now()))
    events.record(
        delivery.account,
        type=f"{delivery.channel}.unsubscribed",
        event_id=f"unsubscribe:{delivery.pk}",
        customer_id=delivery.customer_id,
        properties={"campaign_id": delivery.campaign.public_id, "delivery_id": delivery.pk},
    )
