"""A marketing campaign's message to somebody of the merchant's own, before it goes to people."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned
from campaigns_project.models import new_public_id
from crm.models.marketing import MarketingCampaign, MarketingChannel


def new_trial_id() -> str:
    return new_public_id("test_")


class TrialStatus(models.TextChoices):
    """What became of it. A call that was begun is never made again."""

    WAITING = "waiting"
    CALLING = "calling"
    SENT = "sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Trial(Owned):
    """One test message to one address. No delivery: it is counted nowhere, and holds nobody else's message back."""

    public_id = models.CharField(max_length=40, default=new_trial_id, editable=False)
    campaign = owned(MarketingCampaign, related_name="trials")
    channel = models.CharField(max_length=10, choices=MarketingChannel)
    address = models.CharField(max_length=254, blank=True)
    address_hash = models.CharField(max_length=64)
    status = models.CharField(max_length=10, choices=TrialStatus, default=TrialStatus.WAITING)
    # What a provider's report names it by.
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # The provider's reason, or ours.
    code = models.CharField(max_length=40, blank=True)
    provider_id = models.CharField(max_length=80, blank=True)
    asked_by = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    called_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = AccountQuerySet["Trial"].as_manager()

    class Meta:
        verbose_name = "test message"
        constraints = [
            SameAccount("campaign", name="trial_campaign"),
            models.UniqueConstraint(fields=["account", "public_id"], name="trial_public_id"),
            models.CheckConstraint(name="trial_has_a_known_status", condition=Q(status__in=TrialStatus.values)),
        ]
        indexes = [
            models.Index(fields=["account", "-created_at"], name="trial_newest"),
            models.Index(fields=["id"], condition=Q(status__in=["waiting", "calling"]), name="trial_open"),
        ]

    def __str__(self) -> str:
        return f"test by {self.channel} to {self.address or 'nobody'}"
