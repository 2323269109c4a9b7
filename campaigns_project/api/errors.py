"""Every "no" in one flat body: {"error", "code", "message", "details", "request_id", "timestamp"}."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, ValidationError
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from campaigns_project import refusals
from campaigns_project.api.rendering import to_json, wire_time
from campaigns_project.refusals import Refusal

log = structlog.get_logger(__name__)
JSON_PREFIXES = ("/api/", "/v1/")


class InternalServerError(Refusal):
    status = 500
    code = "INTERNAL_SERVER_ERROR"
    message = "Something went wrong on our side."


def envelope(refusal: Refusal, request: Any = None) -> dict[str, Any]:
    """The body that tells a caller about `refusal`."""
    return {
        "error": refusal.code,
        "code": refusal.code,
        "message": refusal.message,
        "details": refusal.details,
        "request_id": getattr(request, "request_id", ""),
        "timestamp": wire_time(datetime.now(UTC)),
    }


def answer_refusal(exc: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's exception handler: any exception at all becomes the error body. What nobody foresaw is logged."""
    request = context.get("request")
    refusal = as_refusal(exc)
    if isinstance(refusal, InternalServerError):
        log.error("unforeseen", path=getattr(request, "path", ""), exc_info=exc)
    response = Response(envelope(refusal, request), status=refusal.status, headers=_headers(refusal))
    if isinstance(exc, exceptions.MethodNotAllowed) and "view" in context:
        response["Allow"] = ", ".join(context["view"].allowed_methods)
    return response


def as_refusal(exc: Exception) -> Refusal:
    """The refusal that stands for `exc`; InternalServerError for what nobody foresaw."""
    if isinstance(exc, Refusal):
        return exc
    if isinstance(exc, exceptions.ValidationError):
        return refusals.Invalid(details=flat(exc.detail))
    if isinstance(exc, ValidationError):
        return refusals.Invalid(details=flat(getattr(exc, "message_dict", {"": exc.messages})))
    if isinstance(exc.__cause__, TimeoutError):  # The body's deadline (campaigns_project.wsgi).
        return refusals.RequestTimeout()
    for kind, meaning in _MEANINGS:
        if isinstance(exc, kind):
            return meaning()
    return InternalServerError()


# First match decides: RequestDataTooBig is a SuspiciousOperation.
_MEANINGS: list[tuple[type[Exception] | tuple[type[Exception], ...], type[Refusal]]] = [
    ((Http404, exceptions.NotFound), refusals.NotFound),
    ((PermissionDenied, exceptions.PermissionDenied), refusals.Forbidden),
    ((exceptions.NotAuthenticated, exceptions.AuthenticationFailed), refusals.Unauthorized),
    (exceptions.MethodNotAllowed, refusals.MethodNotAllowed),
    (exceptions.UnsupportedMediaType, refusals.UnsupportedMediaType),
    (RequestDataTooBig, refusals.ContentTooLarge),
    ((exceptions.APIException, SuspiciousOperation, UnreadablePostError, DataError), refusals.Invalid),
    (IntegrityError, refusals.Conflict),  # Somebody else was first, and the database kept the promise.
    ((OperationalError, InterfaceError), refusals.ServiceUnavailable),
]


def _headers(refusal: Refusal) -> dict[str, str]:
    if isinstance(refusal, refusals.TooManyRequests):
        return {"Retry-After": str(refusal.retry_after)}
    if isinstance(refusal, refusals.ServiceUnavailable):
        return {"Retry-After": "1"}
    if isinstance(refusal, refusals.Unauthorized):
        return {"WWW-Authenticate": 'Bearer realm="campaigns"'}
    return {}


def flat(errors: Any) -> dict[str, list[str]]:
    """DRF's nested errors as {"dotted.path": ["sentence", …]}."""
    found: dict[str, list[str]] = {}
    for path, sentence in _walk(errors, ()):
        found.setdefault(".".join(path) or "body", []).append(sentence)
    return found


def _walk(errors: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(errors, Mapping):
        for key, inner in errors.items():
            own = () if key in ("", "__all__", "non_field_errors") else (str(key),)
            yield from _walk(inner, (*path, *own))
    elif isinstance(errors, list | tuple):
        for index, inner in enumerate(errors):
            nested = isinstance(inner, Mapping | list | tuple)
            yield from _walk(inner, (*path, str(index)) if nested else path)
    else:
        yield path, str(errors)


def speaks_json(request: HttpRequest) -> bool:
    """Whether an error at this address is JSON (the API) or a page."""
    return request.path.startswith(JSON_PREFIXES)


def json_answer(refusal: Refusal, request: Any) -> HttpResponse:
    """The error body outside DRF: for middleware, webhooks and Django's own handlers."""
    return HttpResponse(
        to_json(envelope(refusal, request)),
        status=refusal.status,
        content_type="application/json",
        headers=_headers(refusal),
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400."""
    if speaks_json(request):
        return json_answer(as_refusal(exception), request)
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    if speaks_json(request):
        return json_answer(refusals.Forbidden(), request)
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    if speaks_json(request):
        return json_answer(refusals.NotFound(), request)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500."""
    if speaks_json(request):
        return json_answer(InternalServerError(), request)
    return defaults.server_error(request)
