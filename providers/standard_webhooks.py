"""Standard Webhooks (standardwebhooks.com): how a webhook says who sent it, and how that is checked.

Signed is `{id}.{unix seconds}.{body}`; a signature is `v1,` and the base64 of HMAC-SHA256. Several stand side by side,
parted by spaces, while a secret is being replaced. Svix sends the same under headers of its own name.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX = "whsec_"
VERSION = "v1"
TOLERANCE_SECONDS = 300
# The standard asks for 24 to 64 bytes.
SECRET_BYTES = 24
MOST_SIGNATURES = 10
_NAMES = ("webhook", "svix")


def new_secret() -> str:
    """`whsec_` and the base64 of 24 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,…` over one message. Raises ValueError for a secret that is none."""
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return f"{VERSION},{base64.b64encode(_digest(_key(secret), signed)).decode()}"


def headers(live: Iterable[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers, with one signature for each live secret."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, message_id, timestamp, body) for secret in live),
    }


def verify(live: Iterable[str], given: Mapping[str, str], body: bytes, *, now: float) -> bool:
    """Whether one of the `live` secrets signed this body, within five minutes of `now` (unix seconds).

    `given` are the headers in lower case, `webhook-…` or `svix-…`. Nothing in them, however malformed, raises.
    """
    for name in _NAMES:
        message_id, at, said = (given.get(f"{name}-{part}", "") for part in ("id", "timestamp", "signature"))
        if message_id and at and said:
            return _is_recent(at, now) and _is_signed(
                live, f"{message_id}.{at}.".encode("utf-8", "replace"), said, body
            )
    return False


def _is_recent(at: str, now: float) -> bool:
    # Ten digits reach to the year 2286.
    plain = at.isascii() and at.isdigit() and len(at) <= 10  # noqa: PLR2004
    return plain and abs(int(at) - now) <= TOLERANCE_SECONDS


def _is_signed(live: Iterable[str], head: bytes, said: str, body: bytes) -> bool:
    claimed = [digest for each in said.split(" ")[:MOST_SIGNATURES] if (digest := _claimed(each))]
    fits = False
    for secret in live:
        expected = _digest(_key(secret), head + body)
        for digest in claimed:
            # All of them always, so that the time says nothing.
            fits |= hmac.compare_digest(expected, digest)
    return fits


def _claimed(text: str) -> bytes:
    version, _, digest = text.partition(",")
    try:
        return base64.b64decode(digest, validate=True) if version == VERSION else b""
    except ValueError:  # binascii's, and that of what is not ASCII
        return b""


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError("A secret is whsec_ and base64.")
    return key


def _digest(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, signed, "sha256")
