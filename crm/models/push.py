"""The browsers that take our pushes."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned
from campaigns_project.models import new_public_id


def new_subscription_id() -> str:
    return new_public_id("push_")


class PushSubscription(Owned):
    """One browser of a customer's, in the words of its `PushSubscription`: where it listens, and its public keys.

    `auth` is what makes a push unreadable to the push service; it is shown to nobody.
    """

    public_id = models.CharField(max_length=40, default=new_subscription_id, editable=False)
    customer = owned("crm.Customer", related_name="push_subscriptions")
    endpoint = models.CharField(max_length=1024)
    p256dh = models.CharField(max_length=100)
    auth = models.CharField(max_length=40)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["PushSubscription"].as_manager()

    class Meta:
        constraints = [
            SameAccount("customer", name="push_subscription_customer"),
            models.UniqueConstraint(fields=["account", "public_id"], name="push_subscription_public_id"),
            models.UniqueConstraint(fields=["account", "endpoint"], name="push_subscription_once"),
        ]

    def __str__(self) -> str:
        return self.public_id
