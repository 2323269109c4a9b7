"""What of a campaign's coupons is in the account's shop at Shopify: one discount, its codes in batches."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from coupons.models.coupon import LONGEST_CODE
from dispatch.models import Attempt, attempt_constraints, attempt_indexes


class ShopifyDiscount(Owned):
    """The discount that a campaign's codes belong to in the shop; without a `shopify_id` it is not there yet."""

    campaign = owned("coupons.CouponCampaign", related_name="shopify_discounts")
    shop = models.CharField(max_length=80)
    shopify_id = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["ShopifyDiscount"].as_manager()

    class Meta:
        constraints = [
            parent_key("shopifydiscount"),
            SameAccount("campaign", name="shopify_discount_campaign"),
            models.UniqueConstraint(fields=["campaign"], name="one_shopify_discount_a_campaign"),
        ]

    def __str__(self) -> str:
        return self.shopify_id or f"discount of {self.campaign_id}"


class ShopifyBatch(Owned):
    """Up to 250 codes that go to the shop in one call; the `first` one makes the discount, with one code."""

    class Status(models.TextChoices):
        # Until the first has made the discount.
        WAITING = "waiting"
        QUEUED = "queued"
        SENDING = "sending"
        # The shop took them, and adds them one by one.
        IMPORTING = "importing"
        DONE = "done"
        FAILED = "failed"

    discount = owned("coupons.ShopifyDiscount", related_name="batches")
    first = models.BooleanField(default=False)
    codes = ArrayField(models.CharField(max_length=LONGEST_CODE))
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    # The shop's id of what adds the codes; none when it is only known that they are there.
    creation_id = models.CharField(max_length=80, blank=True)
    # Why the shop does not take a code, by code.
    refused = models.JSONField(default=dict, blank=True)
    # Why it took none of them.
    message = models.CharField(max_length=300, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["ShopifyBatch"].as_manager()

    class Meta:
        verbose_name_plural = "Shopify batches"
        constraints = [
            parent_key("shopifybatch"),
            SameAccount("discount", name="shopify_batch_discount"),
            models.UniqueConstraint(
                fields=["discount"], condition=Q(first=True) & ~Q(status="failed"), name="one_first_shopify_batch"
            ),
            models.CheckConstraint(
                name="a_shopify_batch_has_a_known_status",
                condition=Q(status__in=["waiting", "queued", "sending", "importing", "done", "failed"]),
            ),
        ]
        indexes = [
            models.Index(fields=["discount", "id"], name="shopify_batch_of_discount"),
            models.Index(
                fields=["asked_at", "id"], condition=Q(status__in=["queued", "importing"]), name="shopify_batch_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{len(self.codes)} codes, {self.status}"


class ShopifyAttempt(Attempt):
    """One call for one batch."""

    row = owned("coupons.ShopifyBatch", related_name="attempts", db_index=False)

    class Meta:
        constraints = attempt_constraints("shopify", live="shopify_attempt_live", pair="shopify_attempt_open_pair")
        indexes = attempt_indexes("shopify")
