"""One person's message of a marketing campaign, the calls made for it, and the orders that came of it."""

from __future__ import annotations

from enum import nonmember

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from crm.models.marketing import MarketingCampaign, MarketingChannel
from dispatch.models import OPEN_STATES, Attempt, attempt_constraints, attempt_indexes
from lifecycle.guard import guarded
from lifecycle.transition import Lifecycle, LifecycleQuerySet, StatusField, transition


class DeliveryStatus(models.TextChoices):
    QUEUED = "queued"
    SENDING = "sending"
    SKIPPED = "skipped"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    UNDELIVERED = "undelivered"

    # The provider took it.
    SENT_OUT = nonmember(("sent", "delivered", "read", "undelivered"))
    ARRIVED = nonmember(("delivered", "read"))
    OPEN = nonmember(("queued", "sending"))


class LeftOut(models.TextChoices):
    """Why somebody of the segment gets nothing."""

    NO_ADDRESS = "no_address"
    NO_CONSENT = "no_consent"
    SUPPRESSED = "suppressed"
    HOLDOUT = "holdout"
    ADDRESS_CHANGED = "address_changed"
    ENDED = "ended"
    ERASED = "erased"
    NO_CODE = "no_code"


class DeliveryQuerySet(LifecycleQuerySet["Delivery"], AccountQuerySet["Delivery"]):  # type: ignore[override]  # each makes its own manager
    def of(self, campaign: MarketingCampaign) -> DeliveryQuerySet:
        return self.filter(account=campaign.account_id, campaign=campaign)

    def queued(self) -> DeliveryQuerySet:
        return self.filter(status=DeliveryStatus.QUEUED)

    def with_outcome(self) -> DeliveryQuerySet:
        """`is_unknown`: nobody knows whether the call of its attempt took effect."""
        open_question = DeliveryAttempt.objects.filter(row=models.OuterRef("pk"), state="unknown")
        return self.annotate(is_unknown=models.Exists(open_question))


