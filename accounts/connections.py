"""An account's credentials at a provider: kept sealed, shown never, changed with an audit entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from accounts.models import Connection
from campaigns_project.models import AuditEntry
from campaigns_project.refusals import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from accounts.models import Account

    Follower = Callable[..., None]

# What merchants call the providers.
NAMES = {"sendgrid": "SendGrid", "smtp": "The mail server", "twilio": "Twilio", "mailchimp": "Mailchimp",
         "hubspot": "HubSpot", "shopify": "Shopify"}  # fmt: skip
_followers: list[Follower] = []


class ConnectionTaken(Conflict):
    code = "connection_taken"
    message = "Another account uses these credentials or this sender."


def on_disconnect(follow: Follower) -> None:
    """`follow(account, provider, by=…, reason=…)` runs in the transaction in which the account lets a provider go: stop
    what needs it, forget what it was trusted by. Call this in AppConfig.ready().
    """
    _followers.append(follow)


def disconnect(account: Account, provider: str, *, by: Any, reason: str = "") -> None:
    """Forget the account's credentials at `provider` and all that came of them. Doing so twice changes nothing.

    Nothing is sent through it after the next turn of the senders; what is being handed over cannot be called back.
    """
    said = f"{NAMES.get(provider, provider)} was disconnected{f': {reason}' if reason else ''}"[:200]
    with transaction.atomic():
        Connection.objects.for_account(account).filter(provider=provider).delete()
        for follow in _followers:
            follow(account, provider, by=by, reason=said)
        AuditEntry.objects.create(
            account=account, actor=by, action="disconnect", target=f"{provider} connection", reason=reason
        )


def connect(
    account: Account,
    provider: str,
    *,
    external_id: str,
    sender: str,
    secret: Mapping[str, str],
    by: Any,
    rate_per_second: int = 80,
    sender_name: str = "",
    sms_sender: str = "",
) -> Connection:
    """Keep new credentials for `provider`, or replace those the account has; a refusal by the provider is forgotten.

    An account has one connection for e-mail: SendGrid replaces a mail server, and the other way round.
    Raises ConnectionTaken when another account has the same external id or sender.
    """
    replaced = Connection.MAIL if provider in Connection.MAIL else (provider,)
    connection = Connection.objects.for_account(account).filter(provider__in=replaced).first()
    action = "replace_connection" if connection else "connect"
    connection = connection or Connection(account=account, provider=provider)
    connection.provider, connection.external_id = provider, external_id
    connection.sender, connection.sender_name, connection.sms_sender = sender, sender_name, sms_sender
    connection.secret = dict(secret)
    connection.rate_per_second = rate_per_second
    connection.refused_at = None
    try:
        with transaction.atomic():
            connection.save()
            AuditEntry.objects.create(account_id=account.pk, actor=by, action=action, target=str(connection)[:120])
    except IntegrityError as error:
        raise ConnectionTaken from error
    return connection
