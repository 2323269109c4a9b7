"""Sealing of secrets and keyed hashes of addresses, both under DATA_KEY."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from functools import lru_cache

from cryptography.fernet import Fernet
from django.conf import settings


def seal(value: dict[str, str]) -> bytes:
    """Encrypt a small JSON object for storage."""
    return Fernet(settings.DATA_KEY).encrypt(json.dumps(value, sort_keys=True).encode())


def open_sealed(sealed: bytes) -> dict[str, str]:
    """The object that `seal` was given. Raises cryptography's InvalidToken under another key."""
    opened: dict[str, str] = json.loads(Fernet(settings.DATA_KEY).decrypt(sealed))
    return opened


def keyed_hash(purpose: str, *parts: str) -> str:
    """64 hex digits that only a holder of DATA_KEY can make; `purpose` keeps uses apart."""
    return hmac.digest(_key(settings.DATA_KEY, purpose), "\x1f".join(parts).encode(), "sha256").hex()


@lru_cache(maxsize=64)
def _key(data_key: str, purpose: str) -> bytes:
    return hashlib.sha256(base64.urlsafe_b64decode(data_key) + purpose.encode()).digest()
