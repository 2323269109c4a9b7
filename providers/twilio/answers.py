"""Twilio's HTTP answers, read strictly: what is not as documented is unknown, never success and never refusal."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from providers.answers import garbled, json_object, plain
from providers.base import Refused, Unknown
from providers.twilio.codes import meaning_of

if TYPE_CHECKING:
    from providers.http import Answer
    from providers.twilio.codes import Meaning

_LARGEST_CODE = 999_999_999
_WORD = re.compile(r"[A-Za-z_-]{1,40}")
# These are refusals whatever the body says, and this is the code they carry at Twilio.
_ALWAYS: dict[int, int] = {HTTPStatus.UNAUTHORIZED: 20003, HTTPStatus.TOO_MANY_REQUESTS: 20429}


def word(value: object) -> str | None:
    """A status, or None for what can be none."""
    return value.lower() if isinstance(value, str) and _WORD.fullmatch(value) else None


def code_of(value: object) -> int:
    """An error code, or 0 for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST_CODE else 0


def refused_or_unknown(answer: Answer) -> Refused | Unknown:
    """What an answer means that is not a success.

    A refusal is 401, 429, or another 4xx in one of Twilio's two error shapes (its own, and RFC 9457; both carry
    `code`). All else (5xx, redirects, 408, pages of something in between) leaves open what happened.
    """
    document = json_object(answer.body) or {}
    code, always = code_of(document.get("code")), _ALWAYS.get(answer.status)
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


def _can_refuse(status: int) -> bool:
    # A proxy says 408 when it stopped waiting, for either side.
    return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.REQUEST_TIMEOUT


def _message(document: dict[str, Any]) -> str:
    told = (document.get(name) for name in ("message", "detail", "title"))
    return next((plain(text) for text in told if isinstance(text, str)), "")
