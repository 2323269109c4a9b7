"""What every door needs: jobs with progress, answers kept for idempotent replays, and the audit trail."""

from __future__ import annotations

import secrets
from typing import Any

from django.db import models
from django.db.models.functions import Now

# Thirty-two, so that every one of them is as likely.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_public_id(prefix: str) -> str:
    """`prefix` and 16 random characters without look-alikes (80 bits), for example `cust_7k2m…`."""
    return prefix + "".join(ALPHABET[byte % len(ALPHABET)] for byte in secrets.token_bytes(16))


def new_job_id() -> str:
    return new_public_id("job_")


class Job(models.Model):
    """Long work with visible progress. Whoever works on it calls `start`, `progress` and `finish`."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    public_id = models.CharField(max_length=40, default=new_job_id)
    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=60)
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    params = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    total = models.BigIntegerField(null=True)
    done = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    # Paths below the private storage, never shown as such.
    input_file = models.CharField(max_length=200, blank=True)
    errors_file = models.CharField(max_length=200, blank=True)
    message = models.TextField(blank=True)
    created_by_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "public_id"], name="job_public_id"),
            models.CheckConstraint(
                name="a_job_has_a_known_status",
                condition=models.Q(status__in=["queued", "running", "done", "failed", "cancelled"]),
            ),
        ]
        indexes = [models.Index(fields=["account", "-created_at"], name="job_newest")]

    def __str__(self) -> str:
        return f"{self.public_id} ({self.kind})"


class IdempotencyKey(models.Model):
    """The first answer to a POST with an Idempotency-Key, written in the transaction of its effect."""

    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE, related_name="+")
    path = models.CharField(max_length=300)
    key = models.CharField(max_length=255)
    body_hash = models.CharField(max_length=64)
    status_code = models.SmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "path", "key"], name="idempotency_key_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_age")]

    def __str__(self) -> str:
        return f"{self.key} {self.path}"


class RateWindow(models.Model):
    """How often somebody tried to sign in this minute; `key` is a hash of the address (and the e-mail)."""

    key = models.CharField(max_length=64, primary_key=True)
    starts_at = models.DateTimeField(db_index=True)
    used = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.used} since {self.starts_at}"


class AuditEntry(models.Model):
    """Who did what to which object, and why: platform access to an account, operators' moves, settings."""

    account = models.ForeignKey("accounts.Account", null=True, on_delete=models.SET_NULL, related_name="+")
    actor = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    action = models.CharField(max_length=80)
    target = models.CharField(max_length=120, blank=True)
    reason = models.TextField(blank=True)
    details: models.JSONField[Any, Any] = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["account", "-at"], name="audit_newest")]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"
