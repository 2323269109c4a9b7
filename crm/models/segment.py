"""Segments: who belongs together, by hand, by a file, or by criteria that PostgreSQL keeps answering."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from accounts.scoping import AccountQuerySet, Owned, parent_key
from campaigns_project.models import new_public_id


def new_segment_id() -> str:
    return new_public_id("seg_")


class SegmentType(models.TextChoices):
    STATIC = "static"
    DYNAMIC = "dynamic"
    IMPORTED = "imported"


class Segment(Owned):
    """A group of customers. Its members are the rows of `SegmentMember` that carry its present `version`.

    A dynamic one is kept by `crm.audiences.refreshing`: `refreshed_at` is the moment its members are right for, None
    before the first time. `changes_from` is where the next look at changed customers begins.
    """

    # Moved by refreshing: no new version of what somebody edits.
    unversioned: ClassVar = ("size", "version", "refreshed_at", "changes_from", "refresh_ms")

    public_id = models.CharField(max_length=40, default=new_segment_id, editable=False)
    name = models.CharField(max_length=200)
    type = models.CharField(max_length=20, choices=SegmentType)
    criteria = models.JSONField(default=dict, blank=True)
    size = models.IntegerField(default=0, editable=False)
    version = models.IntegerField(default=0, editable=False)
    refreshed_at = models.DateTimeField(null=True, blank=True, editable=False)
    changes_from = models.DateTimeField(null=True, blank=True, editable=False)
    refresh_ms = models.IntegerField(default=0, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["Segment"].as_manager()

    class Meta:
        constraints = [
            parent_key("segment"),
            models.UniqueConstraint(fields=["account", "public_id"], name="segment_public_id"),
            models.CheckConstraint(
                name="a_segment_has_a_known_type", condition=models.Q(type__in=["static", "dynamic", "imported"])
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_dynamic(self) -> bool:
        return self.type == SegmentType.DYNAMIC


class SegmentMember(models.Model):
    """One customer in one version of a segment.

    Written by statements that select customers of the segment's account, a million at a time: a foreign key would
    double what that takes (as with histories).
    """

    pk = models.CompositePrimaryKey("segment_id", "version", "customer_id")
    account_id = models.BigIntegerField()
    segment_id = models.BigIntegerField()
    version = models.IntegerField()
    customer_id = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.customer_id} in {self.segment_id}"


class AudienceLimit(Owned):
    """How many people an account may reach at once on a channel, where that is fewer than everybody may."""

    channel = models.CharField(max_length=20)
    most = models.IntegerField()

    objects = AccountQuerySet["AudienceLimit"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "channel"], name="audience_limit_once"),
            models.CheckConstraint(name="audience_limit_is_a_count", condition=models.Q(most__gte=0)),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.most}"
