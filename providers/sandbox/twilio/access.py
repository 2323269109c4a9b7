"""Who calls: HTTP Basic with an AccountSid or an API key, as Twilio reads it."""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache

from providers.sandbox.twilio.errors import TwilioError

ACCOUNT = r"AC[0-9A-Za-z]{32}"
_ACCOUNT = re.compile(ACCOUNT)


@lru_cache(maxsize=4096)
def _credentials(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, secret


def caller(authorization: str, account: str = "") -> tuple[str, str]:
    """Account and secret of the caller; the secret is empty when it is not the account's own token.

    TwilioError 20003 unless they may speak for `account` (any account of theirs, when empty).
    """
    user, secret = _credentials(authorization)
    if not secret:
        raise TwilioError(20003)
    if user.startswith("SK") and account:
        return account, ""
    if not _ACCOUNT.fullmatch(user) or account not in ("", user):
        raise TwilioError(20003)
    return user, secret
