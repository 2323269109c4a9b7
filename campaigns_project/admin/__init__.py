"""The operators' door: Django's own admin in our look. The front page shows tiles, which each domain adds.

    @tile(60)
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

    Make = Callable[[HttpRequest], "Tile | None"]


@dataclass(frozen=True)
class Tile:
    """One number of the front page: `note` stands below it, `href` is the filtered list it counts."""

    label: str
    value: Any
    note: str = ""
    href: str = ""


_tiles: dict[int, Make] = {}


def tile(place: int) -> Callable[[Make], Make]:
    """Add a tile to the front page, the lowest place first. It counts what the operator may see; None shows nothing."""

    def add(make: Make) -> Make:
        _tiles[place] = make
        return make

    return add


class CampaignsAdminSite(admin.AdminSite):
    site_header = "Campaigns"
    site_title = "Campaigns"
    index_title = "Operations"

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """What needs somebody now, then every list."""
        tiles = [made for _, make in sorted(_tiles.items()) if (made := make(request)) is not None]
        return super().index(request, {"tiles": tiles, **(extra_context or {})})


class CampaignsAdminConfig(AdminConfig):
    default_site = "campaigns_project.admin.CampaignsAdminSite"
