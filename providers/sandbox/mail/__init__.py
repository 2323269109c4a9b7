"""E-mail as the sandbox plays it: SendGrid's API with its signed events, and a mail server."""

from providers.sandbox.mail.sendgrid import SendGrid
from providers.sandbox.mail.smtp import Smtp

__all__ = ["SendGrid", "Smtp"]
