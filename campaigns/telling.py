"""What WhatsApp holds of a person, for the file that is theirs (`crm.customers.exporting`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Q

from campaigns.models import CampaignLead, CampaignLeadMessage, Click, ConversationUser, Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet

    from crm.models import Customer

_SENT = ("id", "campaign_name", "phone", "context", "status", "status_at", "created_at")


def told(customer: Customer) -> Iterator[dict[str, Any]]:
    """Each number of theirs with the messages both ways, the lists it is on, and the links they followed."""
    known = Q(customer=customer) | (Q(phone=customer.phone) if customer.phone else Q(pk=None))
    for person in ConversationUser.objects.for_account(customer.account_id).filter(known).order_by("pk"):
        sent = CampaignLeadMessage.objects.filter(conversation_user=person, account=person.account_id)
        yield {
            "phone": person.phone,
            "name": person.name,
            "messages": _rows(
                Message.objects.filter(conversation_user=person), "direction", "body", "content", "created_at"
            ),
            "lists": _rows(CampaignLead.objects.filter(conversation_user=person), "active", "custom_variables"),
            "broadcasts": _rows(sent, *_SENT),
            "clicks": _rows(Click.objects.filter(message__in=sent), "url", "user_agent", "at"),
        }


def _rows(rows: QuerySet[Any], *names: str) -> list[dict[str, Any]]:
    return list(rows.order_by("pk").values(*names))
