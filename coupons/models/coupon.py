"""Coupons, whom they were handed to, and the ledger of their uses. Money is in minor units."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, Upper

from accounts.roles import Permission
from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from coupons.models.campaign import DiscountType
from lifecycle.guard import guarded
from lifecycle.transition import Lifecycle, LifecycleQuerySet, StatusField, transition

LONGEST_CODE = 64


class CouponStatus(models.TextChoices):
    ACTIVE = "active"
    INACTIVE = "inactive"
    VOID = "void"


class CouponQuerySet(LifecycleQuerySet["Coupon"], AccountQuerySet["Coupon"]):  # type: ignore[override]  # each makes its own manager
    def coded(self, code: str) -> CouponQuerySet:
        """Those with this code, in any case."""
        return self.annotate(upper_code=Upper("code")).filter(upper_code=Upper(models.Value(code)))

    def coded_like(self, begin: str) -> CouponQuerySet:
        """Those whose code begins like this, in any case."""
        return self.annotate(upper_code=Upper("code")).filter(upper_code__startswith=begin.upper())


@guarded(born=[CouponStatus.ACTIVE])
class Coupon(Lifecycle, Owned):
    """One code. Window and discount are copies of its campaign's; `used_count` is the sum of its ledger."""

    # Made by the million: the campaign's key says that there is such an account, and other indexes begin with these.
    account = models.ForeignKey(
        "accounts.Account", on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    campaign = owned("coupons.CouponCampaign", related_name="coupons", db_index=False)
    # As it was written; looked up in any case.
    code = models.CharField(max_length=LONGEST_CODE)
    status = StatusField(choices=CouponStatus, default=CouponStatus.ACTIVE)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    # 1 for single use; the campaign's own limit when there is none.
    max_count = models.IntegerField(null=True, blank=True)
    used_count = models.IntegerField(default=0, db_default=0, editable=False)
    min_cart_value = models.BigIntegerField(null=True, blank=True)
    discount_type = models.CharField(max_length=20, choices=DiscountType, null=True, blank=True)
    discount_value = models.BigIntegerField(null=True, blank=True)
    product_id = models.CharField(max_length=120, null=True, blank=True)
    variant_id = models.CharField(max_length=120, null=True, blank=True)
    notes = models.CharField(max_length=500, null=True, blank=True)
    extradata = models.JSONField(null=True, blank=True)
    # Whom a pool handed it to: a customer's public id, or the keyed hash of who else it is.
    holder = models.CharField(max_length=64, null=True, blank=True, editable=False)
    handed_at = models.DateTimeField(null=True, blank=True, editable=False)
    # What it was handed out for, such as one broadcast: only that one gives it back.
    handed_for = models.CharField(max_length=64, null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = CouponQuerySet.as_manager()

    class Meta:
        constraints = [
            parent_key("coupon"),
            SameAccount("campaign", name="coupon_campaign"),
            models.UniqueConstraint(F("account"), Upper("code"), name="coupon_code_once"),
            models.UniqueConstraint(
                fields=["campaign", "holder"], condition=Q(holder__isnull=False), name="one_coupon_a_holder"
            ),
            models.CheckConstraint(
                name="a_coupon_is_never_oversold",
                condition=Q(used_count__gte=0) & (Q(max_count=None) | Q(used_count__lte=F("max_count"))),
            ),
        ]
        indexes = [
            models.Index(fields=["campaign", "id"], name="coupon_of_campaign"),
            models.Index(
                fields=["campaign", "id"],
                condition=Q(holder=None, used_count=0, status="active"),
                name="coupon_pool",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @transition([CouponStatus.ACTIVE], CouponStatus.INACTIVE, asks=Permission.MONEY)
    def deactivate(self) -> None:
        """It counts no more, for now."""

    @transition([CouponStatus.INACTIVE], CouponStatus.ACTIVE, asks=Permission.MONEY)
    def activate(self) -> None:
        """It counts again."""

    @transition([CouponStatus.ACTIVE, CouponStatus.INACTIVE], CouponStatus.VOID, asks=Permission.MONEY)
    def void(self) -> None:
        """It never counts again: lost, leaked, or given by mistake."""


class CouponShare(Owned):
    """How often one person uses a campaign's coupons, under the limit that held when they last did."""

    # As of coupons: the campaign's key says that there is such an account, and other indexes begin with these.
    account = models.ForeignKey(
        "accounts.Account", on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    campaign = owned("coupons.CouponCampaign", related_name="shares", db_index=False)
    person = models.CharField(max_length=64)
    used = models.IntegerField(default=0)
    most = models.IntegerField(null=True)

    objects = AccountQuerySet["CouponShare"].as_manager()

    class Meta:
        constraints = [
            SameAccount("campaign", name="coupon_share_campaign"),
            models.UniqueConstraint(fields=["campaign", "person"], name="coupon_share_once"),
            models.CheckConstraint(
                name="coupon_share_is_never_exceeded",
                condition=Q(used__gte=0) & (Q(most=None) | Q(used__lte=F("most"))),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} {self.used}"


class CouponUseQuerySet(AccountQuerySet["CouponUse"]):
    def uses(self, *, status: str = "", order: str = "", code: str = "") -> CouponUseQuerySet:
        """The uses themselves, without the lines that give back; those of one status, order or code where one is told.

        The code is read in any case.
        """
        found = self.filter(_IN_STATE[status], quantity=1).select_related("coupon")
        if order:
            found = found.filter(order_id=order)
        return found.filter(coupon__in=Coupon.objects.coded(code)) if code else found


_IN_STATE = {
    "": Q(),
    "reserved": Q(redeemed_at=None, ended_at=None),
    "redeemed": Q(redeemed_at__isnull=False, ended_at=None),
    "given_back": Q(ended_at__isnull=False),
}


class CouponUse(Owned):
    """One line of the ledger: +1 for a use (held or redeemed), -1 for giving it back, 0 for giving back a part.

    The sum of `quantity` is what a coupon counts as used, the sum of `discount` what its campaign has spent.
    """

    class Status(models.TextChoices):
        """What became of a use; read from its times."""

        RESERVED = "reserved"
        REDEEMED = "redeemed"
        GIVEN_BACK = "given_back"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(
        "accounts.Account", on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    campaign = owned("coupons.CouponCampaign", related_name="uses", db_index=False)
    coupon = owned("coupons.Coupon", related_name="uses", db_index=False)
    order_id = models.CharField(max_length=120)
    person = models.CharField(max_length=64)
    quantity = models.SmallIntegerField(default=1)
    cart_value = models.BigIntegerField()
    # Below zero on lines that give back.
    discount = models.BigIntegerField()
    # Of a use: how much of its discount parts have given back.
    returned = models.BigIntegerField(default=0, db_default=0)
    currency = models.CharField(max_length=3)
    # The lines of the cart with the share of each, where the caller told them.
    lines = models.JSONField(null=True)
    held_until = models.DateTimeField(null=True)
    redeemed_at = models.DateTimeField(null=True)
    # Set when a line of -1 gives this one back.
    ended_at = models.DateTimeField(null=True)
    reversal_of = models.ForeignKey(
        "self", null=True, on_delete=models.CASCADE, related_name="reversals", db_constraint=False, db_index=False
    )
    reason = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(db_default=Now(), editable=False)

    objects = CouponUseQuerySet.as_manager()

    class Meta:
        constraints = [
            parent_key("coupon_use"),
            SameAccount("campaign", name="coupon_use_campaign"),
            SameAccount("coupon", name="coupon_use_coupon"),
            SameAccount("reversal_of", name="coupon_use_reversal"),
            models.UniqueConstraint(
                fields=["coupon", "order_id"],
                condition=Q(quantity=1, ended_at=None),
                name="coupon_use_once_per_order",
            ),
            models.UniqueConstraint(
                fields=["reversal_of"], condition=Q(quantity=-1), name="coupon_use_is_given_back_once"
            ),
            models.CheckConstraint(
                name="coupon_use_is_taken_or_given_back",
                condition=Q(quantity=1, reversal_of=None, discount__gte=0)
                | Q(quantity__in=[-1, 0], reversal_of__isnull=False, discount__lte=0),
            ),
            models.CheckConstraint(
                name="coupon_use_returns_no_more_than_it_gave",
                condition=Q(returned__gte=0) & (Q(returned=0) | Q(returned__lte=F("discount"))),
            ),
        ]
        indexes = [
            models.Index(fields=["campaign", "-at", "-id"], name="coupon_use_newest"),
            models.Index(fields=["coupon", "-at"], name="coupon_use_of_coupon"),
            models.Index(fields=["account", "order_id"], name="coupon_use_of_order"),
            models.Index(fields=["reversal_of"], condition=Q(reversal_of__isnull=False), name="coupon_use_reversals"),
            models.Index(
                fields=["held_until"],
                condition=Q(redeemed_at=None, ended_at=None, quantity=1),
                name="coupon_use_held",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.order_id})"

    @property
    def state(self) -> Status:
        if self.ended_at is not None or self.quantity < 1:
            return self.Status.GIVEN_BACK
        return self.Status.RESERVED if self.redeemed_at is None else self.Status.REDEEMED
