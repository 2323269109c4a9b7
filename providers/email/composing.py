"""From our e-mail to Django's message: a text, perhaps HTML beside it, one recipient, and no line that is not ours."""

from __future__ import annotations

import unicodedata
from email.errors import MessageError
from email.headerregistry import Address
from typing import TYPE_CHECKING

from django.core.mail import EmailMultiAlternatives

from providers.base import Refused

if TYPE_CHECKING:
    from providers.base import Email

# What describes an e-mail to its transport is not for a campaign to say.
RESERVED = frozenset({
    "bcc", "cc", "content-transfer-encoding", "content-type", "date", "dkim-signature", "from", "message-id",
    "mime-version", "received", "reply-to", "return-path", "sender", "subject", "to",
})  # fmt: skip


class Unsendable(ValueError):  # noqa: N818  (what the e-mail is)
    """An e-mail that no provider may be given; the text says why."""


def unsendable(reason: Unsendable) -> Refused:
    """Nothing was done, and the same e-mail will not do better."""
    return Refused(code="invalid", message=str(reason)[:300])


def composed(email: Email) -> EmailMultiAlternatives:
    """Django's message. Raises Unsendable: an address that is none, a line break in a header, a reserved header."""
    _check_lines(email)
    for address in (email.to, email.sender, *filter(None, [email.reply_to])):
        _check_address(address)
    for name in email.headers:
        if name.lower() in RESERVED:
            raise Unsendable(f"the header {name} is not for a campaign to set")
    message = EmailMultiAlternatives(
        subject=email.subject,
        body=email.text,
        from_email=_named(email.sender_name, email.sender),
        to=[_named(email.to_name, email.to)],
        reply_to=[email.reply_to] if email.reply_to else None,
        headers=dict(email.headers),
    )
    if email.html:
        message.attach_alternative(email.html, "text/html")
    return message


def _check_lines(email: Email) -> None:
    said = [email.to, email.to_name, email.sender, email.sender_name, email.reply_to, email.subject, email.key]
    said += [*email.headers, *email.headers.values(), *email.metadata, *email.metadata.values()]
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for text in said for character in text):
        raise Unsendable("a header of more than one line")
    if any(unicodedata.category(character) == "Cs" for character in email.text + email.html):
        raise Unsendable("a text that no encoding has")


def _check_address(address: str) -> None:
    try:
        known = Address(addr_spec=address)
    except (ValueError, IndexError, AttributeError, MessageError):  # the standard library trips over some
        known = Address()
    if not known.username or "." not in known.domain:
        raise Unsendable("an address that is none")


def _named(name: str, address: str) -> str:
    return str(Address(display_name=name, addr_spec=address)) if name else address
