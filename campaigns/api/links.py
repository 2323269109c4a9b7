"""What people and WhatsApp open: links that count clicks, and the media of templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.http import FileResponse, HttpResponseRedirect
from drf_spectacular.types import OpenApiTypes

from campaigns import media, redirects
from campaigns.api.inputs import MediaQuery
from campaigns_project.api import Door, OpenDoor

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request


class Redirect(OpenDoor):
    tag = "links"
    answers: ClassVar = {"GET": (302, None)}

    def get(self, request: Request, token: str) -> HttpResponseBase:
        """Follow a link of a message; the click is written down."""
        url = redirects.follow(token, user_agent=request.META.get("HTTP_USER_AGENT", ""))
        return HttpResponseRedirect(url, headers={"Cache-Control": "no-store"})


class MediaFile(Door):
    """Read by its owner with a token, and by WhatsApp, which cannot sign in, at the signed address."""

    tag = "links"
    queries: ClassVar = {"GET": MediaQuery}
    answers: ClassVar = {"GET": {(200, media_type): OpenApiTypes.BINARY for media_type in media.TYPES.values()}}

    def get_authenticators(self) -> list[Any]:
        return [] if self._is_signed() else super().get_authenticators()

    def get_permissions(self) -> list[Any]:
        return [] if self._is_signed() else list(super().get_permissions())

    def get(self, request: Request, merchant_id: int, campaign_id: int, file_path: str) -> HttpResponseBase:  # noqa: ARG002 (DRF's signature)
        """Read a picture, film or document of a template."""
        if "signature" in self.params:
            found = media.open_signed(merchant_id, campaign_id, file_path, self.params["signature"])
        else:
            found = media.open_media(self.account, merchant_id, campaign_id, file_path)
        return FileResponse(found.file, content_type=found.media_type, filename=file_path)

    def _is_signed(self) -> bool:
        # OpenAPI looks at the door without a request.
        request = getattr(self, "request", None)
        return request is not None and "signature" in request.GET
