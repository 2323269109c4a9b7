"""Who sends, what was tried, and what came in. The rows that are sent belong to the domains (see `lane`)."""

from __future__ import annotations

import secrets
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now

from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from accounts.secrets import open_sealed, seal

if TYPE_CHECKING:
    from datetime import datetime


class Owner(models.Model):
    """One database session of one sender process; dead if its heartbeat is older than `owners.DEAD_AFTER`."""

    provider = models.CharField(max_length=30)
    pid = models.IntegerField()
    host = models.CharField(max_length=200)
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["provider"], condition=models.Q(ended_at=None), name="owner_alive")]

    def __str__(self) -> str:
        return f"{self.provider} #{self.pk} (pid {self.pid})"


class AttemptState(models.TextChoices):
    CALLING = "calling"  # committed right before the call
    ACCEPTED = "accepted"  # the provider took it
    REJECTED = "rejected"  # the provider refused it, documented
    UNKNOWN = "unknown"  # called, and nobody knows yet
    RELEASED = "released"  # proven not to have happened


class Attempt(models.Model):
    """One call to a provider for one row. Each lane has its own table with a foreign key named `row`.

    `address` is the recipient's address at the provider, `sender` ours; `provider_id` is the provider's id of
    what it accepted, `code` its documented reason for a refusal.
    """

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+")
    sender = models.CharField(max_length=80)
    address = models.CharField(max_length=80)
    owner = models.BigIntegerField()
    state = models.CharField(max_length=20, choices=AttemptState)
    called_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    provider_id = models.CharField(max_length=80, blank=True)
    code = models.CharField(max_length=40, blank=True)
    detail = models.TextField(blank=True)
    checks = models.SmallIntegerField(db_default=0)
    checked_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.address} {self.state}"


OPEN_STATES = ["calling", "unknown"]
OPEN = models.Q(state__in=OPEN_STATES)


def attempt_constraints(lane: str, *, live: str, pair: str, paired: models.Q = OPEN) -> list[Any]:
    """The locks of a lane's own table of attempts: one live attempt a row (named `live`), and one a pair of sender and
    address (named `pair`) of those that are `paired`.
    """
    return [
        SameAccount("row", name=f"{lane}_attempt_row"),
        models.UniqueConstraint(
            fields=["row"], condition=models.Q(state__in=["calling", "unknown", "accepted"]), name=live
        ),
        models.UniqueConstraint(fields=["sender", "address"], condition=paired, name=pair),
        models.UniqueConstraint(fields=["uuid"], name=f"{lane}_attempt_uuid"),
        models.CheckConstraint(
            name=f"{lane}_attempt_state",
            condition=models.Q(state__in=["calling", "accepted", "rejected", "unknown", "released"]),
        ),
    ]


def attempt_indexes(lane: str) -> list[models.Index]:
    """What reconciling and pages look attempts up by. A lane adds one on whom was called when, for its gate."""
    return [
        models.Index(fields=["row", "id"], name=f"{lane}_attempt_of_row"),
        models.Index(fields=["called_at"], condition=models.Q(state="unknown"), name=f"{lane}_attempt_unknown"),
    ]


