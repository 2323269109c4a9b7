"""The one Mailer of a process: it sends through whichever provider the credentials belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.conf import settings

from providers.base import SendGridKey, SmtpServer
from providers.email.sendgrid import SendGrid
from providers.email.smtp import Smtp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from providers.base import Email, MailCredentials, Outcome, Security


def credentials_of(provider: str, secret: Mapping[str, str]) -> MailCredentials:
    """What a connection's opened secret says. KeyError when something is missing."""
    if provider == "sendgrid":
        return SendGridKey(secret["api_key"])
    return SmtpServer(
        host=secret["host"],
        port=int(secret["port"]),
        username=secret["username"],
        password=secret["password"],
        security=cast("Security", secret["security"]),
    )


class Post:
    """A Mailer; see `providers.base`."""

    name = "email"

    def __init__(self, *, sendgrid: SendGrid, smtp: Smtp, timeout: float) -> None:
        self.timeout = timeout
        self._sendgrid = sendgrid
        self._smtp = smtp

    @classmethod
    def from_settings(cls) -> Post:
        timeout = settings.MAIL_TIMEOUT_SECONDS
        return cls(
            sendgrid=SendGrid(settings.SENDGRID_API_URL, timeout=timeout, connections=settings.SENDGRID_CONNECTIONS),
            smtp=Smtp(timeout=timeout, connections=settings.SMTP_CONNECTIONS, trusted=settings.SMTP_TRUSTED),
            timeout=timeout,
        )

    async def send(self, email: Email, credentials: MailCredentials) -> Outcome:
        """Hand over once."""
        if isinstance(credentials, SendGridKey):
            return await self._sendgrid.send(email, credentials)
        return await self._smtp.send(email, credentials)

    async def close(self) -> None:
        """Give the connections back."""
        await self._sendgrid.close()
        self._smtp.close()
