"""The lease: a hint which rows are due, so that nobody has to look for them in the big table."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class Lease(models.Model):
    """A range of ids, or a short list, of rows of one queue that may be worked on.

    No truth lives here: rows keep their status, and a lease may be run twice. `turn` counts the leases
    of one scope, so that taking by (turn, id) goes round the scopes and a large one starves no small one.
    """

    account_id = models.BigIntegerField()
    queue = models.CharField(max_length=60)
    scope_id = models.BigIntegerField()
    turn = models.IntegerField(db_default=0)
    lo = models.BigIntegerField(null=True)
    hi = models.BigIntegerField(null=True)
    ids = ArrayField(models.BigIntegerField(), null=True)
    due_at = models.DateTimeField(db_default=Now())
    owner = models.BigIntegerField(null=True)
    taken_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "lifecycle_lease"
        indexes = [
            models.Index(fields=["queue", "turn", "id"], condition=models.Q(owner=None), name="lease_free"),
            models.Index(fields=["owner"], condition=models.Q(owner__isnull=False), name="lease_taken"),
            models.Index(fields=["queue", "scope_id"], name="lease_scope"),
        ]
        constraints = [
            models.CheckConstraint(
                name="a_lease_is_a_range_or_a_list",
                condition=models.Q(ids__isnull=True, lo__isnull=False, hi__isnull=False)
                | models.Q(ids__isnull=False, lo__isnull=True, hi__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.queue} {self.scope_id}: {self.ids or (self.lo, self.hi)}"