class InboxEntry(models.Model):
    """A webhook as it came: stored and deduplicated, then acknowledged; applied in batches, replayable."""

    class Result(models.TextChoices):
        WAITING = "waiting"
        APPLIED = "applied"
        NO_EFFECT = "no_effect"
        FAILED = "failed"

    # Both without an index of their own: the account leads others, and nobody looks rows up by their connection.
    account = models.ForeignKey(
        "accounts.Account", null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    provider = models.CharField(max_length=30)
    kind = models.CharField(max_length=40)
    connection = models.ForeignKey(
        "accounts.Connection", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    dedupe_key = models.CharField(max_length=200)
    body = models.BinaryField()
    headers = models.JSONField(default=dict)
    # What the door already knows from the address, for example the attempt a callback belongs to.
    context = models.JSONField(default=dict)
    received_at = models.DateTimeField(db_default=Now())
    result = models.CharField(max_length=20, choices=Result, db_default=Result.WAITING)
    applied_at = models.DateTimeField(null=True)
    tries = models.SmallIntegerField(db_default=0)
    next_try_at = models.DateTimeField(db_default=Now())
    error = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "inbox entries"
        constraints = [
            models.UniqueConstraint(fields=["account", "provider", "dedupe_key"], name="inbox_once"),
        ]
        indexes = [
            models.Index(fields=["next_try_at", "id"], condition=models.Q(result="waiting"), name="inbox_waiting"),
            BrinIndex(fields=["received_at"], name="inbox_age", autosummarize=True),
            models.Index(fields=["account", "provider", "id"], name="inbox_of_provider"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.kind} {self.dedupe_key}"


class Pace(models.Model):
    """The slot schedule (GCRA) of one sender at a provider: `next_slot` moves by k/rate for k calls."""

    provider = models.CharField(max_length=30)
    sender = models.CharField(max_length=80)
    next_slot = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "sender"], name="pace_once")]

    def __str__(self) -> str:
        return f"{self.provider} {self.sender}"


def new_token() -> str:
    """22 characters of an address that nobody guesses (128 bits)."""
    return secrets.token_urlsafe(16)


class WebhookConnection(Owned):
    """Where one provider delivers an account's events: an address of its own, and how many came.

    `events_received` and `last_event_at` count what the provider's table of events names, once each (prefetch
    `tallies` where there are many); `refused` counts deliveries to this address whose signature was wrong.
    """

    provider = models.CharField(max_length=30)
    token = models.CharField(max_length=22, unique=True, default=new_token, editable=False)
    refused = models.BigIntegerField(db_default=0, default=0)
    refused_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["WebhookConnection"].as_manager()

    class Meta:
        constraints = [
            parent_key("webhookconnection"),
            models.UniqueConstraint(fields=["account", "provider"], name="one_webhook_connection_per_provider"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} of {self.account_id}"

    @property
    def events_received(self) -> int:
        return sum(each.events for each in self.tallies.all())

    @property
    def last_event_at(self) -> datetime | None:
        return max(filter(None, (each.last_event_at for each in self.tallies.all())), default=None)


class WebhookTally(Owned):
    """A part of what a connection received: the sessions that store have rows of their own, and wait for nobody."""

    # More than web processes usually are; two sessions with the same one only wait for each other.
    STRIPES: ClassVar = 64

    webhook = owned(WebhookConnection, related_name="tallies", db_index=False)
    stripe = models.SmallIntegerField()
    events = models.BigIntegerField()
    last_event_at = models.DateTimeField(null=True)

    objects = AccountQuerySet["WebhookTally"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["webhook", "stripe"], name="one_tally_per_stripe"),
            SameAccount("webhook", name="webhook_tally_same_account"),
        ]

    def __str__(self) -> str:
        return f"{self.events} of webhook {self.webhook_id}"


class WebhookSecret(Owned):
    """What a provider signs with. After a rotation the one before is good until `valid_until`; None is the present one.

    Kept sealed; its fingerprint is unique, because the bare address finds the account by the secret that verifies.
    """

    class Kind(models.TextChoices):
        SHARED = "shared"
        # Signs nothing itself: whoever knows it can only verify.
        PUBLIC_KEY = "public_key"

    webhook = owned(WebhookConnection, related_name="secrets")
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.SHARED)
    sealed = models.BinaryField()
    fingerprint = models.CharField(max_length=64, unique=True)
    valid_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["WebhookSecret"].as_manager()

    class Meta:
        constraints = [
            SameAccount("webhook", name="webhook_secret_same_account"),
            models.UniqueConstraint(
                fields=["webhook", "kind"], condition=models.Q(valid_until=None), name="one_present_webhook_secret"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of webhook {self.webhook_id}"

    @property
    def text(self) -> str:
        return open_sealed(bytes(self.sealed))["secret"]

    @text.setter
    def text(self, value: str) -> None:
        self.sealed = seal({"secret": value})
