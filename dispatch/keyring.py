"""Which account a webhook is for: connections with an address of their own, and the secrets that verify.

A secret verifies for one account only, so no two connections share one. After a rotation the old one is good for
another day. A process keeps what it opened for a second: a rotation or a new connection shows after that at the latest.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import Connection
from accounts.secrets import keyed_hash
from campaigns_project.models import AuditEntry
from campaigns_project.refusals import Conflict, Invalid
from dispatch.models import WebhookConnection, WebhookSecret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from accounts.models import Account

OVERLAP = timedelta(hours=24)
# How many connections of a provider its bare address tries.
MOST_TRIED = 64
KEPT_SECONDS = 1.0
SHORTEST, LONGEST = 16, 500
# What already verifies because the account sends through this provider: its name among the credentials, and its kind.
CREDENTIALS = {
    "twilio": ("auth_token", WebhookSecret.Kind.SHARED),
    "sendgrid": ("webhook_public_key", WebhookSecret.Kind.PUBLIC_KEY),
}


class SecretTaken(Conflict):
    code = "secret_taken"
    message = "Another connection uses this secret. Each needs one of its own."


@dataclass(frozen=True)
class Key:
    """A secret, until when it is good (unix seconds), and what it can do."""

    kind: str
    text: str
    until: float


@dataclass(frozen=True)
class Keys:
    """What verifies for one connection."""

    webhook: int
    account: int
    token: str
    keys: tuple[Key, ...]

    def live(self, now: float) -> list[Key]:
        return [key for key in self.keys if now < key.until]


@dataclass(frozen=True)
class Rotated:
    """A connection with its new secret, which nobody is shown again; the old one is good until `old_until`."""

    connection: WebhookConnection
    secret: str
    old_until: Any


def connection_of(account: Account, provider: str) -> WebhookConnection:
    """The account's connection; it is made when there is none."""
    return WebhookConnection.objects.get_or_create(account=account, provider=provider)[0]


def rotate(account: Account, provider: str, *, given: str = "", kind: str = "shared", by: Any) -> Rotated:
    """Make `given`, or a new random secret, the present one of its kind. The one before is good for another 24 hours,
    the one before that no longer. The present one given again changes nothing.

    Raises Invalid for what is too short to be a secret, SecretTaken when another connection has it.
    """
    if given and not (SHORTEST <= len(given) <= LONGEST and given.isascii() and given.isprintable()):
        raise Invalid(details={"secret": [f"A secret has {SHORTEST} to {LONGEST} characters of ASCII."]})
    text = given or secrets.token_urlsafe(32)
    with transaction.atomic():
        webhook = WebhookConnection.objects.select_for_update().get(pk=connection_of(account, provider).pk)
        known = webhook.secrets.filter(kind=kind)
        if not known.filter(valid_until=None, fingerprint=_fingerprint(text)).exists():
            _replace(webhook, known, text, kind)
            target = f"{provider} webhook"
            AuditEntry.objects.create(account=account, actor=by, action="webhook.rotate_secret", target=target)
        old = known.filter(valid_until__gt=Now()).values_list("valid_until", flat=True).first()
    forget()
    return Rotated(webhook, text, old)


def disconnect(account: Account, provider: str, **_said: Any) -> None:
    """Nothing verifies for the account's webhooks of this provider any more, and its address is gone."""
    WebhookConnection.objects.for_account(account).filter(provider=provider).delete()
    transaction.on_commit(forget)


def end_old(webhook: WebhookConnection) -> int:
    """Only the present secrets verify from now on. Returns how many old ones there were."""
    ended, _ = webhook.secrets.exclude(valid_until=None).delete()
    forget()
    return ended


def _replace(webhook: WebhookConnection, known: Any, text: str, kind: str) -> None:
    over = Q(valid_until__lte=Now()) & Q(fingerprint=_fingerprint(text))
    WebhookSecret.objects.filter(over).delete()
    # Of the secrets before, only the present one goes on for a day.
    known.exclude(valid_until=None).delete()
    known.update(valid_until=timezone.now() + OVERLAP)
    secret = WebhookSecret(account_id=webhook.account_id, webhook=webhook, kind=kind, fingerprint=_fingerprint(text))
    secret.text = text
    try:
        with transaction.atomic():
            secret.save()
    except IntegrityError as error:
        raise SecretTaken from error


