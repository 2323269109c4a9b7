"""How the ledger of consent knows an address: by a keyed hash, so that it can outlive the address."""

from __future__ import annotations

from django.db import models

from accounts.secrets import keyed_hash


class Channel(models.TextChoices):
    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    WHATSAPP = "whatsapp"
    MAIL = "mail"


def address_hash(account_id: int, channel: str, address: str) -> str:
    """How the ledger knows an address: a phone (E.164) or e-mail address hashes alike on every channel."""
    return keyed_hash("address", str(account_id), address.strip().lower() if channel == Channel.EMAIL else address)


def address_hashes(account_id: int, public_id: str, email: str, phone: str) -> dict[str, str]:
    """The columns of a customer by which the ledger knows them; "" where there is no address.

    Whoever writes customers past `Customer.save` (COPY, for example) fills these: PostgreSQL refuses a row without.
    """
    return {
        "email_hash": address_hash(account_id, Channel.EMAIL, email) if email else "",
        "phone_hash": address_hash(account_id, Channel.SMS, phone) if phone else "",
        "own_hash": address_hash(account_id, Channel.PUSH, public_id),
    }
