"""Twilio's HTTP answers, read strictly: what is not as documented is unknown, never success and never refusal."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from providers.base import Refused, Unknown
from providers.twilio.codes import meaning_of

if TYPE_CHECKING:
    from providers.http import Answer
    from providers.twilio.codes import Meaning

_TOLD = 300
# These are refusals whatever the body says, and this is the code they carry at Twilio.
_ALWAYS: dict[int, int] = {HTTPStatus.UNAUTHORIZED: 20003, HTTPStatus.TOO_MANY_REQUESTS: 20429}


def is_success(answer: Answer) -> bool:
    return HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`, or None if it is anything else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def garbled(answer: Answer) -> Unknown:
    """An answer that does not say what it should."""
    return Unknown(f"HTTP {answer.status}: {answer.body[:_TOLD].decode(errors='replace')}")


def refused_or_unknown(answer: Answer) -> Refused | Unknown:
    """What an answer means that is not a success.

    A refusal is 401, 429, or another 4xx in one of Twilio's two error shapes (its own, and RFC 9457; both carry
    `code`). All else (5xx, redirects, 408, pages of something in between) leaves open what happened.
    """
    document = json_object(answer.body) or {}
    code, always = _code(document), _ALWAYS.get(answer.status)
    if always:
        meaning = meaning_of(code)
        return _refused(answer, document, code or always, meaning if meaning.retry else meaning_of(always))
    if code and _can_refuse(answer.status):
        return _refused(answer, document, code, meaning_of(code))
    return garbled(answer)


def _refused(answer: Answer, document: dict[str, Any], code: int, meaning: Meaning) -> Refused:
    return Refused(
        code=str(code),
        message=_message(document),
        retry=meaning.retry,
        retry_after=answer.retry_after or meaning.retry_after,
        effect=meaning.effect,
    )


def _code(document: dict[str, Any]) -> int:
    code = document.get("code")
    return code if isinstance(code, int) and not isinstance(code, bool) else 0


def _can_refuse(status: int) -> bool:
    # A proxy says 408 when it stopped waiting, for either side.
    return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.REQUEST_TIMEOUT


def _message(document: dict[str, Any]) -> str:
    told = (document.get(name) for name in ("message", "detail", "title"))
    return next((text[:_TOLD] for text in told if isinstance(text, str)), "")
