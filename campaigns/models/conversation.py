"""A phone number we talk with, and what was said."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key


class Direction(models.TextChoices):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


# What stands before the row's number in `phone` when the person was erased.
ERASED = "erased "


class ConversationUser(Owned):
    """A phone number (E.164) an account talks with; it may be known as a customer."""

    customer = owned("crm.Customer", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    phone = models.CharField(max_length=20)
    # crm.customers.consent.address_hash(phone): how the suppression ledger knows it.
    address_hash = models.CharField(max_length=64)
    name = models.CharField(max_length=200, blank=True)
    last_inbound_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["ConversationUser"].as_manager()

    class Meta:
        constraints = [
            parent_key("conversation_user"),
            SameAccount("customer", name="conversation_user_customer"),
            models.UniqueConstraint(fields=["account", "phone"], name="conversation_user_phone_once"),
        ]

    def __str__(self) -> str:
        return self.name or self.phone


class Message(Owned):
    """One WhatsApp message in a conversation, either way."""

    # No index: with one a foreign key's check, planned while the table was small, would read all rows of the account.
    # No constraint: `message_conversation_user` makes it the person's account, which is one.
    account = models.ForeignKey(
        "accounts.Account", on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    conversation_user = owned(ConversationUser, related_name="messages", db_index=False)
    direction = models.CharField(max_length=10, choices=Direction)
    body = models.TextField(blank=True)
    content = models.JSONField(default=dict, blank=True)
    provider_id = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["Message"].as_manager()

    class Meta:
        constraints = [
            parent_key("message"),
            SameAccount("conversation_user", name="message_conversation_user"),
            models.UniqueConstraint(
                fields=["account", "provider_id"],
                condition=~models.Q(provider_id=""),
                name="message_provider_id_once",
            ),
        ]
        # Without the account: in an index that has it and the id, a foreign key's check would walk all of the account.
        indexes = [models.Index(fields=["conversation_user", "-id"], name="message_of_conversation")]

    def __str__(self) -> str:
        return self.body[:60]
