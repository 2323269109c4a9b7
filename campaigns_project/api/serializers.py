"""What a body, a query and an answer look like."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import islice
from typing import Any, ClassVar

from django.http import QueryDict
from rest_framework import serializers

from campaigns_project.api.fields import IntegerField, TextField
from campaigns_project.api.lists import DEFAULT_LIMIT, MAX_LIMIT

MAX_PAGE = 1_000_000
MOST_TOLD = 20


class StrictSerializer(serializers.Serializer[Any]):
    """A JSON object that has no unknown key, at any depth."""

    textual: ClassVar[bool] = False

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = self._known()
            # A million unknown keys are told of by the first few.
            unknown = list(islice((key for key in data if key not in known), MOST_TOLD))
            if unknown:
                raise serializers.ValidationError({key: ["This field is not known."] for key in unknown})
        return super().to_internal_value(data)

    def _known(self) -> set[str]:
        return {name for name, field in self.fields.items() if not field.read_only}


class NothingInput(StrictSerializer):
    """No field at all: `{}`, or no body."""

    example: ClassVar[dict[str, Any]] = {}


class MoneyShape(serializers.Serializer[Any]):
    amount = serializers.IntegerField(help_text="Minor units.")
    currency = serializers.CharField()


class AcceptedShape(serializers.Serializer[Any]):
    """Work that goes on in a job."""

    job_id = serializers.CharField()
    status = serializers.CharField()
    href = serializers.CharField()

    example: ClassVar[dict[str, Any]] = {
        "job_id": "job_7k2m0000000000ab",
        "status": "queued",
        "href": "/api/v1/jobs/job_7k2m0000000000ab",
    }


class _Textual(StrictSerializer):
    textual = True

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, QueryDict):
            repeated = {key: ["This is given more than once."] for key in data if len(data.getlist(key)) > 1}
            if repeated:
                raise serializers.ValidationError(repeated)
            data = data.dict()
        return super().to_internal_value(data)


class FormSerializer(_Textual):
    """The fields of a multipart body."""


class Query(_Textual):
    """The parameters of an address: none unknown, none twice."""


@cache
def reading(query: type[Query]) -> Query:
    """The one instance that reads the parameters of every request: fields hold nothing of a request, and copying them
    for each takes ten times as long as reading with them.
    """
    return query()


class ListQuery(Query):
    """The parameters that every list has."""

    page = IntegerField(min_value=1, max_value=MAX_PAGE, required=False, help_text="From 1.")
    limit = IntegerField(min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)
    cursor = TextField(
        max_length=1000, required=False, help_text="`next_cursor` of the page before; any depth costs the same."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "page" in attrs and "cursor" in attrs:
            raise serializers.ValidationError({"page": ["Give page or cursor, not both."]})
        return attrs


class ErrorBody(serializers.Serializer[Any]):
    """The one body of every refusal; `error` and `code` are the same."""

    error = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()
    details = serializers.DictField()
    request_id = serializers.CharField()
    timestamp = serializers.DateTimeField()

    example: ClassVar[dict[str, Any]] = {
        "error": "VALIDATION_ERROR",
        "code": "VALIDATION_ERROR",
        "message": "The request is not valid.",
        "details": {},
        "request_id": "5f0c8a52-6a1c-4f0e-9d0b-0f4bb6d2b1f7",
        "timestamp": "2026-11-21T09:30:00Z",
    }


class PaginationShape(serializers.Serializer[Any]):
    page = serializers.IntegerField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField(help_text="10001 stands for more than 10,000.")
    total_pages = serializers.IntegerField()
    next_cursor = serializers.CharField(allow_null=True)
    total_is_estimate = serializers.BooleanField(required=False)


@cache
def listed(shape: type[serializers.BaseSerializer[Any]]) -> type[serializers.Serializer[Any]]:
    """The shape of one page of `shape`s, for `answers`; its example holds the shape's."""
    fields: dict[str, Any] = {"data": shape(many=True), "pagination": PaginationShape()}
    if shown := getattr(shape, "example", None):
        pages = {"page": 1, "limit": DEFAULT_LIMIT, "total": 1, "total_pages": 1, "next_cursor": None}
        fields["example"] = {"data": [shown], "pagination": pages}
    return type(f"{shape.__name__}Page", (serializers.Serializer,), fields)
