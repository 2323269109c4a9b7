"""Browsers that take pushes for a customer: added by the merchant's page, forgotten when they are gone.

A push goes to the browser that subscribed last: one message a person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from crm.models import Customer, PushSubscription
from providers.base import Subscription
from providers.webpush import check_subscription

if TYPE_CHECKING:
    from accounts.models import Account

NEWEST = """
(SELECT jsonb_build_object('endpoint', browser.endpoint, 'p256dh', browser.p256dh, 'auth', browser.auth)
 FROM crm_pushsubscription browser WHERE browser.customer_id = {customer} ORDER BY browser.id DESC LIMIT 1)
"""
# More are no person's; the oldest make room.
MOST_BROWSERS = 20


def subscribe(customer: Customer, *, endpoint: str, p256dh: str, auth: str) -> PushSubscription:
    """Keep a browser for this customer; one that is known has new keys, or belongs to somebody else from now on.

    Raises Invalid for an address or keys that no push could be sent with. Call it under the customer's lock.
    """
    check_subscription(Subscription(endpoint, p256dh, auth), settings.PUSH_TRUSTED)
    rows = PushSubscription.objects.for_account(customer.account)
    rows.filter(endpoint=endpoint).delete()
    kept = PushSubscription.objects.create(
        account=customer.account, customer=customer, endpoint=endpoint, p256dh=p256dh, auth=auth
    )
    too_many = rows.filter(customer=customer).order_by("-id").values_list("pk", flat=True)[MOST_BROWSERS:]
    rows.filter(pk__in=list(too_many)).delete()
    kept.refresh_from_db()
    return kept


def gone(account: Account | int, endpoint: str) -> None:
    """The push service does not know this browser any more. What the person allows stays."""
    PushSubscription.objects.for_account(account).filter(endpoint=endpoint).delete()


def forget(customer: Customer) -> None:
    """Nothing of theirs is kept."""
    PushSubscription.objects.for_account(customer.account_id).filter(customer=customer).delete()


def newest_sql(customer: str) -> str:
    """SQL: what `providers.base.Subscription` takes, as jsonb, of the customer's last browser; null without one.

    `customer` is a SQL expression, never input.
    """
    return NEWEST.format(customer=customer)
