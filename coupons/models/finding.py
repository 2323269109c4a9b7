"""What a search index has still to be told of coupon campaigns."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from accounts.scoping import AccountQuerySet, Owned


class SearchChange(Owned):
    """A campaign that was made, changed in what is searched for, or removed.

    Written by triggers, in the transaction of the change; taken away once the index has it. The id is the version of
    the index's document: changes of one campaign are in its order, because they hold the campaign's row.
    """

    campaign_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["SearchChange"].as_manager()

    class Meta:
        indexes = [models.Index(fields=["account", "id"], name="search_change_of_account")]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.id}"
