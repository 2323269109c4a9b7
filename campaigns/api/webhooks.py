"""How Twilio's doors look in OpenAPI; what they do is in `campaigns.webhooks`, outside DRF."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers

from campaigns_project.api import OpenDoor
from campaigns_project.api.serializers import ErrorBody, Query


class StatusQuery(Query):
    m = serializers.CharField(help_text="Proves that the address is one of ours.")


class Status(OpenDoor):
    tag = "webhooks"
    queries: ClassVar = {"POST": StatusQuery}
    bodies: ClassVar[Any] = {"POST": {"application/x-www-form-urlencoded": OpenApiTypes.OBJECT}}
    answers: ClassVar = {"POST": {(200, "text/html"): OpenApiTypes.STR, 401: ErrorBody}}

    def post(self) -> None:
        """Twilio reports what became of a message."""


class Inbound(OpenDoor):
    tag = "webhooks"
    bodies: ClassVar[Any] = {"POST": {"application/x-www-form-urlencoded": OpenApiTypes.OBJECT}}
    answers: ClassVar = {"POST": {(200, "text/xml"): OpenApiTypes.STR, 401: ErrorBody}}

    def post(self) -> None:
        """Twilio hands on what somebody wrote; STOP and START have taken effect when this answers."""
