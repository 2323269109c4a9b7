"""SendGrid's mail/send: put into words by django-anymail, carried by our own pool, which knows what became of a call.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send. Anymail's own way out is a blocking session that
cannot tell a call that never left from one without an answer.
"""

from __future__ import annotations

import time
import warnings
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from anymail.backends.sendgrid import EmailBackend
from anymail.exceptions import AnymailNotSupportedWarning

from providers.answers import garbled, is_success, json_object, not_sent, plain
from providers.base import Accepted, Outcome, Refused, Unknown
from providers.connection import LONGEST_WAIT
from providers.email.composing import Unsendable, composed, unsendable
from providers.http import NoAnswer, NotSent, Pool

if TYPE_CHECKING:
    from providers.base import Effect, Email, SendGridKey
    from providers.http import Answer

TARGET = "/mail/send"
# A proxy says 408 when it stopped waiting, for either side.
_REFUSING = frozenset(range(400, 500)) - {HTTPStatus.REQUEST_TIMEOUT}


class SendGrid:
    """Sends over at most `connections` connections to `url` (…/v3); a call takes `timeout` seconds at most."""

    def __init__(self, url: str, *, timeout: float, connections: int) -> None:
        self._pool = Pool(url, limit=connections, timeout=timeout, headers={"User-Agent": "campaigns"})

    async def send(self, email: Email, credentials: SendGridKey) -> Outcome:
        """POST mail/send once. Only a success that names the message is acceptance."""
        try:
            headers, body = _request(email, credentials.api_key)
        except Unsendable as reason:
            return unsendable(reason)
        try:
            answer = await self._pool.request("POST", TARGET, headers=headers, body=body)
        except NotSent as error:
            return not_sent(error)
        except NoAnswer as error:
            return Unknown(plain(error))
        if not is_success(answer):
            return _refused_or_unknown(answer)
        sent = plain(answer.headers.get("X-Message-Id", ""))
        return Accepted(provider_id=sent, status="queued") if sent else garbled(answer)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        await self._pool.close()


@lru_cache(maxsize=256)
def _backend(api_key: str) -> Any:
    with warnings.catch_warnings():
        # Anymail no longer tests against SendGrid's live service (its issue 432); our contract tests hold its words.
        warnings.simplefilter("ignore", AnymailNotSupportedWarning)
        return EmailBackend(api_key=api_key, generate_message_id=False)  # type: ignore[no-untyped-call]


def _request(email: Email, api_key: str) -> tuple[dict[str, str], bytes]:
    message: Any = composed(email)
    message.metadata = {**email.metadata, "attempt": email.key}
    backend = _backend(api_key)
    asked = backend.build_message_payload(message, backend.send_defaults).get_request_params(backend.api_url)
    return asked["headers"], asked["data"].encode()


def _refused_or_unknown(answer: Answer) -> Refused | Unknown:
    """What an answer means that is not a success: a refusal is 401, 429, or a 4xx in SendGrid's own words."""
    error = _first_error(answer)
    message = plain((error or {}).get("message") or "")
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Refused("429", message, retry=True, retry_after=_reset(answer), effect="slower")
    if answer.status != HTTPStatus.UNAUTHORIZED and (error is None or answer.status not in _REFUSING):
        return garbled(answer)
    effect = _effect(answer.status, str((error or {}).get("field") or ""))
    # Where the row is not at fault it waits until the cause is gone.
    return Refused(str(answer.status), message, retry=effect != "none", effect=effect)


def _first_error(answer: Answer) -> dict[str, Any] | None:
    """The first of what SendGrid says is wrong, if the answer is in its words."""
    said = (json_object(answer.body) or {}).get("errors")
    first = said[0] if isinstance(said, list) and said else None
    return first if isinstance(first, dict) else None


def _effect(status: int, field: str) -> Effect:
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} or field.partition(".")[0] == "from":
        return "pause_connection"
    if field.partition(".")[0] in {"content", "subject", "template_id"}:
        return "pause_campaign"
    return "none"


def _reset(answer: Answer) -> float | None:
    """SendGrid says at which second the limit begins anew, where others say how long to wait."""
    at = answer.headers.get("X-RateLimit-Reset", "")
    if answer.retry_after is None and at.isascii() and at.isdigit():
        return min(max(float(at) - time.time(), 0.0), LONGEST_WAIT)
    return answer.retry_after
