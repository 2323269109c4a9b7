"""Whether a webhook is genuine: by the provider's own scheme, or by the generic pair of headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from crm.webhooks_in import payloads
from dispatch.models import WebhookSecret
from providers import signatures
from providers.twilio import Malformed, read_form, verify_signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dispatch.keyring import Key

# The word under which Mailchimp, which does not sign, carries the secret in its address.
SECRET = "secret"  # noqa: S105 (the name of a parameter)
_STAMPED = ("HTTP_X_WEBHOOK_SIGNATURE", "HTTP_X_WEBHOOK_TIMESTAMP")
SENDGRID = "X-Twilio-Email-Event-Webhook"


class Delivery:
    """One request of a provider's: `meta` are its WSGI variables, the base address is as the provider calls it."""

    def __init__(self, provider: str, meta: Mapping[str, Any], base: str, body: bytes) -> None:
        self.provider, self.meta, self.base, self.body = provider, meta, base, body
        self.is_form = str(meta.get("CONTENT_TYPE", "")).startswith(payloads.FORM)

    def header(self, name: str) -> str:
        """A header, "" when it is not there."""
        return str(self.meta.get("HTTP_" + name.upper().replace("-", "_"), ""))

    @property
    def url(self) -> str:
        """The address as the provider called it."""
        asked = self.meta.get("QUERY_STRING")
        return f"{self.base}{self.meta['PATH_INFO']}{f'?{asked}' if asked else ''}"

    @property
    def query(self) -> dict[str, str]:
        asked = self.meta.get("QUERY_STRING", "")
        return dict(parse_qsl(asked[:4000])) if asked else {}

    @property
    def signed_fields(self) -> Mapping[str, str] | bytes | None:
        """What Twilio signs beside the address; None for a form that is none."""
        if not self.is_form:
            return self.body
        try:
            return read_form(self.body)
        except Malformed:
            return None


def is_genuine(delivery: Delivery, key: Key, now: float) -> bool:
    """Whether `key` signed the delivery. Never raises; `now` is in unix seconds."""
    if key.kind == WebhookSecret.Kind.PUBLIC_KEY:
        # No other scheme: what anybody may know must not be taken for a secret.
        return _by_sendgrid(delivery, key.text, now)
    own = _OWN.get(delivery.provider)
    # Both are asked, whatever the first says.
    found = [_by_headers(delivery, key.text, now), bool(own and own(delivery, key.text, now))]
    return any(found)


def _by_headers(delivery: Delivery, secret: str, now: float) -> bool:
    # By the server's own names: this one is asked of every delivery.
    signature, timestamp = (str(delivery.meta.get(name, "")) for name in _STAMPED)
    return signatures.is_stamped(secret, timestamp=timestamp, signature=signature, body=delivery.body, now=now)


def _by_sendgrid(delivery: Delivery, public_key: str, now: float) -> bool:
    signature, timestamp = (delivery.header(f"{SENDGRID}-{name}") for name in ("Signature", "Timestamp"))
    return signatures.is_sendgrids(public_key, timestamp=timestamp, signature=signature, body=delivery.body, now=now)


def _by_twilio(delivery: Delivery, token: str, _now: float) -> bool:
    header, chosen = delivery.header("X-Twilio-Signature"), delivery.header("X-Twilio-Webhooks-Signature-Settings")
    fields = delivery.signed_fields
    return fields is not None and verify_signature(delivery.url, fields, header, token, settings_header=chosen or None)


def _by_mailchimp(delivery: Delivery, secret: str, _now: float) -> bool:
    return signatures.is_secret(secret, delivery.query.get(SECRET, ""))


def _by_hubspot(delivery: Delivery, secret: str, now: float) -> bool:
    return signatures.is_hubspots(
        secret,
        method="POST",
        url=delivery.url,
        timestamp=delivery.header("X-HubSpot-Request-Timestamp"),
        signature=delivery.header("X-HubSpot-Signature-v3"),
        body=delivery.body,
        now=now,
    )


_OWN = {"twilio": _by_twilio, "mailchimp": _by_mailchimp, "hubspot": _by_hubspot}
