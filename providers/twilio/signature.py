"""Whether a request really is Twilio's: https://www.twilio.com/docs/usage/webhooks/webhooks-security."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from twilio.request_validator import RequestValidator, add_port, get_signature_algorithm, remove_port

if TYPE_CHECKING:
    from collections.abc import Mapping


def verify_signature(
    url: str,
    params: Mapping[str, str] | bytes,
    header: str | None,
    auth_token: str,
    *,
    settings_header: str | None = None,
) -> bool:
    """Whether `header` (X-Twilio-Signature) signs this request with `auth_token`. Never raises.

    `url` is the public one, with its query, as Twilio called it. `params` are the form's fields (a `Form`, so that
    repeated ones count), or the raw body when it is not a form: then the URL must carry its `bodySHA256`.
    `settings_header` (X-Twilio-Webhooks-Signature-Settings) names the algorithm; the secret for HMAC_SHA256 is a
    SharedKey instead of the account's token.
    """
    if not header or not auth_token:
        return False
    try:
        expected = _expected(url, params, auth_token, settings_header)
        given = header.encode()
    except ValueError:
        # An URL that is none, an unknown algorithm, characters that no encoding has.
        return False
    # Both are compared whatever the first says. SDK's `compare` is not used: it takes time by where they differ.
    matches = [hmac.compare_digest(each.encode(), given) for each in expected]
    return any(matches)


def _expected(url: str, params: Mapping[str, str] | bytes, auth_token: str, settings_header: str | None) -> list[str]:
    parsed = urlsplit(url)
    if isinstance(params, bytes):
        if parse_qs(parsed.query).get("bodySHA256") != [sha256(params).hexdigest()]:
            return []
        params = {}
    validator = RequestValidator(auth_token)
    algorithm = get_signature_algorithm(settings_header)
    # Twilio signs the URL sometimes with the port and sometimes without.
    return [validator.compute_signature(each, params, algorithm) for each in (remove_port(parsed), add_port(parsed))]