@guarded(born=[DeliveryStatus.QUEUED, DeliveryStatus.SKIPPED])
class Delivery(Lifecycle, Owned):
    """One person's message of one campaign. The row is the queue: it is sent when it stands in `queued`."""

    # The campaign's account is an account, and `delivery_campaign` makes this one the same.
    account = models.ForeignKey(
        "accounts.Account", on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    campaign = owned(MarketingCampaign, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    customer = owned("crm.Customer", on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    # "" where no channel reaches them.
    channel = models.CharField(max_length=10, blank=True, choices=MarketingChannel)
    address = models.CharField(max_length=254, blank=True)
    address_hash = models.CharField(max_length=64, blank=True)
    # Where quiet hours are looked up; always one that PostgreSQL knows.
    time_zone = models.CharField(max_length=64, default="UTC")
    status = StatusField(choices=DeliveryStatus, default=DeliveryStatus.QUEUED)
    skip_reason = models.CharField(max_length=30, blank=True, choices=LeftOut)
    # The coupon code that is theirs alone, if the words name one.
    code = models.CharField(max_length=64, null=True, blank=True, editable=False)
    error_code = models.CharField(max_length=40, blank=True)
    provider_id = models.CharField(max_length=80, blank=True)
    tries = models.SmallIntegerField(db_default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    delivered_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    clicked_at = models.DateTimeField(null=True, blank=True)
    unsubscribed_at = models.DateTimeField(null=True, blank=True)
    converted_at = models.DateTimeField(null=True, blank=True)
    revenue_minor = models.BigIntegerField(db_default=0)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            parent_key("delivery"),
            SameAccount("campaign", name="delivery_campaign"),
            SameAccount("customer", name="delivery_customer"),
            models.UniqueConstraint(fields=["campaign", "customer"], name="one_delivery_a_person"),
            models.CheckConstraint(
                name="a_skipped_delivery_has_a_reason", condition=Q(status="skipped") ^ Q(skip_reason="")
            ),
            models.CheckConstraint(
                name="a_delivery_goes_somewhere", condition=Q(status="skipped") | (~Q(channel="") & ~Q(address_hash=""))
            ),
        ]
        indexes = [
            # None on the status, so that a message that is sent changes no index.
            models.Index(fields=["campaign", "id"], name="delivery_of_campaign"),
            models.Index(fields=["customer", "id"], name="delivery_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.channel or 'no channel'} to {self.address or 'nobody'}"

    @transition([DeliveryStatus.QUEUED], DeliveryStatus.SENDING)
    def begin(self) -> None:
        """A call is about to be made."""

    @transition([DeliveryStatus.SENDING], DeliveryStatus.QUEUED)
    def requeue(self) -> None:
        """The call was certainly not made, or refused for now."""

    @transition(DeliveryStatus.OPEN, DeliveryStatus.SKIPPED, sets=["skip_reason"])
    def skip(self) -> None:
        """Not sent, for a reason."""

    @transition([DeliveryStatus.SENDING], DeliveryStatus.SENT, sets=["provider_id"])
    def sent(self) -> None:
        """The provider accepted it."""

    @transition(
        [DeliveryStatus.SENDING, DeliveryStatus.SENT], DeliveryStatus.DELIVERED, sets=["provider_id", "delivered_at"]
    )
    def delivered(self) -> None:
        """It reached the mailbox, the phone or the browser."""

    @transition(
        [DeliveryStatus.SENDING, DeliveryStatus.SENT, DeliveryStatus.DELIVERED],
        DeliveryStatus.READ,
        sets=["provider_id", "delivered_at", "opened_at", "clicked_at"],
    )
    def read(self) -> None:
        """It was opened, or a link in it followed."""

    @transition(
        [DeliveryStatus.QUEUED, DeliveryStatus.SENDING, DeliveryStatus.SENT],
        DeliveryStatus.FAILED,
        sets=["error_code", "provider_id"],
    )
    def fail(self) -> None:
        """Refused for good."""

    @transition(
        [DeliveryStatus.SENDING, DeliveryStatus.SENT],
        DeliveryStatus.UNDELIVERED,
        sets=["error_code", "provider_id"],
    )
    def not_delivered(self) -> None:
        """The provider could not bring it to the person."""


class DeliveryAttempt(Attempt):
    """One call to send one delivery. E-mail and push cannot be asked about afterwards: unknown stays unknown."""

    # The row's account is an account, and `delivery_attempt_row` makes this one the same.
    account = models.ForeignKey(
        "accounts.Account", on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    row = owned(Delivery, on_delete=models.PROTECT, related_name="attempts", db_index=False)
    sender = models.CharField(max_length=254)
    address = models.CharField(max_length=254)

    class Meta:
        db_table = "crm_delivery_attempt"
        constraints = attempt_constraints(
            "delivery",
            live="one_live_delivery_attempt",
            pair="one_open_delivery_pair",
            # An SMS is found in the provider's list by its pair; an e-mail that nobody can ask about blocks no other.
            paired=Q(state__in=OPEN_STATES, address__startswith="+") & ~Q(address__contains="@"),
        )
        indexes = [
            *attempt_indexes("delivery"),
            models.Index(fields=["sender", "address", "called_at"], name="delivery_attempt_pair"),
        ]


class Attribution(Owned):
    """An order that one campaign may count as its own: the last one that had reached the person before it.

    Money is in minor units of the account's currency; an order in another one counts without an amount.
    """

    campaign = owned(MarketingCampaign, on_delete=models.PROTECT, related_name="attributions", db_index=False)
    delivery = owned(Delivery, on_delete=models.PROTECT, related_name="attributions")
    # The merchant's order id, or our event's where they say none.
    order_id = models.CharField(max_length=200)
    ordered_at = models.DateTimeField()
    value_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["Attribution"].as_manager()

    class Meta:
        constraints = [
            SameAccount("campaign", name="attribution_campaign"),
            SameAccount("delivery", name="attribution_delivery"),
            models.UniqueConstraint(fields=["account", "order_id"], name="one_campaign_an_order"),
        ]

    def __str__(self) -> str:
        return self.order_id