def _fingerprint(text: str) -> str:
    return keyed_hash("webhook-secret", text)


# What verifies, opened and kept for a moment.

_kept: dict[tuple[str, str], tuple[float, Sequence[Keys]]] = {}
MOST_KEPT = 10_000
_NEVER: tuple[float, Sequence[Keys]] = (float("-inf"), ())
_opening = Lock()
PATIENCE = 0.05


def forget() -> None:
    """Look everything up again."""
    _kept.clear()


def keys_at(provider: str, token: str) -> Sequence[Keys]:
    """What verifies at a connection's own address: one `Keys`, or none when there is no such address."""
    return _opened((provider, token), lambda: WebhookConnection.objects.filter(provider=provider, token=token))


def keys_of(provider: str) -> Sequence[Keys]:
    """What verifies at the bare address: that of the provider's 64 oldest connections."""
    return _opened(
        (provider, ""), lambda: WebhookConnection.objects.filter(provider=provider).order_by("pk")[:MOST_TRIED]
    )


def keys_for(account: Account, provider: str) -> Sequence[Keys]:
    """What verifies for one account, which has a webhook connection from now on if it sends through the provider."""
    known = WebhookConnection.objects.filter(account=account, provider=provider).first()
    if known is None and not Connection.objects.filter(account=account, provider=provider).exists():
        return ()
    return keys_at(provider, (known or connection_of(account, provider)).token)


def _opened(name: tuple[str, str], rows: Callable[[], Iterable[WebhookConnection]]) -> Sequence[Keys]:
    # What a transaction sees may never be committed.
    if connection.in_atomic_block:
        return _open(list(rows()), name[0])
    at, found = _kept.get(name, _NEVER)
    if time.monotonic() - at < KEPT_SECONDS:
        return found
    # One looks it up for all who ask at that moment; who has waited for long looks alone.
    mine = _opening.acquire(timeout=PATIENCE)
    try:
        at, found = _kept.get(name, _NEVER)
        if time.monotonic() - at < KEPT_SECONDS:
            return found
        return _looked_up(name, rows)
    finally:
        if mine:
            _opening.release()


def _looked_up(name: tuple[str, str], rows: Callable[[], Iterable[WebhookConnection]]) -> Sequence[Keys]:
    found = _open(list(rows()), name[0])
    if found:
        if len(_kept) >= MOST_KEPT:
            forget()
        _kept[name] = (time.monotonic(), found)
    return found


def _open(webhooks: Sequence[WebhookConnection], provider: str) -> Sequence[Keys]:
    keys: dict[int, list[Key]] = {webhook.account_id: [] for webhook in webhooks}
    for secret in WebhookSecret.objects.filter(webhook__in=[webhook.pk for webhook in webhooks]).order_by("pk"):
        until = secret.valid_until.timestamp() if secret.valid_until else float("inf")
        keys[secret.account_id].append(Key(secret.kind, secret.text, until))
    name, kind = CREDENTIALS.get(provider, ("", ""))
    for credentials in Connection.objects.filter(provider=provider, account__in=list(keys)) if name else ():
        if text := credentials.secret.get(name):
            keys[credentials.account_id].append(Key(kind, text, float("inf")))
    return [Keys(each.pk, each.account_id, each.token, tuple(keys[each.account_id])) for each in webhooks]


# Deliveries that were refused are counted a second at a time: a flood of forgeries must not become one of writes.

_refused: Counter[int] = Counter()
_counted_at = [0.0]


def refused(webhook: int) -> None:
    """Count a delivery to this connection's own address whose signature was wrong."""
    _refused[webhook] += 1
    if time.monotonic() - _counted_at[0] < KEPT_SECONDS:
        return
    _counted_at[0] = time.monotonic()
    for pk, times in [(pk, _refused.pop(pk)) for pk in list(_refused)]:
        WebhookConnection.objects.filter(pk=pk).update(refused=F("refused") + times, refused_at=Now())
