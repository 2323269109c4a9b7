"""The operators' door: Django's own admin in our look. The front page shows tiles, which each domain adds.

    @tile
    def senders(request):
        return Tile("Senders alive", owners.alive("twilio"), href=…)

This module is loaded before any model is; the parts that need models are beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.template.response import TemplateResponse


@dataclass(frozen=True)
class Tile:
    """One number of the front page: `note` stands below it, `href` is the filtered list it counts."""

    label: str
    value: Any
    note: str = ""
    href: str = ""


_tiles: list[Callable[[HttpRequest], Tile | None]] = []


def tile(make: Callable[[HttpRequest], Tile | None]) -> Callable[[HttpRequest], Tile | None]:
    """Add a tile to the front page. `make` counts what the operator may see; None shows nothing."""
    _tiles.append(make)
    return make


class CampaignsAdminSite(admin.AdminSite):
    site_header = "Campaigns"
    site_title = "Campaigns"
    index_title = "Operations"

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """What needs somebody now, then every list."""
        tiles = [made for make in _tiles if (made := make(request)) is not None]
        return super().index(request, {"tiles": tiles, **(extra_context or {})})


class CampaignsAdminConfig(AdminConfig):
    default_site = "campaigns_project.admin.CampaignsAdminSite"
