"""Webhooks to the merchant: where they go, and each one with what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from accounts.secrets import open_sealed, seal
from campaigns_project.models import new_public_id

if TYPE_CHECKING:
    from datetime import timedelta

EVERYTHING = "*"


def new_endpoint_id() -> str:
    return new_public_id("whe_")


def new_message_id() -> str:
    return new_public_id("msg_")


class WebhookEndpoint(Owned):
    """An address of the merchant's that is told what happens. Secrets reach the database only when sealed."""

    class Ended(models.TextChoices):
        """Why we stopped calling; nobody's choice, so a person has to turn it on again."""

        GONE = "gone"
        FAILING = "failing"

    # Moved by deliveries: no new version of what somebody edits.
    unversioned: ClassVar = ("failing_since",)

    public_id = models.CharField(max_length=40, default=new_endpoint_id, editable=False)
    url = models.CharField(max_length=2048)
    description = models.CharField(max_length=200, blank=True)
    # Types of the one stream of events, `email.*`, or `*`.
    event_types = ArrayField(models.CharField(max_length=60))
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=20, blank=True, choices=Ended)
    # Since when every call failed.
    failing_since = models.DateTimeField(null=True, blank=True)
    # {"now": secret}, and during a rotation {"before": the old one}.
    sealed = models.BinaryField()
    old_secret_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["WebhookEndpoint"].as_manager()

    class Meta:
        constraints = [
            parent_key("webhook_endpoint"),
            models.UniqueConstraint(fields=["account", "public_id"], name="webhook_endpoint_public_id"),
            models.CheckConstraint(
                name="webhook_endpoint_ended_is_off", condition=Q(disabled_reason="") | Q(enabled=False)
            ),
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def secret(self) -> str:
        return open_sealed(bytes(self.sealed))["now"]

    def replace_secret(self, secret: str, *, keep_old_for: timedelta | None = None) -> None:
        """Sign with `secret` from now on, and beside it with the old one for a while. Not saved."""
        kept = {"before": self.secret} if keep_old_for else {}
        self.sealed = seal({"now": secret, **kept})
        self.old_secret_until = timezone.now() + keep_old_for if keep_old_for else None

    @property
    def standing(self) -> str:
        """What to show of it now: on, failing, off, or why it was turned off."""
        if not self.enabled:
            return self.disabled_reason or "off"
        return "on" if self.failing_since is None else "struggling"


class WebhookDelivery(Owned):
    """One message to one endpoint; `public_id` is its webhook-id, the same at every try.

    It is due at `next_try_at`. Whoever takes it moves that ahead, beyond the longest call: a taker that dies costs a
    delay, and a late one is known by `tries`.
    """

    class Status(models.TextChoices):
        """What became of it; read from its times."""

        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"

    public_id = models.CharField(max_length=40, default=new_message_id, editable=False)
    endpoint = owned("crm.WebhookEndpoint", related_name="deliveries")
    # An event has no second key for the wall's sake; both rows are written in one statement.
    event = models.ForeignKey(
        "crm.Event", null=True, blank=True, on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    type = models.CharField(max_length=60)
    # What is told of something that is no event of the stream.
    data = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    # Tried for three days from then on: its birth, or the last replay.
    begun_at = models.DateTimeField(db_default=Now(), editable=False)
    tries = models.IntegerField(default=0, db_default=0)
    next_try_at = models.DateTimeField(null=True, blank=True, db_default=Now())
    delivered_at = models.DateTimeField(null=True, blank=True)
    # Of the last try.
    response_code = models.SmallIntegerField(null=True, blank=True)
    response_body = models.CharField(max_length=1024, blank=True, db_default="")
    error = models.CharField(max_length=300, blank=True, db_default="")
    duration_ms = models.IntegerField(null=True, blank=True)

    objects = AccountQuerySet["WebhookDelivery"].as_manager()

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [
            SameAccount("endpoint", name="webhook_delivery_endpoint"),
            models.UniqueConstraint(fields=["account", "public_id"], name="webhook_delivery_public_id"),
            models.UniqueConstraint(fields=["endpoint", "event"], name="webhook_delivery_once"),
            models.CheckConstraint(
                name="webhook_delivery_is_over_when_delivered", condition=Q(delivered_at=None) | Q(next_try_at=None)
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "-id"], name="webhook_delivery_newest"),
            models.Index(
                fields=["endpoint", "next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="webhook_delivery_due",
            ),
            models.Index(fields=["begun_at"], name="webhook_delivery_age"),
            models.Index(fields=["event"], condition=~Q(event=None), name="webhook_delivery_event"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} ({self.type})"

    @classmethod
    def in_status(cls, status: str) -> Q:
        """The rows whose `status` is this one."""
        if status == cls.Status.PENDING:
            return Q(next_try_at__isnull=False)
        return Q(next_try_at=None, delivered_at__isnull=status == cls.Status.FAILED)

    @property
    def status(self) -> Status:
        if self.delivered_at is not None:
            return self.Status.DELIVERED
        return self.Status.FAILED if self.next_try_at is None else self.Status.PENDING
