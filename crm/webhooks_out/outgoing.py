"""Webhooks to the merchant: where they go, and what is put in line for them. How they leave: `posting`.

A message is a row that is written in the transaction of what it tells (an outbox): what was committed is told, and what
was rolled back is not. It is told at least once, in no promised order; its webhook-id stays the same.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from accounts.models import Account
from campaigns_project.models import AuditEntry
from campaigns_project.refusals import Conflict, Invalid
from crm.models import WebhookDelivery, WebhookEndpoint
from crm.models.outgoing import EVERYTHING, new_message_id
from providers import standard_webhooks
from providers.posting import NotPosted, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from crm.events import Written
    from crm.models import Customer

MOST_ENDPOINTS = 20
MOST_TYPES = 50
OLD_SECRET_LIVES = timedelta(hours=24)
KEEP_DAYS = 30
TEST = "webhook.test"
TYPE = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*(?:\.\*)?")
LONGEST_TYPE = 60

# Of an event that was written before, and only found out now whose it is, everybody has been told: its `received_at` is
# before this transaction.
QUEUE = """
INSERT INTO crm_webhookdelivery (account_id, public_id, endpoint_id, event_id, type)
SELECT %(account)s, given.public_id, given.endpoint, event.id, event.type
FROM unnest(%(public_ids)s::text[], %(endpoints)s::bigint[], %(events)s::bigint[])
    AS given(public_id, endpoint, event)
JOIN crm_event event ON event.id = given.event AND event.received_at >= now()
ON CONFLICT DO NOTHING
"""

FORGET = "DELETE FROM crm_webhookdelivery WHERE begun_at < now() - make_interval(days => %(days)s)"


class TooManyEndpoints(Conflict):
    code = "too_many_endpoints"
    message = f"An account has at most {MOST_ENDPOINTS} webhook endpoints."


class EndpointOff(Conflict):
    code = "webhook_endpoint_disabled"
    message = "The endpoint is turned off; turn it on first."


def create(account: Account, *, by: Any, url: str, event_types: Sequence[str], **fields: Any) -> WebhookEndpoint:
    """A new endpoint with a secret of its own. Raises Invalid, TooManyEndpoints."""
    endpoint = WebhookEndpoint(account=account, url=url, event_types=list(event_types), **fields)
    _check(endpoint)
    endpoint.replace_secret(standard_webhooks.new_secret())
    with transaction.atomic():
        # One at a time in an account, so that the count holds.
        Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        if WebhookEndpoint.objects.for_account(account).count() >= MOST_ENDPOINTS:
            raise TooManyEndpoints
        endpoint.save(force_insert=True)
        _noted(endpoint, by, "webhook_endpoint.create")
    endpoint.refresh_from_db()
    return endpoint


def change(endpoint: WebhookEndpoint, *, by: Any, **fields: Any) -> WebhookEndpoint:
    """Another address, other types, on or off, for an endpoint whose row is locked. Raises Invalid."""
    for name, value in fields.items():
        setattr(endpoint, name, value)
    _check(endpoint)
    if "enabled" in fields:
        # Whoever turns it on or off knows why; it begins anew.
        endpoint.disabled_reason, endpoint.failing_since = "", None
    endpoint.save()
    _noted(endpoint, by, "webhook_endpoint.change")
    return endpoint


def remove(endpoint: WebhookEndpoint, *, by: Any) -> None:
    """Delete an endpoint with everything that is in line for it."""
    _noted(endpoint, by, "webhook_endpoint.delete")
    endpoint.delete()


def rotate(endpoint: WebhookEndpoint, *, by: Any) -> str:
    """A new secret for an endpoint whose row is locked; for 24 hours the old one signs beside it. Returns the new."""
    secret = standard_webhooks.new_secret()
    endpoint.replace_secret(secret, keep_old_for=OLD_SECRET_LIVES)
    endpoint.save(update_fields=["sealed", "old_secret_until"])
    _noted(endpoint, by, "webhook_endpoint.rotate")
    return secret


def _noted(endpoint: WebhookEndpoint, by: Any, action: str) -> None:
    AuditEntry.objects.create(account_id=endpoint.account_id, actor=by, action=action, target=endpoint.public_id)


def _check(endpoint: WebhookEndpoint) -> None:
    faults: dict[str, list[str]] = {}
    try:
        checked(endpoint.url, settings.WEBHOOK_TRUSTED_ORIGINS)
    except NotPosted as why:
        faults["url"] = [str(why)]
    types = endpoint.event_types
    if not 1 <= len(types) <= MOST_TYPES or len(set(types)) < len(types):
        faults["event_types"] = [f"Give 1 to {MOST_TYPES} different types."]
    elif not all(each == EVERYTHING or (len(each) <= LONGEST_TYPE and TYPE.fullmatch(each)) for each in types):
        faults["event_types"] = ["A type is like order.completed; email.* means all of a kind, * everything."]
    if faults:
        raise Invalid(details=faults)


def wants(endpoint: WebhookEndpoint, kind: str) -> bool:
    """Whether an endpoint is told of this type of event."""
    return any(
        each in (EVERYTHING, kind) or (each.endswith(".*") and kind.startswith(each[:-1]))
        for each in endpoint.event_types
    )


def queue(account: Account, written: Sequence[Written]) -> None:
    """Put events that were just written in line for whoever wants them; listens to the one stream."""
    pairs = [
        (endpoint.pk, event.id) for endpoint in _listening(account) for event in written if wants(endpoint, event.type)
    ]
    if not pairs:
        return
    names: dict[str, Any] = {
        "account": account.pk,
        "public_ids": [new_message_id() for _ in pairs],
        "endpoints": [endpoint for endpoint, _ in pairs],
        "events": [event for _, event in pairs],
    }
    with connection.cursor() as cursor:
        cursor.execute(QUEUE, names)


def tell(account: Account, kind: str, said: Callable[[], dict[str, Any]]) -> None:
    """Put something that is no event of the stream in line. It names no person but by our own id.

    What is `said` is asked only when somebody listens.
    """
    wanting = [endpoint for endpoint in _listening(account) if wants(endpoint, kind)]
    if wanting:
        data = said()
        rows = [WebhookDelivery(account=account, endpoint=endpoint, type=kind, data=data) for endpoint in wanting]
        WebhookDelivery.objects.bulk_create(rows)


def test(endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Put a message that says nothing in line. Raises EndpointOff."""
    if not endpoint.enabled:
        raise EndpointOff
    said = {"message": "This is a test. Nothing happened."}
    delivery = WebhookDelivery.objects.create(account=endpoint.account, endpoint=endpoint, type=TEST, data=said)
    delivery.refresh_from_db()
    return delivery


def replay(delivery: WebhookDelivery) -> WebhookDelivery:
    """Send a message again, under its old id, however it ended. Raises EndpointOff."""
    if not delivery.endpoint.enabled:
        raise EndpointOff
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        next_try_at=Now(), begun_at=Now(), delivered_at=None, tries=0, error=""
    )
    delivery.refresh_from_db()
    return delivery


def forget(customer: Customer) -> None:
    """What a merchant answered may name the person: it goes with them."""
    theirs = WebhookDelivery.objects.for_account(customer.account_id).filter(event__customer=customer)
    theirs.update(response_body="")


def forget_old() -> int:
    """Delete what is older than KEEP_DAYS, also what waits for an endpoint that is off; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, {"days": KEEP_DAYS})
        return int(cursor.rowcount)


def _listening(account: Account) -> Iterable[WebhookEndpoint]:
    return WebhookEndpoint.objects.for_account(account).filter(enabled=True).order_by("pk")
