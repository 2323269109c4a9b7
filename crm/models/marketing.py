"""Marketing campaigns by e-mail, SMS and push (seed: marketing-crm-api › Campaigns)."""

from __future__ import annotations

from enum import nonmember

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.roles import Permission
from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from campaigns_project.models import new_public_id
from lifecycle.guard import guarded
from lifecycle.transition import Lifecycle, LifecycleQuerySet, StatusField, transition

ATTRIBUTION_DAYS = 7


def new_campaign_id() -> str:
    return new_public_id("camp_")


class MarketingChannel(models.TextChoices):
    """What a marketing campaign may be sent by."""

    EMAIL = "email", "E-mail"
    SMS = "sms", "SMS"
    PUSH = "push", "Push"


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
    segment = owned("crm.Segment", null=True, blank=True, on_delete=models.PROTECT, related_name="marketing_campaigns")
    content = models.JSONField(default=dict, blank=True)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    promo = owned("crm.Promo", null=True, blank=True, on_delete=models.PROTECT, related_name="marketing_campaigns")
    # Where each person's `coupon_code` comes from (crm.codes); empty: from nowhere.
    code_pool = models.CharField(max_length=64, blank=True)
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
            SameAccount("segment", name="marketing_campaign_segment"),
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
    def coupon_campaign_id(self) -> str | None:
        """The pool, as the API names it."""
        return self.code_pool or None

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
        MarketingStatus.EDITABLE,
        MarketingStatus.ACTIVE,
        sets=["launched_at", "starts_at", "preflight"],
        asks=Permission.SEND,
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
