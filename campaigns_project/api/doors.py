"""The door every API view is: who may, what is read, what is answered; no rule of a domain lives here."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.db import transaction
from django.db.models import Model, QuerySet
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from campaigns_project.api import etags, idempotency, limits
from campaigns_project.api.errors import answer_refusal
from campaigns_project.api.lists import Counted, page_of
from campaigns_project.api.parsing import MIB, StrictJSONParser, StrictMultiPartParser, StrictNegotiation, body_length
from campaigns_project.api.rendering import JSONRenderer, to_json
from campaigns_project.api.schema import Answers, Schema
from campaigns_project.api.serializers import Query, StrictSerializer, reading
from campaigns_project.refusals import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

    from campaigns_project.models import Job

Serializer = type[BaseSerializer[Any]]
JOBS = "/api/v1/jobs/"


class Door(APIView):
    """A view of one address, found through the caller's account (see the package for how to write one)."""

    needs: ClassVar[Mapping[str, str]] = {}
    queries: ClassVar[Mapping[str, type[Query]]] = {}
    bodies: ClassVar[Mapping[str, type[StrictSerializer]]] = {}
    answers: ClassVar[Mapping[str, Answers]] = {}
    max_body: ClassVar[int] = MIB
    # Whether its objects are edited: OpenAPI then shows If-Match.
    editable: ClassVar[bool] = False

    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    content_negotiation_class = StrictNegotiation
    parser_classes = [StrictJSONParser]
    renderer_classes = [JSONRenderer]
    metadata_class = None
    schema = Schema()

    request: Request
    params: Mapping[str, Any]

    # What a handler works with.

    @property
    def verb(self) -> str:
        """The method a request means: HEAD is a GET whose body nobody wants."""
        return "GET" if self.request.method == "HEAD" else self.request.method or ""

    @property
    def account(self) -> Any:
        """The account the caller works in."""
        return self.request.account  # type: ignore[attr-defined]  # set by the authentication class

    def may(self, permission: str) -> bool:
        return bool(self.request.may(permission))  # type: ignore[attr-defined]  # set by the authentication class

    @cached_property
    def data(self) -> Any:
        """The validated body. Raises ValidationError, which is answered with 400."""
        return self.read(self.bodies.get(self.verb, StrictSerializer))

    def read(self, serializer: type[StrictSerializer], **context: Any) -> Any:
        """The body as `serializer` reads it; for a body whose serializer is known only in the handler."""
        return _validated(serializer(data=self.request.data, context={"request": self.request, **context}))

    def find(self, queryset: QuerySet[Any], **lookup: Any) -> Any:
        """The one row, or NotFound. `queryset` starts with `for_account`."""
        row = queryset.filter(**lookup).first()
        if row is None:
            raise self.missing()
        return row

    def missing(self) -> NotFound:
        """What is raised for an object that is not there, or not the caller's: the two look the same."""
        return NotFound()

    def unchanged(self, instance: Model) -> None:
        """Raise PreconditionFailed when If-Match names another version; call it under the row's lock."""
        etags.check_match(instance, self.request.META.get("HTTP_IF_MATCH", ""))

    def show(
        self, instance: Any, shape: Serializer, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        """One object with its ETag; 304 without a body when If-None-Match names this version."""
        data = shape(instance, context={"request": self.request}).data
        sent = dict(headers or {})
        if isinstance(instance, Model):
            sent["ETag"] = etags.etag_of(instance, to_json(data))
            known = self.request.META.get("HTTP_IF_NONE_MATCH", "")
            if self.verb == "GET" and known and etags.is_unmodified(sent["ETag"], known):
                return Response(status=304, headers=sent)
        return Response(data, status=status, headers=sent)

    def page(
        self,
        queryset: QuerySet[Any],
        *,
        shape: Serializer,
        order: Sequence[str] = ("-id",),
        counted: Counted = "exact",
    ) -> Response:
        """One page of rows, by the `page`, `limit` and `cursor` of `self.params`."""
        scope = f"{self.account.pk} {self.request.path.rstrip('/')}"
        context = {"request": self.request}
        return Response(
            page_of(
                queryset,
                self.params,
                shape=lambda row: shape(row, context=context).data,
                scope=scope,
                order=order,
                counted=counted,
            )
        )

    def accepted(self, job: Job) -> Response:
        """202: the work goes on in a job, shown at Location."""
        address = f"{JOBS}{job.public_id}"
        return Response(
            {"job_id": job.public_id, "status": job.status, "href": address}, status=202, headers={"Location": address}
        )

    # How a request goes through.

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.args, self.kwargs = args, kwargs
        self.headers = self.default_response_headers
        try:
            self.request = self.initialize_request(request, *args, **kwargs)
            self.initial(self.request, *args, **kwargs)
            response = self._answer()
        except Exception as exc:  # noqa: BLE001 (no input gets a page: every exception becomes the error body)
            response = self.handle_exception(exc)
        return self._finished(response)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        body_length(request.META, self.max_body)
        super().initial(request, *args, **kwargs)
        if request.method not in self.allowed_methods:
            raise exceptions.MethodNotAllowed(request.method or "")
        self.params = reading(self.queries.get(self.verb, Query)).run_validation(request.query_params)

    def check_throttles(self, request: Request) -> None:
        if request.user is not None:
            spent = limits.spend_request(str(request.user.pk))
            self.headers.update(spent.headers)
            spent.check()

    def handle_exception(self, exc: Exception) -> Response:
        response = answer_refusal(exc, {"request": self.request, "view": self})
        response.exception = True
        return response

    def _answer(self) -> HttpResponseBase:
        keyed = idempotency.keyed(self.request, getattr(self.request, "account", None))
        return self._handled() if keyed is None else idempotency.once(keyed, self._kept_answer)

    def _handled(self) -> HttpResponseBase:
        if self.verb != "GET":
            _ = self.data  # Refused before the handler runs, also where the handler reads no body.
        handler = getattr(self, self.verb.lower())
        response: HttpResponseBase = handler(self.request, *self.args, **self.kwargs)
        return response

    def _kept_answer(self) -> HttpResponseBase:
        try:
            with transaction.atomic():
                response = self._handled()
        except Exception as exc:  # noqa: BLE001 (as in dispatch; the savepoint has rolled the effect back)
            response = self.handle_exception(exc)
        return self._finished(response)

    def _finished(self, response: HttpResponseBase) -> HttpResponseBase:
        sent: Any = response
        finished: Any = self.finalize_response(self.request, sent, *self.args, **self.kwargs)
        return cast("HttpResponseBase", finished.render() if hasattr(finished, "render") else finished)


class OpenDoor(Door):
    """A door that asks nobody who they are."""

    authentication_classes: Sequence[Any] = ()
    permission_classes: Sequence[Any] = ()


class FileDoor(Door):
    """A door that reads a multipart form; its bodies are `FormSerializer`s."""

    parser_classes = [StrictMultiPartParser]


def _validated(serializer: StrictSerializer) -> Any:
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data
