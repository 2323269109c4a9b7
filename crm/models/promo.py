"""Promo codes, and the ledger of their uses. Money is in minor units of the account's currency."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from campaigns_project import currencies
from campaigns_project.models import new_public_id

ALL_ITEMS = "all_items"
# A percentage is kept in hundredths.
HUNDREDTHS = 100
BIGGEST_COUNT = 2**31 - 1


def new_promo_id() -> str:
    return new_public_id("promo_")


def new_use_id() -> str:
    return new_public_id("red_")


def all_items() -> dict[str, Any]:
    return {ALL_ITEMS: True}


class PromoStatus(models.TextChoices):
    """What the outside calls `enabled`."""

    ACTIVE = "active"
    DISABLED = "disabled"


class PromoType(models.TextChoices):
    PERCENTAGE = "percentage"
    FIXED_AMOUNT = "fixed_amount"
    FREE_SHIPPING = "free_shipping"


class Promo(Owned):
    """A code and what it gives. `used` and `spent` are the sums of its ledger, held uses included."""

    public_id = models.CharField(max_length=40, default=new_promo_id, editable=False)
    code = models.CharField(max_length=32)
    type = models.CharField(max_length=20, choices=PromoType)
    # Hundredths of a percent, or minor units; 0 for free shipping.
    value = models.BigIntegerField(default=0)
    min_order = models.BigIntegerField(default=0)
    max_discount = models.BigIntegerField(null=True, blank=True)
    usage_limit = models.IntegerField(null=True, blank=True)
    per_customer_limit = models.IntegerField(null=True, blank=True)
    budget = models.BigIntegerField(null=True, blank=True)
    valid_from = models.DateTimeField(db_default=Now())
    valid_until = models.DateTimeField(null=True, blank=True)
    # {"all_items": true} or {"items": [sku, …]}.
    applies_to = models.JSONField(default=all_items)
    # Only for who is in it now; everybody when there is none.
    segment = owned("crm.Segment", null=True, blank=True, on_delete=models.PROTECT, related_name="promos")
    enabled = models.BooleanField(default=True)
    used = models.IntegerField(default=0)
    spent = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    # Every redemption moves these; no edit is lost by that.
    unversioned = ("used", "spent")

    objects = AccountQuerySet["Promo"].as_manager()

    class Meta:
        constraints = [
            parent_key("promo"),
            SameAccount("segment", name="promo_segment"),
            models.UniqueConstraint(fields=["account", "public_id"], name="promo_public_id"),
            models.UniqueConstraint(fields=["account", "code"], name="promo_code_once"),
            models.CheckConstraint(
                name="promo_is_never_oversold",
                condition=Q(used__gte=0) & (Q(usage_limit=None) | Q(used__lte=F("usage_limit"))),
            ),
            models.CheckConstraint(
                name="promo_stays_in_budget",
                condition=Q(spent__gte=0) & (Q(budget=None) | Q(spent__lte=F("budget"))),
            ),
            models.CheckConstraint(
                name="promo_has_a_known_type", condition=Q(type__in=["percentage", "fixed_amount", "free_shipping"])
            ),
            models.CheckConstraint(
                name="promo_begins_before_it_ends", condition=Q(valid_until=None) | Q(valid_from__lt=F("valid_until"))
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def status(self) -> PromoStatus:
        return PromoStatus.ACTIVE if self.enabled else PromoStatus.DISABLED

    @property
    def standing(self) -> str:
        """What to show of it now: disabled, expired, exhausted, scheduled or active."""
        now = timezone.now()
        stands = {
            "disabled": not self.enabled,
            "expired": self.valid_until is not None and self.valid_until <= now,
            "exhausted": self.usage_limit is not None and self.used >= self.usage_limit,
            "scheduled": self.valid_from > now,
        }
        return next((word for word, holds in stands.items() if holds), "active")

    @property
    def percent(self) -> str:
        """`20` or `12.5`, for a percentage."""
        return f"{self.value / HUNDREDTHS:.2f}".rstrip("0").rstrip(".")

    @property
    def worth(self) -> int | float:
        """What it gives, as people say it: percent, or major units of the account's currency."""
        if self.type == PromoType.PERCENTAGE:
            return self.value // HUNDREDTHS if self.value % HUNDREDTHS == 0 else self.value / HUNDREDTHS
        return currencies.major(self.value, self.account.currency)

    @property
    def items(self) -> list[str]:
        """The SKUs it is for; none means everything."""
        return list(self.applies_to.get("items", ()))

    @property
    def ships_free(self) -> bool:
        return self.type == PromoType.FREE_SHIPPING


class PromoShare(Owned):
    """How often one person uses a promo, under the limit that held when they last did."""

    promo = owned("crm.Promo", related_name="shares")
    # A customer's public id, or the keyed hash of who else it is.
    person = models.CharField(max_length=64)
    used = models.IntegerField(default=0)
    most = models.IntegerField(null=True)

    objects = AccountQuerySet["PromoShare"].as_manager()

    class Meta:
        constraints = [
            SameAccount("promo", name="promo_share_promo"),
            models.UniqueConstraint(fields=["promo", "person"], name="promo_share_once"),
            models.CheckConstraint(
                name="promo_share_is_never_exceeded",
                condition=Q(used__gte=0) & (Q(most=None) | Q(used__lte=F("most"))),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} {self.used}"


class PromoUse(Owned):
    """One line of a promo's ledger: +1 for a use (held until `held_until`, or redeemed), -1 for giving it back."""

    class Status(models.TextChoices):
        """What became of a use; read from its times."""

        RESERVED = "reserved"
        REDEEMED = "redeemed"
        GIVEN_BACK = "given_back"

    public_id = models.CharField(max_length=40, default=new_use_id, editable=False)
    promo = owned("crm.Promo", related_name="uses")
    order_id = models.CharField(max_length=120)
    person = models.CharField(max_length=64)
    quantity = models.SmallIntegerField(default=1)
    order_amount = models.BigIntegerField()
    discount = models.BigIntegerField()
    held_until = models.DateTimeField(null=True)
    redeemed_at = models.DateTimeField(null=True)
    # Set when a line of -1 gives this one back.
    ended_at = models.DateTimeField(null=True)
    reversal_of = models.OneToOneField(
        "self", null=True, on_delete=models.CASCADE, related_name="reversal", db_constraint=False
    )
    reason = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["PromoUse"].as_manager()

    class Meta:
        constraints = [
            parent_key("promo_use"),
            SameAccount("promo", name="promo_use_promo"),
            SameAccount("reversal_of", name="promo_use_reversal"),
            models.UniqueConstraint(fields=["account", "public_id"], name="promo_use_public_id"),
            models.UniqueConstraint(
                fields=["promo", "order_id"],
                condition=Q(quantity=1, ended_at=None),
                name="promo_use_once_per_order",
            ),
            models.CheckConstraint(
                name="promo_use_is_taken_or_given_back",
                condition=Q(quantity=1, reversal_of=None) | Q(quantity=-1, reversal_of__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["promo", "-id"], name="promo_use_newest"),
            models.Index(
                fields=["held_until"],
                condition=Q(redeemed_at=None, ended_at=None, quantity=1),
                name="promo_use_held",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} ({self.order_id})"

    @property
    def state(self) -> Status:
        if self.ended_at is not None or self.quantity < 0:
            return self.Status.GIVEN_BACK
        return self.Status.RESERVED if self.redeemed_at is None else self.Status.REDEEMED
