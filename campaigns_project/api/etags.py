"""Versions of objects: nobody overwrites what they have not seen."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from campaigns_project.refusals import PreconditionFailed

if TYPE_CHECKING:
    from django.db import models


def etag_of(instance: models.Model, body: bytes = b"") -> str:
    """`"row-body"`: a digest of the row's columns and one of the body that shows it.

    If-Match looks at the row's half only, so that a counter in the body cannot make an edit fail. Columns named in the
    model's `unversioned` are our own book-keeping and make no new version.
    """
    passing = getattr(instance, "unversioned", ())
    fields = [field for field in instance._meta.concrete_fields if field.attname not in passing]
    columns = {field.attname: getattr(instance, field.attname) for field in fields}
    # Sorted, because PostgreSQL keeps the keys of a JSON column in its own order.
    row = json.dumps(columns, sort_keys=True, default=_plain)
    return f'"{_digest(row.encode())}-{_digest(body)}"'


def is_unmodified(etag: str, header: str) -> bool:
    """Whether If-None-Match names exactly this version."""
    return header.strip() == "*" or etag in _named(header)


def check_match(instance: models.Model, header: str) -> None:
    """Raise PreconditionFailed when If-Match is given and names no version with the row's present columns."""
    row = etag_of(instance).split("-")[0]
    if header and header.strip() != "*" and row not in [tag.split("-")[0] for tag in _named(header)]:
        raise PreconditionFailed


def _named(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]


def _plain(value: Any) -> str:
    return bytes(value).hex() if isinstance(value, memoryview | bytes) else str(value)


def _digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()[:16]
