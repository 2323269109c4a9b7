"""Providers that deliver: each signs as it does, or by the generic pair of headers."""

import base64
import hmac
import json
import time
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.conf import settings
from twilio.request_validator import RequestValidator

from dispatch import keyring
from dispatch.models import WebhookSecret
from tests.factories import AccountFactory

PREFIX = "/api/v1/marketing/webhooks"
FORM = "application/x-www-form-urlencoded"
SECRET = "a secret of the sender"
# The key pair of the published vectors.
PRIVATE = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())
PUBLIC = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE02AzL62byDr6/0p0DeilFr8bj7P942D/HQOXnB+UPuLopmAH/SdrAnEmXG2wksSgxeuMRf3EN"
    "lAsiglfXVdF8g=="
)
OPENED = {
    "event_type": "email.opened",
    "email": "customer@example.com",
    "campaign_id": "camp_001",
    "timestamp": "2026-01-24T18:30:00Z",
}


def connected(provider="sendgrid", *, account=None, secret=SECRET, kind=WebhookSecret.Kind.SHARED):
    """A connection whose provider signs with `secret`."""
    return keyring.rotate(account or AccountFactory(), provider, given=secret, kind=kind, by=None).connection


def path_of(connection, query=""):
    return f"{PREFIX}/{connection.provider}/{connection.token}{query}"


def stamped(body, *, secret=SECRET, at=None):
    """The generic headers."""
    stamp = str(int(time.time()) if at is None else at)
    made = hmac.digest(secret.encode(), stamp.encode() + b"." + body, "sha256").hex()
    return {"X-Webhook-Signature": made, "X-Webhook-Timestamp": stamp}


def by_sendgrid(body, *, at=None):
    stamp = str(int(time.time()) if at is None else at)
    signed = base64.b64encode(PRIVATE.sign(stamp.encode() + body, ec.ECDSA(SHA256()))).decode()
    name = "X-Twilio-Email-Event-Webhook"
    return {f"{name}-Signature": signed, f"{name}-Timestamp": stamp}


def by_twilio(path, form, *, secret=SECRET):
    return {"X-Twilio-Signature": RequestValidator(secret).compute_signature(settings.PUBLIC_BASE_URL + path, form)}


def by_hubspot(path, body, *, secret=SECRET):
    stamp = str(int(time.time() * 1000))
    signed = f"POST{settings.PUBLIC_BASE_URL}{path}".encode() + body + stamp.encode()
    made = base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()
    return {"X-HubSpot-Signature-v3": made, "X-HubSpot-Request-Timestamp": stamp}


def post(client, path, body, headers, content_type="application/json"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.generic("POST", path, body, content_type=content_type, headers=headers)


def says(client, connection, said, *, secret=SECRET, path=None):
    """What a sender with the secret says by the generic headers."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return post(client, path or path_of(connection), body, stamped(body, secret=secret))


def form_of(fields):
    return urlencode(fields).encode()
