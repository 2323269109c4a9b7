"""Webhooks that were stored, applied: reports of messages go to `crm.customers.feedback`, all else into the stream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.db import connection

from accounts.models import Account
from crm import events
from crm.customers import feedback
from crm.customers.feedback import Feedback
from crm.webhooks_in import payloads
from dispatch import inbox
from dispatch.receiving import UNCOUNTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crm.events import Happened
    from crm.models import Customer
    from dispatch.models import InboxEntry

# Names as JSON and forms write them, whole.
BLANK = """
UPDATE dispatch_inboxentry SET body = '{}', headers = '{}',
    result = CASE WHEN result = 'waiting' THEN 'no_effect' ELSE result END
WHERE account_id = %s AND provider = ANY(%s) AND kind = ANY(%s) AND EXISTS (
    SELECT FROM unnest(%s::text[]) AS known(name)
    WHERE position(known.name IN lower(convert_from(body, 'UTF8')) || '&') > 0)
"""

# How the inbox knows these webhooks; what the provider's table does not name is `receiving.UNCOUNTED`.
KIND = "event"


def listen() -> None:
    """Have the inbox apply what providers say by `apply`."""
    for provider in payloads.PROVIDERS:
        for kind in (KIND, UNCOUNTED):
            inbox.handles(provider, kind, apply)


def forget(customer: Customer) -> None:
    """Blank the webhooks that name the person. What they did stays done; what waits is not applied any more."""
    names = [each.lower() for each in (customer.email, customer.phone) if each]
    named = [f'"{each}"' for each in names] + [f"={quote(each, safe='').lower()}&" for each in names]
    with connection.cursor() as cursor:
        kinds, providers = [KIND, UNCOUNTED], list(payloads.PROVIDERS)
        cursor.execute(BLANK, [customer.account_id, providers, kinds, named])


def apply(entries: Sequence[InboxEntry]) -> list[bool]:
    """Handler of these kinds: take in what is new. True where something was. Raises Unreadable."""
    read = [(entry, said_in(entry)) for entry in entries]
    changed: dict[int, bool] = {}
    for account in Account.objects.filter(pk__in={entry.account_id for entry in entries}):
        mine = [(entry.pk, said) for entry, said in read if entry.account_id == account.pk]
        changed |= _take(account, mine)
    return [changed.get(entry.pk, False) for entry in entries]


def item_of(entry: InboxEntry) -> Any:
    """The event as the provider said it: an object, or whatever stood in its place."""
    form = entry.headers.get("Content-Type", "").startswith(payloads.FORM)
    text = bytes(entry.body)
    return payloads.items_of(text, form=True)[0] if form else json.loads(text)


def said_in(entry: InboxEntry) -> Feedback | Happened | None:
    attempt = entry.context.get("attempt", "")
    return payloads.read(entry.provider, item_of(entry), received_at=entry.received_at, attempt=attempt)


def _take(account: Account, said: Sequence[tuple[int, Feedback | Happened | None]]) -> dict[int, bool]:
    reports = [(pk, each) for pk, each in said if isinstance(each, Feedback)]
    news = feedback.take(account, [report for _, report in reports])
    changed = {pk: new for (pk, _), new in zip(reports, news, strict=True)}
    for pk, each in said:
        if isinstance(each, events.Happened):
            changed[pk] = bool(events.store(account, [each]))
    return changed
