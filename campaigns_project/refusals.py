"""The words for "no". A refusal is raised where the rule is; doors turn it into HTTP, a page or an admin message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Details = Mapping[str, Any]


class Refusal(Exception):  # noqa: N818 (it is a refusal, not an error)
    """A rule said no.

    `code` and `message` are what the caller reads (spec: api › Conventions), `details` is a JSON object; `status`
    is the HTTP status the API answers with. Subclasses stand beside the rule that raises them.
    """

    status = 400
    code = "VALIDATION_ERROR"
    message = "The request is not valid."

    def __init__(self, message: str | None = None, *, details: Details | None = None) -> None:
        self.message = message or self.message
        self.details = dict(details or {})
        super().__init__(self.message)


class Invalid(Refusal):
    """Bad input; `details` maps dotted paths to lists of sentences."""


class InvalidJSON(Refusal):
    code = "INVALID_JSON"
    message = "The body is not valid JSON."


class Unauthorized(Refusal):
    status = 401
    code = "UNAUTHORIZED"
    message = "Authentication is required."


class Forbidden(Refusal):
    status = 403
    code = "FORBIDDEN"
    message = "Your role does not allow this."


class NotFound(Refusal):
    status = 404
    code = "NOT_FOUND"
    message = "There is nothing here."


class CampaignNotFound(NotFound):
    """Of whatever kind; not there and not yours look the same."""

    code = "campaign_not_found"
    message = "There is no such campaign."


class MethodNotAllowed(Refusal):
    status = 405
    code = "METHOD_NOT_ALLOWED"
    message = "This address does not answer that method."


class RequestTimeout(Refusal):
    status = 408
    code = "REQUEST_TIMEOUT"
    message = "The body did not arrive in time."


class Conflict(Refusal):
    status = 409
    code = "CONFLICT"
    message = "The object is not in a state that allows this."


class PreconditionFailed(Refusal):
    status = 412
    code = "PRECONDITION_FAILED"
    message = "The object has changed since you read it."


class ContentTooLarge(Refusal):
    status = 413
    code = "CONTENT_TOO_LARGE"
    message = "The body is too large."


class UnsupportedMediaType(Refusal):
    status = 415
    code = "UNSUPPORTED_MEDIA_TYPE"
    message = "This address does not read that content type."


class Unprocessable(Refusal):
    status = 422
    code = "UNPROCESSABLE"
    message = "The request cannot be carried out."


class TooManyRequests(Refusal):
    """`retry_after` is in whole seconds."""

    status = 429
    code = "TOO_MANY_REQUESTS"
    message = "Too many requests."

    def __init__(self, message: str | None = None, *, retry_after: int, details: Details | None = None) -> None:
        super().__init__(message, details=details)
        self.retry_after = retry_after


class ServiceUnavailable(Refusal):
    status = 503
    code = "SERVICE_UNAVAILABLE"
    message = "The service is not available right now."
