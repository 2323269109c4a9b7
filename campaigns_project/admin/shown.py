"""How things look in the operators' lists and forms: chips, copyable ids, readable data, one time line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.template.loader import render_to_string
from django.utils.html import format_html

from campaigns_project.templatetags import look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from django.db.models import Model
    from django.utils.safestring import SafeString

SHOWN = 50
MASK = "••••"
SECRETS = ("signature", "token", "secret", "password", "authorization", "cookie", "key")


@dataclass(frozen=True)
class Happening:
    """One line of a row's time line."""

    at: datetime
    title: str
    detail: str = ""
    tone: str = "grey"


def chip_of(machine: str, field: str = "status", **options: Any) -> Callable[[Any, Any], SafeString]:
    """A column with the chip of a status; `machine` is a key of tones.LOOKS."""

    @admin.display(**{"description": field.replace("_", " "), "ordering": field, **options})
    def shown(_admin: Any, row: Any) -> SafeString:
        return look.chip(machine, getattr(row, field))

    column: Callable[[Any, Any], SafeString] = shown
    return column


def provider_link(kind: str, provider_id: str | None) -> SafeString | str:
    """A provider's id with a copy button, linked to the provider's console where settings know its address."""
    if not provider_id:
        return "—"
    address = settings.PROVIDER_CONSOLES.get(kind)
    words = format_html('<code class="id">{}</code>', provider_id)
    if address:
        words = format_html('<a href="{}" rel="noreferrer">{}</a>', address.format(id=provider_id), words)
    return format_html(
        '<span class="look">{} {}</span>', words, render_to_string("parts/copy.html", look.copy(provider_id))
    )


def readable(value: Any) -> SafeString:
    """Data as indented JSON, text as it is, both with line ends and without anything that runs."""
    words = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return format_html('<pre class="payload">{}</pre>', words)


def masked(data: dict[str, Any]) -> dict[str, Any]:
    """`data` without the values of names that hold a secret."""
    return {name: MASK if any(word in name.lower() for word in SECRETS) else value for name, value in data.items()}


def timeline(row: Model, moves: Iterable[Any], happenings: Iterable[Happening]) -> list[Happening]:
    """Moves, log entries and `happenings` of a row, merged by time, the newest SHOWN first."""
    moved = list(moves)
    # A move by an operator is logged too; it is told once.
    told = {f"{_spoken(move.verb)} → {move.target}: {move.reason}" for move in moved}
    logged = [entry for entry in _log(row) if entry.get_change_message() not in told]
    merged = [*map(_moved, moved), *map(_logged, logged), *happenings]
    return sorted(merged, key=lambda each: each.at, reverse=True)[:SHOWN]


def _log(row: Model) -> list[LogEntry]:
    kind = ContentType.objects.get_for_model(row)
    entries = LogEntry.objects.filter(content_type=kind, object_id=str(row.pk))
    return list(entries.select_related("user").order_by("-action_time")[:SHOWN])


def _moved(move: Any) -> Happening:
    who = move.person or (f"person {move.by_id}" if move.by_id else "the machine")
    detail = f"{move.source} → {move.target}, by {who}" + (f": {move.reason}" if move.reason else "")
    return Happening(move.at, _spoken(move.verb), detail, "indigo")


def _logged(entry: LogEntry) -> Happening:
    message = entry.get_change_message() or "Changed"
    return Happening(entry.action_time, message, f"by {entry.user}", "blue")


def _spoken(verb: str) -> str:
    return verb.replace("_", " ").capitalize()
