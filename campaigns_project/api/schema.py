"""OpenAPI 3.1 of every door, from what the door declares: `queries`, `bodies`, `answers`, docstrings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework.serializers import BaseSerializer

from campaigns_project import refusals
from campaigns_project.api.serializers import ErrorBody, StrictSerializer

Shape = type[BaseSerializer[Any]] | OpenApiTypes | OpenApiResponse | None
# One shape means 200; (201, Shape) another status; a mapping says it all, {(200, "text/csv"): OpenApiTypes.STR}.
Answers = Shape | tuple[int, Shape] | Mapping[Any, Shape]

REFUSALS = {
    400: "The input is not valid.",
    401: "Who asks is not known.",
    403: "The role does not allow this.",
    404: "Not there, or not yours.",
    409: "The present state does not allow this.",
    412: "If-Match names another version.",
    413: "The body is too large.",
    415: "This content type is not read here.",
    422: "Understood, but it cannot be carried out.",
    429: "Too many requests.",
    503: "Not available right now.",
}
_KINDS: list[type[refusals.Refusal]] = [
    refusals.Invalid,
    refusals.Unauthorized,
    refusals.Forbidden,
    refusals.NotFound,
    refusals.Conflict,
    refusals.PreconditionFailed,
    refusals.ContentTooLarge,
    refusals.UnsupportedMediaType,
    refusals.Unprocessable,
    refusals.TooManyRequests,
    refusals.ServiceUnavailable,
]
_WITH_BODY = {"POST", "PUT", "PATCH"}


class Schema(AutoSchema):
    """What drf-spectacular asks about one method of one door."""

    @property
    def door(self) -> Any:
        return self.view

    def get_operation_id(self) -> str:
        return re.sub(r"\W+", "_", f"{self.method}_{self.path}").strip("_").lower()

    def get_tags(self) -> list[str]:
        parts = [part for part in self.path.split("/") if part and not re.fullmatch(r"api|v\d+|\{.*", part)]
        return [getattr(self.door, "tag", None) or (parts[0] if parts else "service")]

    def get_summary(self) -> str | None:
        return self._doc().partition("\n")[0].rstrip(".") or None

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular's own signature
        return self._doc().partition("\n")[2].strip()

    def get_request_serializer(self) -> Any:
        return self.door.bodies.get(self.method)

    def get_response_serializers(self) -> Any:
        answers = self.door.answers.get(self.method)
        if isinstance(answers, tuple):
            answers = {answers[0]: answers[1]}
        found = dict(answers) if isinstance(answers, Mapping) else {200 if answers else 204: answers}
        for status in self._refusals():
            found.setdefault(status, OpenApiResponse(ErrorBody, description=REFUSALS[status]))
        return found

    def get_override_parameters(self) -> list[Any]:
        found: list[Any] = [_header("X-Request-ID", "Yours when it is [A-Za-z0-9._-]{1,64}, else one is made.", None)]
        query = self.door.queries.get(self.method)
        if query is not None:
            found.append(query)
        if self._signed_in():
            found.append(_header("X-Account", "Platform roles: the uuid of the account to work in.", None))
            if self.method == "POST":
                found.append(_header("Idempotency-Key", "The first answer is kept for 24 hours.", r"^[!-~]{1,255}$"))
            if self.door.editable:
                found.append(_header("If-Match", "The ETag you read: refuse a lost update.", None))
        return found

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Any:
        found: Any = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]  # untyped
        return {**found, "additionalProperties": False} if isinstance(serializer, StrictSerializer) else found

    def get_examples(self) -> list[OpenApiExample]:
        """What bodies and answers show as `example`, and a refusal for each status."""
        found = [OpenApiExample(str(s), _refused(s), response_only=True, status_codes=[s]) for s in self._refusals()]
        for media_type, body in self._by_media_type():
            if (shown := getattr(body, "example", None)) is not None:
                found.append(OpenApiExample("body", shown, request_only=True, media_type=media_type))
        for status, answer in self.get_response_serializers().items():
            number, media_type = status if isinstance(status, tuple) else (status, "application/json")
            if shown := getattr(answer, "example", None):
                made = OpenApiExample("answer", shown, response_only=True, media_type=media_type, status_codes=[number])
                found.append(made)
        return found

    def _by_media_type(self) -> list[tuple[str, Any]]:
        body = self.get_request_serializer()
        return list(body.items()) if isinstance(body, dict) else [(name, body) for name in self.map_parsers()]

    def get_filter_backends(self) -> list[Any]:
        return []

    def _is_list_view(self, serializer: Any = None) -> bool:  # noqa: ARG002 (drf-spectacular's signature)
        return False

    def _signed_in(self) -> bool:
        return bool(self.door.authentication_classes)

    def _refusals(self) -> list[int]:
        found = [400, 401, 403, 404, 429, 503]
        if self.method in _WITH_BODY:
            found += [409, 413, 415, 422]
        return sorted([*found, *([412] if self.door.editable else [])])

    def _doc(self) -> str:
        handler = getattr(self.door, self.method.lower(), None)
        text = getattr(handler, "__doc__", None) or self.door.__class__.__doc__ or ""
        return re.sub(r"\n +", "\n", text).strip()


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # drf-spectacular is untyped
    """How TokenAuthentication looks in OpenAPI; by name, because accounts stands above this floor."""

    target_class = "accounts.tokens.TokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002 (its signature)
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def _refused(status: int) -> dict[str, Any]:
    code = next(kind.code for kind in _KINDS if kind.status == status)
    return {**ErrorBody.example, "error": code, "code": code, "message": REFUSALS[status]}


def _header(name: str, description: str, pattern: str | None) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=description, pattern=pattern)
