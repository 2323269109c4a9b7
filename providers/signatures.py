"""Whether a webhook really comes from whom it says: a function for each scheme, pure and constant in time.

None of them raises: what is malformed is not genuine. `now` is in unix seconds. Where a scheme has a time, it is part
of what is signed and must be within 300 s. Twilio's scheme is in `providers.twilio`.
"""

from __future__ import annotations

import base64
import hmac
import re
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

TOLERANCE_SECONDS = 300
MILLISECONDS = 1000

# No unit in which fifteen digits would be near the present is in use; longer ones are not read at all.
_DIGITS = re.compile(r"[0-9]{1,15}")
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_SIGNED_ECDSA = ec.ECDSA(SHA256())
# What HubSpot decodes in an address before it signs it.
_HUBSPOT_ESCAPES = re.compile("%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


def is_fresh(timestamp: str, now: float, *, unit: int = 1) -> bool:
    """Whether a time (a whole number of `1/unit` seconds, or ISO 8601 with an offset) is at most 300 s from `now`."""
    if _DIGITS.fullmatch(timestamp):
        seconds = int(timestamp) // unit
    elif unit == 1 and _ISO.fullmatch(timestamp):
        try:
            seconds = int(datetime.fromisoformat(timestamp).timestamp())
        except ValueError:
            return False
    else:
        return False
    return abs(int(now) - seconds) <= TOLERANCE_SECONDS


def is_stamped(secret: str, *, timestamp: str, signature: str, body: bytes, now: float, unit: int = 1) -> bool:
    """Hex HMAC-SHA256 over "{timestamp}.{body}", with or without `sha256=` before it.

    The pair X-Webhook-Signature and X-Webhook-Timestamp, and Lob's (https://docs.lob.com, in milliseconds).
    """
    expected = hmac.digest(secret.encode(), timestamp.encode(errors="replace") + b"." + body, "sha256").hex()
    return _same(expected, signature.removeprefix("sha256=")) and is_fresh(timestamp, now, unit=unit)


def is_listed(secret: str, header: str, body: bytes, now: float) -> bool:
    """Stripe's and PostGrid's one header: `t=1795228974,v1=hex[,v1=hex]` (https://docs.stripe.com/webhooks)."""
    parts = [part.strip().partition("=") for part in header[:1000].split(",")]
    stamp = next((value for name, _, value in parts if name == "t"), "")
    given = [value for name, _, value in parts if name == "v1"]
    # All are compared, whatever the first says.
    found = [is_stamped(secret, timestamp=stamp, signature=each, body=body, now=now) for each in given]
    return any(found)


def is_signed_body(secret: str, signature: str, body: bytes, *, encoding: str = "hex") -> bool:
    """HMAC-SHA256 over the body alone: Stannp in hex, Shopify in base64. Nothing says when; keep their ids."""
    expected = hmac.digest(secret.encode(), body, "sha256")
    return _same(expected.hex() if encoding == "hex" else base64.b64encode(expected).decode(), signature)


def is_sendgrids(public_key: str, *, timestamp: str, signature: str, body: bytes, now: float) -> bool:
    """ECDSA over timestamp + body; `public_key` is what SendGrid shows as verification key (base64 DER, or PEM).

    https://docs.sendgrid.com/for-developers/tracking-events/getting-started-event-webhook-security-features
    """
    key = sendgrid_key(public_key)
    if key is None:
        return False
    try:
        signed = base64.b64decode(signature, validate=True)
        key.verify(signed, timestamp.encode() + body, _SIGNED_ECDSA)
    except (ValueError, InvalidSignature):
        return False
    return is_fresh(timestamp, now)


@lru_cache(maxsize=256)
def sendgrid_key(text: str) -> ec.EllipticCurvePublicKey | None:
    """The key that a text is, or None when it is none on P-256."""
    try:
        if "BEGIN" in text:
            key = load_pem_public_key(text.encode())
        else:
            key = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) else None


def is_hubspots(secret: str, *, method: str, url: str, timestamp: str, signature: str, body: bytes, now: float) -> bool:
    """Version 3: base64 HMAC-SHA256 over method + address + body + milliseconds, by the app's client secret.

    https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation
    """
    address = _HUBSPOT_ESCAPES.sub(lambda found: chr(int(found[1], 16)), url)
    signed = (method + address).encode(errors="replace") + body + timestamp.encode(errors="replace")
    expected = base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()
    return _same(expected, signature) and is_fresh(timestamp, now, unit=MILLISECONDS)


def is_secret(secret: str, given: str) -> bool:
    """Mailchimp does not sign: a secret in the address must do (https://mailchimp.com/developer/marketing/guides)."""
    return _same(secret, given)


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode(errors="replace"))
