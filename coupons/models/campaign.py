"""Coupon campaigns (seed: coupon-campaigns). Money is in minor units."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from enum import nonmember
from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, Upper

from accounts.roles import Permission
from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from lifecycle.guard import guarded
from lifecycle.transition import Lifecycle, LifecycleQuerySet, StatusField, transition

LIGHTNING = timedelta(hours=24)
# Words as they are: no language's endings are taken off.
SEARCHED = SearchVector("name", "prefix", config="simple")


class CouponKind(models.TextChoices):
    SINGLE_USE = "single-use", "Single use"
    GROUP = "group", "Group"
    LIGHTNING = "lightning", "Lightning"


class DiscountType(models.TextChoices):
    PERCENTAGE = "percentage"
    FLAT = "flat"


class CouponCampaignStatus(models.TextChoices):
    DRAFT = "draft"
    ACTIVE = "active"
    INACTIVE = "inactive"
    ARCHIVED = "archived"

    # May become, or is, open to customers.
    OPEN = nonmember(("draft", "active", "inactive"))


class CouponCampaignQuerySet(LifecycleQuerySet["CouponCampaign"], AccountQuerySet["CouponCampaign"]):  # type: ignore[override]  # each makes its own manager
    def over(self) -> CouponCampaignQuerySet:
        """Active, and past its end by the database's clock."""
        return self.filter(status=CouponCampaignStatus.ACTIVE, ends_at__lte=Now())


@guarded(born=[CouponCampaignStatus.DRAFT])
class CouponCampaign(Lifecycle, Owned):
    """A sale: what its coupons give, when, and how often. `used` and `spent` are the sums of its ledger, held included.

    `settings` has the seed's eight keys and no other; what limits it beyond those stands in columns.
    """

    # Every redemption and every slice of new codes moves these; no edit is lost by that.
    unversioned: ClassVar = ("used", "spent", "coupon_count", "low_told_at")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=CouponKind)
    prefix = models.CharField(max_length=20, blank=True)
    status = StatusField(choices=CouponCampaignStatus, default=CouponCampaignStatus.DRAFT)
    settings = models.JSONField(default=dict, blank=True)
    extradata = models.JSONField(null=True, blank=True)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    # How many redemptions of all its coupons together, and how much discount.
    max_count = models.IntegerField(null=True, blank=True)
    per_customer_limit = models.IntegerField(null=True, blank=True)
    budget = models.BigIntegerField(null=True, blank=True)
    # The account's when empty.
    currency = models.CharField(max_length=3, blank=True)
    # Only for who is in it now; everybody when there is none.
    segment = owned("crm.Segment", null=True, blank=True, on_delete=models.PROTECT, related_name="coupon_campaigns")
    used = models.IntegerField(default=0, db_default=0, editable=False)
    spent = models.BigIntegerField(default=0, db_default=0, editable=False)
    coupon_count = models.IntegerField(default=0, db_default=0, editable=False)
    low_told_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = CouponCampaignQuerySet.as_manager()

    class Meta:
        constraints = [
            parent_key("coupon_campaign"),
            SameAccount("segment", name="coupon_campaign_segment"),
            models.UniqueConstraint(
                F("account"), Upper("prefix"), condition=~Q(prefix=""), name="coupon_campaign_prefix_once"
            ),
            models.CheckConstraint(
                name="a_coupon_campaign_has_a_known_kind", condition=Q(kind__in=["single-use", "group", "lightning"])
            ),
            models.CheckConstraint(
                name="a_coupon_campaign_begins_before_it_ends",
                condition=Q(starts_at=None) | Q(ends_at=None) | Q(starts_at__lt=F("ends_at")),
            ),
            models.CheckConstraint(
                name="lightning_is_short",
                condition=~Q(kind="lightning")
                | Q(starts_at=None)
                | Q(ends_at=None)
                | Q(ends_at__lte=F("starts_at") + LIGHTNING),
            ),
            models.CheckConstraint(
                name="an_active_coupon_campaign_is_ready",
                condition=~Q(status="active")
                | Q(starts_at__isnull=False, ends_at__isnull=False, settings__has_key="discount_value"),
            ),
            models.CheckConstraint(
                name="active_lightning_is_capped",
                condition=~Q(status="active", kind="lightning") | Q(max_count__isnull=False),
            ),
            models.CheckConstraint(
                name="a_coupon_campaign_is_never_oversold",
                condition=Q(used__gte=0) & (Q(max_count=None) | Q(used__lte=F("max_count"))),
            ),
            models.CheckConstraint(
                name="a_coupon_campaign_stays_in_budget",
                condition=Q(spent__gte=0) & (Q(budget=None) | Q(spent__lte=F("budget"))),
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-created_at", "-id"], name="coupon_campaign_newest"),
            models.Index(fields=["ends_at"], condition=Q(status="active"), name="coupon_campaign_running"),
            GinIndex(SEARCHED, name="coupon_campaign_words"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def changed_at(self) -> datetime:
        """When it was last written or moved."""
        return max(self.updated_at, self.status_at)

    @transition([CouponCampaignStatus.DRAFT], CouponCampaignStatus.ACTIVE, asks=Permission.SEND)
    def activate(self) -> None:
        """Its coupons count from its start on."""

    @transition([CouponCampaignStatus.ACTIVE], CouponCampaignStatus.INACTIVE, asks=Permission.SEND)
    def deactivate(self) -> None:
        """No coupon counts any more: somebody stopped it, or it has ended."""

    @transition(
        [CouponCampaignStatus.INACTIVE, CouponCampaignStatus.ACTIVE],
        CouponCampaignStatus.ACTIVE,
        sets=["ends_at"],
        asks=Permission.SEND,
    )
    def extend_expiry_and_activate(self) -> None:
        """It ends later, and is open until then."""

    @transition(
        [CouponCampaignStatus.DRAFT, CouponCampaignStatus.INACTIVE],
        CouponCampaignStatus.ARCHIVED,
        asks=Permission.SEND,
    )
    def archive(self) -> None:
        """History. Our extension: the drawing shows no way there."""
