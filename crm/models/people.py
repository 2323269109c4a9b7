"""People, what they allowed, and the one stream of what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, HashIndex, OpClass
from django.db import models
from django.db.models.functions import Lower, Now

from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from campaigns_project.models import new_public_id
from crm.models.addressing import Channel, address_hashes

if TYPE_CHECKING:
    from collections.abc import Iterable


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

    def by_lower_email(self) -> CustomerQuerySet:
        """With the e-mail address as `low`, as the index has it."""
        return self.exclude(email="").annotate(low=Lower("email"))


OPT_INS = ("email_opt_in", "sms_opt_in", "push_opt_in", "whatsapp_opt_in")


class Customer(Owned):
    """A person an account knows. The phone is E.164, the e-mail address as given (unique in any case).

    What they spent is in the account's currency, in minor units, and moves with order events only (`crm.events`).
    An erased person's row stays without anything personal, so that what was counted stays counted.

    `…_opt_in` is what the ledger of consent says of the address: its last marketing word is `granted`, and no
    suppression stands. PostgreSQL keeps these columns and `updated_at` itself, whoever writes customers or the ledger
    (migration 0006), so that segments need no join. `…_hash` is how the ledger knows the addresses.
    """

    HASHES: ClassVar = ("email_hash", "phone_hash", "own_hash")
    # Moved by events and by the ledger, not by people: no new version of what somebody edits.
    unversioned: ClassVar = (
        *("total_spent_minor", "order_count", "last_order_at", "updated_at"),
        *OPT_INS,
        *HASHES,
    )

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
    email_opt_in = models.BooleanField(default=False, db_default=False, editable=False)
    sms_opt_in = models.BooleanField(default=False, db_default=False, editable=False)
    push_opt_in = models.BooleanField(default=False, db_default=False, editable=False)
    whatsapp_opt_in = models.BooleanField(default=False, db_default=False, editable=False)
    email_hash = models.CharField(max_length=64, blank=True, editable=False)
    phone_hash = models.CharField(max_length=64, blank=True, editable=False)
    # Of our own id: on channels without an address of their own.
    own_hash = models.CharField(max_length=64, blank=True, editable=False)
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
            models.CheckConstraint(
                name="customer_addresses_are_hashed",
                condition=~(models.Q(email="") ^ models.Q(email_hash=""))
                & ~(models.Q(phone="") ^ models.Q(phone_hash=""))
                & (models.Q(erased_at__isnull=False) | ~models.Q(own_hash="")),
            ),
        ]
        indexes = [
            GinIndex(fields=["tags"], name="customer_tags"),
            # How a name begins (`crm.customers.people.beginning`); addresses and ids have indexes of their own.
            *(
                models.Index(
                    "account",
                    OpClass(Lower(column), name="text_pattern_ops"),
                    condition=~models.Q(**{column: ""}),
                    name=f"customer_by_{column}",
                )
                for column in ("first_name", "last_name")
            ),
            # Whatever a segment may ask of but tags and attributes: it is counted without the rows.
            models.Index(
                "account",
                "loyalty_tier",
                "total_spent_minor",
                include=["id", "order_count", "last_order_at", "created_at", "country", "language", *OPT_INS],
                condition=models.Q(erased_at=None),
                name="customer_of_segments",
            ),
            # What a refresh looks at: who was written, and whose time has come.
            models.Index(fields=["account", "updated_at"], name="customer_changed"),
            models.Index(fields=["account", "last_order_at"], name="customer_last_order"),
            models.Index(fields=["account", "created_at"], name="customer_since"),
            *(
                HashIndex(fields=[column], name=f"customer_by_{column}", condition=~models.Q(**{column: ""}))
                for column in ("email_hash", "phone_hash", "own_hash")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or self.email or self.phone or self.public_id

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        hashes = {} if self.erased_at else address_hashes(self.account_id, self.public_id, self.email, self.phone)
        for name, value in hashes.items():
            setattr(self, name, value)
        if update_fields is not None:
            update_fields = {*update_fields, *hashes}
        super().save(*args, update_fields=update_fields, **options)


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
        indexes = [
            models.Index(fields=["account", "address_hash", "-id"], name="consent_of_address"),
            models.Index(
                fields=["at"],
                condition=models.Q(customer=None, purpose="marketing", act="granted"),
                name="consent_of_nobody_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.act}"


class Suppression(Owned):
    """An address nothing may be sent to. Only a keyed hash is kept, so that it survives erasure."""

    # No index of its own: with one, gates that were planned while there were few would read all of the account.
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+", db_index=False)
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
