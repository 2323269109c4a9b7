"""What any provider's HTTP answers have in common, read strictly: what is not as documented proves nothing."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from providers.base import Refused, Unknown

if TYPE_CHECKING:
    from providers.http import Answer

_TOLD = 300


def is_success(answer: Answer) -> bool:
    return HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`, or None if it is anything else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def plain(text: object) -> str:
    """The text's first 300 characters, without those that PostgreSQL cannot keep."""
    return str(text)[:_TOLD].encode(errors="replace").decode().replace("\x00", "")


def garbled(answer: Answer) -> Unknown:
    """An answer that does not say what it should."""
    return Unknown(plain(f"HTTP {answer.status}: {answer.body[:_TOLD].decode(errors='replace')}"))


def not_sent(error: Exception) -> Refused:
    """The outcome of a call that never left: nothing was done, and the next try may reach them."""
    return Refused(code="connect", message=plain(error), retry=True)
