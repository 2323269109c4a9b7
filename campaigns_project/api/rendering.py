"""Answers as JSON: UTF-8, no NaN, times as `2026-01-24T18:30:00Z`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rest_framework.renderers import BaseRenderer
from rest_framework.utils.encoders import JSONEncoder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def wire_time(moment: datetime) -> str:
    """`2026-01-24T18:30:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Encoder(JSONEncoder):
    def default(self, obj: Any) -> Any:
        return wire_time(obj) if isinstance(obj, datetime) else super().default(obj)


def to_json(value: Any) -> bytes:
    """Compact UTF-8 JSON of what serializers and handlers answer with. Raises ValueError for NaN."""
    text = json.dumps(value, cls=_Encoder, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


@dataclass(frozen=True)
class WrittenPage:
    """A list's page whose rows are JSON already."""

    rows: Sequence[str]
    pagination: Mapping[str, Any]

    def json(self) -> bytes:
        return b'{"data":[%b],"pagination":%b}' % (",".join(self.rows).encode(), to_json(self.pagination))


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None  # RFC 8259: JSON has no charset parameter.

    def render(self, data: Any, _accepted: str | None = None, _context: Any = None) -> bytes:
        if isinstance(data, WrittenPage):
            return data.json()
        return b"" if data is None else to_json(data)
