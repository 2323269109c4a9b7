"""A WhatsApp template, one row a version (seed: whatsapp-campaigns › Campaign)."""

from __future__ import annotations

import re
from enum import nonmember
from typing import Any

from django.db import models
from django.db.models.functions import Now

from accounts.roles import Permission
from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from dispatch.models import Attempt
from lifecycle.guard import guarded
from lifecycle.transition import Lifecycle, LifecycleQuerySet, StatusField, transition


class CampaignStatus(models.TextChoices):
    UNSUBMITTED = "unsubmitted"
    RECEIVED = "received"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    PAUSED = "paused"
    DISABLED = "disabled"
    ARCHIVED = "archived"

    # Waiting for WhatsApp's word: polled.
    IN_REVIEW = nonmember(("received", "pending"))
    # WhatsApp may still change its mind about these: polled, more slowly.
    DECIDED = nonmember(("approved", "paused"))
    LIVE = nonmember(("unsubmitted", "received", "pending", "approved", "rejected", "paused", "disabled"))


class CampaignType(models.TextChoices):
    MARKETING = "marketing"
    SERVICE = "service"


class CampaignAuthorType(models.TextChoices):
    SYSTEM = "system"
    MERCHANT = "merchant"


class CampaignQuerySet(LifecycleQuerySet["Campaign"], AccountQuerySet["Campaign"]):  # type: ignore[override]  # each makes its own manager
    def heads(self) -> CampaignQuerySet:
        """The newest version of each name."""
        return self.filter(next_campaign=None)

    def not_archived(self) -> CampaignQuerySet:
        return self.exclude(status=CampaignStatus.ARCHIVED)

    def in_review(self) -> CampaignQuerySet:
        return self.filter(status__in=CampaignStatus.IN_REVIEW)

    def decided(self) -> CampaignQuerySet:
        return self.filter(status__in=CampaignStatus.DECIDED)

    def versions_of(self, campaign: Campaign) -> CampaignQuerySet:
        """Every version of the campaign's name and language, oldest first."""
        return self.filter(account=campaign.account_id, name=campaign.name, language=campaign.language).order_by("id")


@guarded(born=[CampaignStatus.UNSUBMITTED])
class Campaign(Lifecycle, Owned):
    """One version of a WhatsApp template. A new version is a new row; the old head points to it."""

    # Asked about every few seconds while WhatsApp decides; nobody's edit is lost by it.
    unversioned = ("polled_at",)

    next_campaign = owned("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="previous_versions")
    name = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    language = models.CharField(max_length=20, default="en")
    content_sid = models.CharField(max_length=40, null=True, blank=True)
    status = StatusField(choices=CampaignStatus, default=CampaignStatus.UNSUBMITTED)
    rejection_reason = models.TextField(null=True, blank=True)
    variables = models.JSONField(default=dict, blank=True)
    content_type = models.CharField(max_length=60)
    content_context = models.JSONField(default=dict)
    campaign_type = models.CharField(max_length=20, choices=CampaignType)
    author_type = models.CharField(max_length=20, choices=CampaignAuthorType, default=CampaignAuthorType.MERCHANT)
    channel = models.CharField(max_length=20, default="twilio")
    variable_defaults = models.JSONField(default=dict, blank=True)
    # Null: may not send.
    enabled_at = models.DateTimeField(null=True, blank=True)
    # Below the private storage: `{merchant_id}/{campaign_id}/{file}`, served to its owner only.
    media_file = models.CharField(max_length=300, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    polled_at = models.DateTimeField(null=True, blank=True)
    created_by_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        db_table = "campaigns"
        constraints = [
            parent_key("campaign"),
            SameAccount("next_campaign", name="campaign_next_version"),
            models.UniqueConstraint(
                fields=["account", "name", "language"],
                condition=models.Q(next_campaign=None) & ~models.Q(status="archived"),
                name="campaign_name_once_among_heads",
            ),
            models.CheckConstraint(
                name="campaign_is_not_its_own_successor", condition=~models.Q(next_campaign=models.F("id"))
            ),
            models.CheckConstraint(
                name="campaign_type_is_known", condition=models.Q(campaign_type__in=CampaignType.values)
            ),
            models.CheckConstraint(
                name="campaign_author_is_known", condition=models.Q(author_type__in=CampaignAuthorType.values)
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="campaign_newest"),
            models.Index(
                fields=["polled_at"],
                condition=models.Q(status__in=["received", "pending", "approved", "paused"]),
                name="campaign_to_poll",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @transition([CampaignStatus.UNSUBMITTED], CampaignStatus.RECEIVED, sets=["content_sid", "submitted_at"])
    def receive(self) -> None:
        """Twilio has the content and the request for approval."""

    @transition([CampaignStatus.UNSUBMITTED, CampaignStatus.RECEIVED], CampaignStatus.PENDING, sets=["polled_at"])
    def review(self) -> None:
        """WhatsApp is looking at it."""

    @transition(
        [CampaignStatus.UNSUBMITTED, CampaignStatus.RECEIVED, CampaignStatus.PENDING],
        CampaignStatus.APPROVED,
        sets=["enabled_at", "polled_at"],
    )
    def approve(self) -> None:
        """WhatsApp allows it."""

    @transition(
        [CampaignStatus.UNSUBMITTED, CampaignStatus.RECEIVED, CampaignStatus.PENDING],
        CampaignStatus.REJECTED,
        sets=["rejection_reason", "polled_at"],
    )
    def reject(self) -> None:
        """WhatsApp refuses it, finally for this version."""

    @transition([CampaignStatus.APPROVED], CampaignStatus.PAUSED, sets=["rejection_reason", "polled_at"])
    def pause(self) -> None:
        """WhatsApp put it on hold."""

    @transition([CampaignStatus.PAUSED], CampaignStatus.APPROVED, sets=["polled_at"])
    def unpause(self) -> None:
        """WhatsApp lets it go on."""

    @transition(
        [CampaignStatus.APPROVED, CampaignStatus.PAUSED],
        CampaignStatus.DISABLED,
        sets=["rejection_reason", "polled_at"],
    )
    def disable(self) -> None:
        """WhatsApp switched it off."""

    @transition(CampaignStatus.LIVE, CampaignStatus.ARCHIVED, sets=["enabled_at"], asks=Permission.AUTHOR)
    def archive(self) -> None:
        """Out of use; its history stays."""

    @property
    def template_name(self) -> str:
        """The template's name at WhatsApp, which allows lower-case letters, digits and underscores only."""
        plain = re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")
        return f"{plain or 'template'}_{self.pk}"

    @property
    def is_head(self) -> bool:
        return self.next_campaign_id is None

    @property
    def custom_values_allowed(self) -> set[str]:
        return set(self.variables.values())


class SubmissionAttempt(Attempt):
    """One try to hand a version to Twilio for approval."""

    row = owned(Campaign, on_delete=models.PROTECT, related_name="attempts")

    objects: models.Manager[Any]

    class Meta:
        db_table = "campaigns_submission_attempt"
        constraints = [
            SameAccount("row", name="submission_attempt_campaign"),
            models.UniqueConstraint(
                fields=["row"],
                condition=models.Q(state__in=["calling", "unknown", "accepted"]),
                name="one_live_submission",
            ),
            models.CheckConstraint(
                name="submission_attempt_state",
                condition=models.Q(state__in=["calling", "accepted", "rejected", "unknown", "released"]),
            ),
        ]
        indexes = [
            models.Index(fields=["owner"], condition=models.Q(state="calling"), name="submission_calling"),
            models.Index(fields=["called_at"], condition=models.Q(state="unknown"), name="submission_unknown"),
        ]
