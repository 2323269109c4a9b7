"""Marketing campaigns by e-mail, SMS and push (seed: marketing-crm-api › Campaigns), one message a person."""

from __future__ import annotations

from enum import nonmember

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.roles import Permission
from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from campaigns_project.models import new_public_id
from dispatch.models import Attempt
from lifecycle.guard import guarded
from lifecycle.transition import Lifecycle, LifecycleQuerySet, StatusField, transition

ATTRIBUTION_DAYS = 7


def new_campaign_id() -> str:
    return new_public_id("camp_")


class MarketingChannel(models.TextChoices):
    """What a marketing campaign may be sent by."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class MarketingType(models.TextChoices):
    ONBOARDING = "onboarding"
    REENGAGEMENT = "reengagement"
    PROMOTION = "promotion"
    NEWSLETTER = "newsletter"
    TRANSACTIONAL = "transactional"
    LOYALTY = "loyalty"


class Audience(models.TextChoices):
    """Who is in the segment at the launch, or also who joins it until the end."""

    SNAPSHOT = "snapshot"
    LIVE = "live"


class MarketingStatus(models.TextChoices):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"

    # May still be changed: nobody has been written to.
    EDITABLE = nonmember(("draft", "scheduled"))
    # Has been launched and is not over.
    OPEN = nonmember(("active", "paused"))


class MarketingQuerySet(LifecycleQuerySet["MarketingCampaign"], AccountQuerySet["MarketingCampaign"]):  # type: ignore[override]  # each makes its own manager
    def due(self) -> MarketingQuerySet:
        """Scheduled, and the database's clock has reached the time."""
        return self.filter(status=MarketingStatus.SCHEDULED, starts_at__lte=Now())

    def active(self) -> MarketingQuerySet:
        return self.filter(status=MarketingStatus.ACTIVE)

    def over(self) -> MarketingQuerySet:
        """Launched, and past its end."""
        return self.filter(status__in=MarketingStatus.OPEN, ends_at__lte=Now())


@guarded(born=[MarketingStatus.DRAFT])
class MarketingCampaign(Lifecycle, Owned):
    """One message to everybody in a segment, each on the first of `channels` that may reach them.

    `content` has the seed's four keys (`subject`, `body`, `cta_text`, `cta_url`) and, under `channels`, what differs on
    one of them.
    """

    public_id = models.CharField(max_length=40, default=new_campaign_id, editable=False)
    name = models.CharField(max_length=200)
    type = models.CharField(max_length=20, choices=MarketingType)
    status = StatusField(choices=MarketingStatus, default=MarketingStatus.DRAFT)
    channels = ArrayField(models.CharField(max_length=10, choices=MarketingChannel), default=list, blank=True)
    content = models.JSONField(default=dict, blank=True)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    promo = owned("crm.Promo", null=True, blank=True, on_delete=models.PROTECT, related_name="marketing_campaigns")
    attribution_days = models.PositiveSmallIntegerField(default=ATTRIBUTION_DAYS)
    # Of 10,000 buckets of people, a hundred for each percent get nothing.
    holdout_percent = models.DecimalField(max_digits=4, decimal_places=2, default=0)
    audience = models.CharField(max_length=10, choices=Audience, default=Audience.SNAPSHOT)
    # What the launch found: people to reach by channel, and who is left out, by reason.
    preflight = models.JSONField(default=dict, blank=True)
    created_by_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    launched_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # When the segment was last looked through for newcomers.
    planned_at = models.DateTimeField(null=True, blank=True, editable=False)

    # The machine's own book-keeping; no edit is lost by that.
    unversioned = ("planned_at",)

    objects = MarketingQuerySet.as_manager()

    class Meta:
        constraints = [
            parent_key("marketing_campaign"),
            SameAccount("promo", name="marketing_campaign_promo"),
            models.UniqueConstraint(fields=["account", "public_id"], name="marketing_campaign_public_id"),
            models.CheckConstraint(
                name="a_scheduled_campaign_has_a_time", condition=~Q(status="scheduled") | Q(starts_at__isnull=False)
            ),
            models.CheckConstraint(
                name="a_campaign_begins_before_it_ends",
                condition=Q(starts_at=None) | Q(ends_at=None) | Q(starts_at__lt=F("ends_at")),
            ),
            models.CheckConstraint(
                name="a_holdout_leaves_somebody", condition=Q(holdout_percent__gte=0, holdout_percent__lt=100)
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="marketing_campaign_newest"),
            models.Index(
                fields=["status", "starts_at"],
                condition=Q(status__in=["scheduled", "active", "paused"]),
                name="marketing_campaign_moving",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_marketing(self) -> bool:
        """Whether it needs marketing consent, and keeps quiet hours and the cap."""
        return self.type != MarketingType.TRANSACTIONAL

    @transition([MarketingStatus.DRAFT], MarketingStatus.SCHEDULED, sets=["starts_at"], asks=Permission.SEND)
    def schedule(self) -> None:
        """Starts by itself at `starts_at`."""

    @transition([MarketingStatus.SCHEDULED], MarketingStatus.DRAFT, asks=Permission.SEND)
    def unschedule(self) -> None:
        """Back to the drawing board."""

    @transition(
        MarketingStatus.EDITABLE, MarketingStatus.ACTIVE, sets=["launched_at", "preflight"], asks=Permission.SEND
    )
    def launch(self) -> None:
        """People are being reached."""

    @transition([MarketingStatus.ACTIVE], MarketingStatus.PAUSED, asks=Permission.SEND)
    def pause(self) -> None:
        """No new call starts."""

    @transition([MarketingStatus.PAUSED], MarketingStatus.ACTIVE, asks=Permission.SEND)
    def resume(self) -> None:
        """Goes on with the rest."""

    @transition(MarketingStatus.OPEN, MarketingStatus.COMPLETED, sets=["ended_at"], asks=Permission.SEND)
    def complete(self) -> None:
        """It is over; whoever has not been called gets nothing."""


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
        constraints = [
            SameAccount("row", name="delivery_attempt_row"),
            models.UniqueConstraint(
                fields=["row"],
                condition=Q(state__in=["calling", "unknown", "accepted"]),
                name="one_live_delivery_attempt",
            ),
            # An SMS is found in the provider's list by its pair; an e-mail that nobody can ask about blocks no other.
            models.UniqueConstraint(
                fields=["sender", "address"],
                condition=Q(state__in=["calling", "unknown"], address__startswith="+") & ~Q(address__contains="@"),
                name="one_open_delivery_pair",
            ),
            models.UniqueConstraint(fields=["uuid"], name="delivery_attempt_uuid"),
            models.CheckConstraint(
                name="delivery_attempt_state",
                condition=Q(state__in=["calling", "accepted", "rejected", "unknown", "released"]),
            ),
        ]
        indexes = [
            models.Index(fields=["row", "id"], name="delivery_attempt_of_row"),
            models.Index(fields=["sender", "address", "called_at"], name="delivery_attempt_pair"),
            models.Index(fields=["called_at"], condition=Q(state="unknown"), name="delivery_attempt_unknown"),
        ]
