"""What an account sells, and what was ordered. Prices are in minor units of their currency."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from campaigns_project.models import new_public_id

LONGEST_ID = 120


def new_product_id() -> str:
    return new_public_id("prod_")


def new_order_id() -> str:
    return new_public_id("ord_")


class Priced(Owned):
    """What has a price and a stock; both may be unknown."""

    # The merchant's own id; coupons and orders name it.
    external_id = models.CharField(max_length=LONGEST_ID)
    name = models.CharField(max_length=200)
    price_minor = models.BigIntegerField(null=True, blank=True)
    # The account's when empty.
    currency = models.CharField(max_length=3, blank=True)
    stock = models.IntegerField(null=True, blank=True)

    class Meta:
        abstract = True


class Product(Priced):
    """One product. Whoever writes it: `crm.catalogue.products`."""

    public_id = models.CharField(max_length=40, default=new_product_id, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["Product"].as_manager()

    class Meta:
        constraints = [
            parent_key("product"),
            models.UniqueConstraint(fields=["account", "public_id"], name="product_public_id"),
            models.UniqueConstraint(fields=["account", "external_id"], name="product_once"),
            models.CheckConstraint(
                name="a_product_has_a_price_and_a_stock_that_can_be",
                condition=(Q(price_minor=None) | Q(price_minor__gte=0)) & (Q(stock=None) | Q(stock__gte=0)),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Variant(Priced):
    """One size or flavour of a product; its id is once in the account, too."""

    product = owned("crm.Product", related_name="variants")

    objects = AccountQuerySet["Variant"].as_manager()

    class Meta:
        constraints = [
            SameAccount("product", name="variant_product"),
            models.UniqueConstraint(fields=["account", "external_id"], name="variant_once"),
            models.CheckConstraint(
                name="a_variant_has_a_price_and_a_stock_that_can_be",
                condition=(Q(price_minor=None) | Q(price_minor__gte=0)) & (Q(stock=None) | Q(stock__gte=0)),
            ),
        ]
        indexes = [models.Index(fields=["product", "external_id"], name="variant_of_product")]

    def __str__(self) -> str:
        return self.name


class Order(Owned):
    """What the `order.*` events of one order come to, in whatever order they arrive (`crm.catalogue.orders`)."""

    public_id = models.CharField(max_length=40, default=new_order_id, editable=False)
    # The merchant's id of it, or ours of its one event where they say none.
    external_id = models.CharField(max_length=200)
    customer = owned("crm.Customer", null=True, blank=True, related_name="orders")
    # What the latest event says: `completed`, `refunded`, or whatever follows `order.` there.
    status = models.CharField(max_length=60, blank=True)
    amount_minor = models.BigIntegerField(null=True, blank=True)
    refunded_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, blank=True)
    placed_at = models.DateTimeField(null=True, blank=True)
    # When the latest event, and the one that told the amount, happened.
    told_at = models.DateTimeField(null=True, blank=True)
    valued_at = models.DateTimeField(null=True, blank=True)
    # Which events are in these sums: none counts twice, and an erasure of events changes nothing.
    events = ArrayField(models.BigIntegerField(), default=list, blank=True)

    objects = AccountQuerySet["Order"].as_manager()

    class Meta:
        constraints = [
            SameAccount("customer", name="order_customer"),
            models.UniqueConstraint(fields=["account", "public_id"], name="order_public_id"),
            models.UniqueConstraint(fields=["account", "external_id"], name="order_once"),
            models.CheckConstraint(
                name="an_order_has_amounts_that_can_be",
                condition=Q(refunded_minor__gte=0) & (Q(amount_minor=None) | Q(amount_minor__gte=0)),
            ),
        ]
        indexes = [models.Index(fields=["customer", "-placed_at"], name="order_of_customer")]

    def __str__(self) -> str:
        return self.external_id
