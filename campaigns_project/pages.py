"""The shared parts of the merchants' pages."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, Any]:  # noqa: ARG001 (Django's context processor signature)
    """What every page's frame shows."""
    return {}
