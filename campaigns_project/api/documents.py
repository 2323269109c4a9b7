"""The one OpenAPI document, and a page that shows it and loads nothing from outside."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from django.http import HttpResponse
from django.views.generic import TemplateView
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer2
from drf_spectacular.types import OpenApiTypes

from campaigns_project.api.doors import OpenDoor
from campaigns_project.api.fields import ChoiceField
from campaigns_project.api.routes import route
from campaigns_project.api.serializers import Query

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request


@cache
def document(kind: str) -> bytes:
    """The OpenAPI document as "json" or "yaml"; made once, because addresses do not change in a running process."""
    schema: Any = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]  # drf-spectacular is untyped
    renderer = OpenApiJsonRenderer2() if kind == "json" else OpenApiYamlRenderer2()
    made: bytes = renderer.render(schema, renderer_context={})
    return made


class DocumentQuery(Query):
    format = ChoiceField(choices=["json", "yaml"], default="json")


class SchemaDocument(OpenDoor):
    tag = "service"
    queries: ClassVar = {"GET": DocumentQuery}
    answers: ClassVar = {
        "GET": {(200, "application/json"): OpenApiTypes.OBJECT, (200, "application/yaml"): OpenApiTypes.OBJECT}
    }

    def get(self, request: Request) -> HttpResponseBase:  # noqa: ARG002 (DRF's signature)
        """Get this document."""
        kind = self.params["format"]
        return HttpResponse(document(kind), content_type=f"application/{kind}")


class Docs(TemplateView):
    template_name = "campaigns_project/api_docs.html"
    http_method_names = ["get", "head"]


urlpatterns = [route("api/schema", SchemaDocument, name="schema"), route("api/docs", Docs, name="docs")]
