"""People, what they allowed, and the one stream of what happened."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Lower, Now

from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from campaigns_project.models import new_public_id


class Channel(models.TextChoices):
    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    WHATSAPP = "whatsapp"
    MAIL = "mail"


class LoyaltyTier(models.TextChoices):
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    PLATINUM = "platinum"


def new_customer_id() -> str:
    return new_public_id("cust_")


def new_event_id() -> str:
    return new_public_id("evt_")


class CustomerQuerySet(AccountQuerySet["Customer"]):
    def known(self) -> CustomerQuerySet:
        """Without those who were erased."""
        return self.filter(erased_at=None)


class Customer(Owned):
    """A person an account knows. The phone is E.164, the e-mail address as given (unique in any case).

    What they spent is in the account's currency, in minor units, and moves with order events only (`crm.events`).
    An erased person's row stays without anything personal, so that what was counted stays counted.
    """

    # Moved by events, not by people: no new version of what somebody edits.
    unversioned: ClassVar = ("total_spent_minor", "order_count", "last_order_at", "updated_at")

    public_id = models.CharField(max_length=40, default=new_customer_id, editable=False)
    external_id = models.CharField(max_length=120, blank=True)
    email = models.EmailField(max_length=254, blank=True)
    phone = models.CharField(max_length=20, blank=True)
    first_name = models.CharField(max_length=200, blank=True)
    last_name = models.CharField(max_length=200, blank=True)
    country = models.CharField(max_length=2, blank=True)
    language = models.CharField(max_length=10, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    loyalty_tier = models.CharField(max_length=20, blank=True, choices=LoyaltyTier)
    tags = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    total_spent_minor = models.BigIntegerField(default=0, db_default=0, editable=False)
    order_count = models.IntegerField(default=0, db_default=0, editable=False)
    last_order_at = models.DateTimeField(null=True, blank=True, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = CustomerQuerySet.as_manager()

    class Meta:
        constraints = [
            parent_key("customer"),
            models.UniqueConstraint(fields=["account", "public_id"], name="customer_public_id"),
            models.UniqueConstraint(
                "account", Lower("email"), condition=~models.Q(email=""), name="customer_email_once"
            ),
            models.UniqueConstraint(
                fields=["account", "phone"], condition=~models.Q(phone=""), name="customer_phone_once"
            ),
            models.UniqueConstraint(
                fields=["account", "external_id"],
                condition=~models.Q(external_id=""),
                name="customer_external_id_once",
            ),
        ]
        indexes = [GinIndex(fields=["tags"], name="customer_tags")]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or self.email or self.phone or self.public_id


class ConsentEntry(Owned):
    """One line of the consent ledger: never changed, never deleted; erasure only blanks the proof."""

    class Act(models.TextChoices):
        GRANTED = "granted"
        WITHDRAWN = "withdrawn"

    customer = owned("crm.Customer", null=True, blank=True, related_name="consent_entries")
    channel = models.CharField(max_length=20, choices=Channel)
    purpose = models.CharField(max_length=30, default="marketing")
    act = models.CharField(max_length=20, choices=Act)
    address_hash = models.CharField(max_length=64)
    source = models.CharField(max_length=60)
    proof = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["ConsentEntry"].as_manager()

    class Meta:
        verbose_name_plural = "consent entries"
        constraints = [
            SameAccount("customer", name="consent_entry_customer"),
            models.CheckConstraint(
                name="consent_is_granted_or_withdrawn", condition=models.Q(act__in=["granted", "withdrawn"])
            ),
        ]
        indexes = [models.Index(fields=["account", "address_hash", "-id"], name="consent_of_address")]

    def __str__(self) -> str:
        return f"{self.channel} {self.act}"


class Suppression(Owned):
    """An address nothing may be sent to. Only a keyed hash is kept, so that it survives erasure."""

    channel = models.CharField(max_length=20, choices=Channel)
    address_hash = models.CharField(max_length=64)
    reason = models.CharField(max_length=40)
    source = models.CharField(max_length=60, blank=True)
    at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["Suppression"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "channel", "address_hash"], name="suppression_once"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.reason}"


class Event(Owned):
    """One thing that happened to a person: what timelines, funnels and attribution read."""

    public_id = models.CharField(max_length=40, default=new_event_id, editable=False)
    event_id = models.CharField(max_length=120)
    type = models.CharField(max_length=60)
    customer = owned("crm.Customer", null=True, blank=True, on_delete=models.CASCADE, related_name="events")
    email = models.EmailField(max_length=254, blank=True)
    phone = models.CharField(max_length=20, blank=True)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now(), editable=False)
    value_minor = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    properties = models.JSONField(default=dict, blank=True)

    objects = AccountQuerySet["Event"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "event_id"], name="event_once"),
            SameAccount("customer", name="event_customer"),
        ]
        indexes = [
            models.Index(fields=["account", "customer", "-occurred_at"], name="event_of_customer"),
            models.Index(fields=["account", "phone", "-occurred_at"], name="event_of_phone"),
            # What came before its person: found when they become known.
            models.Index(
                "account",
                Lower("email"),
                condition=models.Q(customer=None) & ~models.Q(email=""),
                name="event_unclaimed",
            ),
            # Orders are few among events, and every campaign asks for them.
            models.Index(
                fields=["account", "occurred_at"], condition=models.Q(type="order.completed"), name="event_orders"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
