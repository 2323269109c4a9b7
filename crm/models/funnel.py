"""Who reached which stage first when, and how many did so on a day."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned


class Stage(models.TextChoices):
    """The seed's ten, in its order."""

    AWARENESS = "awareness"
    INTEREST = "interest"
    CONSIDERATION = "consideration"
    INTENT = "intent"
    EVALUATION = "evaluation"
    PURCHASE = "purchase"
    ONBOARDING = "onboarding"
    ACTIVATION = "activation"
    RETENTION = "retention"
    ADVOCACY = "advocacy"


class FirstTouch(Owned):
    """The first moment a person reached a stage; `person` is a customer's id, or a keyed hash of an address."""

    customer = owned("crm.Customer", null=True, related_name="first_touches")
    person = models.CharField(max_length=64)
    stage = models.CharField(max_length=20, choices=Stage)
    at = models.DateTimeField()

    objects = AccountQuerySet["FirstTouch"].as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "person", "stage"], name="first_touch_once"),
            SameAccount("customer", name="first_touch_customer"),
        ]
        indexes: ClassVar = [models.Index(fields=["account", "stage", "at"], name="first_touch_of_stage")]

    def __str__(self) -> str:
        return f"{self.stage} {self.at}"


class FunnelDay(Owned):
    """How many people reached a stage first on a day of the account's: the sum over the day's rows.

    PostgreSQL writes a row for every change of first touches, so that nobody waits for a counter (crm/migrations);
    `crm.funnels.first_touch.fold` makes one row of a day's many.
    """

    stage = models.CharField(max_length=20, choices=Stage)
    day = models.DateField()
    people = models.BigIntegerField()
    folded = models.BooleanField(default=False, db_default=False)

    objects = AccountQuerySet["FunnelDay"].as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "stage", "day"],
                include=["people"],
                condition=models.Q(folded=True),
                name="funnel_day_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["account", "stage", "day"], condition=models.Q(folded=False), name="funnel_day_unfolded"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stage} {self.day}"
