"""What WhatsApp holds of a person, blanked when they are erased (`crm.customers.erasing`): rows stay, to be counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from campaigns.models import (
    CampaignLead,
    CampaignLeadMessage,
    Click,
    ConversationUser,
    Message,
    MessageAttempt,
    MessageStatus,
    SkipReason,
)
from campaigns.models.conversation import ERASED
from campaigns_project.refusals import Conflict
from dispatch.models import InboxEntry

if TYPE_CHECKING:
    from crm.models import Customer


class OnItsWay(Conflict):
    code = "message_on_its_way"
    message = "A message to this person is on its way. Try again when its outcome is known."


def forget(customer: Customer) -> None:
    """Leave the person out of everything to come, and blank everything that was. Raises OnItsWay."""
    known = Q(customer=customer) | (Q(phone=customer.phone) if customer.phone else Q(pk=None))
    people = ConversationUser.objects.for_account(customer.account_id).filter(known)
    for person in people.select_for_update(of=("self",)).order_by("pk"):
        _forget(person)


def _forget(person: ConversationUser) -> None:
    CampaignLead.objects.filter(conversation_user=person).update(active=False, custom_variables={})
    rows = CampaignLeadMessage.objects.filter(account=person.account_id, conversation_user=person)
    # The rows' locks first: a sender that is about to call has either done so, or finds nothing to send.
    list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    rows.queued().transition_all("skip", skip_reason=SkipReason.CANCELLED, reason="erased")
    attempts = MessageAttempt.objects.filter(row__in=rows)
    if rows.filter(status=MessageStatus.SENDING).exists() or attempts.filter(state__in=["calling", "unknown"]).exists():
        raise OnItsWay
    _blank_inbox(person)
    attempts.update(address="", detail="")
    Click.objects.filter(message__in=rows).update(url="", user_agent="")
    rows.update(phone="", context=None)
    Message.objects.filter(conversation_user=person).update(body="", content={})
    # No number can look like this, and it stays unique.
    ConversationUser.objects.filter(pk=person.pk).update(phone=f"{ERASED}{person.pk}", name="")


def _blank_inbox(person: ConversationUser) -> None:
    """Webhooks as they came, found by the provider's ids of the person's messages."""
    rows = CampaignLeadMessage.objects.filter(conversation_user=person).values_list("provider_id", flat=True)
    tried = MessageAttempt.objects.filter(row__conversation_user=person).values_list("provider_id", flat=True)
    said = Message.objects.filter(conversation_user=person).values_list("provider_id", flat=True)
    theirs = Q(kind="inbound", dedupe_key__in=[each for each in said if each])
    for sid in {*rows, *tried} - {""}:
        theirs |= Q(kind="status", dedupe_key__startswith=f"{sid}:")
    entries = InboxEntry.objects.filter(theirs, account=person.account_id, provider="twilio")
    if entries.filter(result=InboxEntry.Result.WAITING).exists():
        raise OnItsWay
    entries.update(body=b"", headers={})
