"""An account's credentials at a provider: kept sealed, shown never, changed with an audit entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from accounts.models import Connection
from campaigns_project.models import AuditEntry
from campaigns_project.refusals import Conflict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from accounts.models import Account


class ConnectionTaken(Conflict):
    code = "connection_taken"
    message = "Another account uses these credentials or this sender."


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
