"""One send of one approved campaign version to its active leads."""

from __future__ import annotations

from enum import nonmember

from django.db import models
from django.db.models.functions import Now

from accounts.roles import Permission
from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from campaigns.models.campaign import Campaign
from lifecycle.guard import guarded
from lifecycle.transition import Lifecycle, LifecycleQuerySet, StatusField, transition


class BroadcastStatus(models.TextChoices):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"

    # Holds its campaign version in use.
    OPEN = nonmember(("scheduled", "sending", "paused"))
    STARTABLE = nonmember(("draft", "scheduled"))


class BroadcastQuerySet(LifecycleQuerySet["Broadcast"], AccountQuerySet["Broadcast"]):  # type: ignore[override]  # each makes its own manager
    def due(self) -> BroadcastQuerySet:
        """Scheduled, and the database's clock has reached the time."""
        return self.filter(status=BroadcastStatus.SCHEDULED, scheduled_at__lte=Now())

    def open(self) -> BroadcastQuerySet:
        return self.filter(status__in=BroadcastStatus.OPEN)

    def sending(self) -> BroadcastQuerySet:
        return self.filter(status=BroadcastStatus.SENDING)


@guarded(born=[BroadcastStatus.DRAFT])
class Broadcast(Lifecycle, Owned):
    """Owns progress, rate and schedule. What it will do is counted before it starts (`preflight`)."""

    campaign = owned(Campaign, on_delete=models.PROTECT, related_name="broadcasts")
    status = StatusField(choices=BroadcastStatus, default=BroadcastStatus.DRAFT)
    scheduled_at = models.DateTimeField(null=True, blank=True)
    rate_per_second = models.PositiveIntegerField(null=True, blank=True)
    # Send a marketing template again to people who already had it.
    force = models.BooleanField(default=False)
    test_send = models.BooleanField(default=False)
    values = models.JSONField(default=dict, blank=True)
    # Where each person's `coupon_code` comes from (crm.codes); empty: from nowhere.
    code_pool = models.CharField(max_length=64, blank=True)
    preflight = models.JSONField(default=dict, blank=True)
    created_by_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = BroadcastQuerySet.as_manager()

    class Meta:
        constraints = [
            parent_key("broadcast"),
            SameAccount("campaign", name="broadcast_campaign"),
            models.CheckConstraint(
                name="a_scheduled_broadcast_has_a_time",
                condition=~models.Q(status="scheduled") | models.Q(scheduled_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="broadcast_newest"),
            models.Index(
                fields=["status", "scheduled_at"],
                condition=models.Q(status__in=["scheduled", "sending"]),
                name="broadcast_moving",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} #{self.pk}"

    @transition([BroadcastStatus.DRAFT], BroadcastStatus.SCHEDULED, sets=["scheduled_at"], asks=Permission.SEND)
    def schedule(self) -> None:
        """Starts by itself at `scheduled_at`."""

    @transition([BroadcastStatus.SCHEDULED], BroadcastStatus.DRAFT, sets=["scheduled_at"], asks=Permission.SEND)
    def unschedule(self) -> None:
        """Back to the drawing board."""

    @transition(BroadcastStatus.STARTABLE, BroadcastStatus.SENDING, sets=["started_at", "preflight"])
    def start(self) -> None:
        """People are being reached."""

    @transition([BroadcastStatus.SENDING], BroadcastStatus.PAUSED, asks=Permission.SEND)
    def pause(self) -> None:
        """No new call starts."""

    @transition([BroadcastStatus.PAUSED], BroadcastStatus.SENDING, asks=Permission.SEND)
    def resume(self) -> None:
        """Goes on with the rest."""

    @transition([BroadcastStatus.SENDING], BroadcastStatus.COMPLETED, sets=["ended_at"])
    def complete(self) -> None:
        """Everybody has an outcome."""

    @transition(
        [BroadcastStatus.DRAFT, BroadcastStatus.SCHEDULED, BroadcastStatus.SENDING, BroadcastStatus.PAUSED],
        BroadcastStatus.CANCELLED,
        sets=["ended_at"],
        asks=Permission.SEND,
    )
    def cancel(self) -> None:
        """The rest will not be sent."""
