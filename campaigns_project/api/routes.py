"""Addresses that answer with and without a trailing slash, and show up once in OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import URLPattern
from django.urls.resolvers import RoutePattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.views.generic import View


class OptionalSlashPattern(RoutePattern):
    """A route whose trailing slash is optional and whose parameters hold no control character."""

    def match(self, path: str) -> tuple[str, tuple[Any, ...], dict[str, Any]] | None:
        if not path.isprintable():
            return None
        return super().match(path.removesuffix("/"))


def route(address: str, view: type[View[Any]], *, name: str | None = None, **options: Any) -> URLPattern:
    """`path()` for a door: `address` has no leading and no trailing slash; `options` go to `as_view`."""
    return URLPattern(OptionalSlashPattern(address, name=name, is_endpoint=True), view.as_view(**options), name=name)


def webhook(address: str, door: type[View[Any]], view: Callable[..., Any], *, name: str | None = None) -> URLPattern:
    """A route to a plain view outside DRF, listed in OpenAPI as `door`."""
    # Where drf-spectacular looks for doors.
    vars(view).update(cls=door, initkwargs={})
    return URLPattern(OptionalSlashPattern(address, name=name, is_endpoint=True), view, name=name)


def routes(prefix: str, *patterns: URLPattern) -> list[URLPattern]:
    """The patterns under `prefix` (no slashes around it); the pattern with an empty address is the prefix itself."""
    return [_under(prefix, pattern) for pattern in patterns]


def _under(prefix: str, pattern: URLPattern) -> URLPattern:
    address = f"{prefix}/{pattern.pattern}".removesuffix("/")
    placed = OptionalSlashPattern(address, name=pattern.name, is_endpoint=True)
    return URLPattern(placed, pattern.callback, pattern.default_args, pattern.name)
