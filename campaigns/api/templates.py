"""Templates: what kinds there are, their list, and what may be done with one version."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import transaction
from django.db.models import Q
from django.http import QueryDict
from rest_framework.response import Response

from accounts.roles import Permission
from campaigns import approval, authoring
from campaigns.api import inputs
from campaigns.api.template_shapes import (
    CampaignShape,
    CampaignsShape,
    ContentTypesShape,
    NamesShape,
    TemplateColumns,
    with_metrics,
)
from campaigns.content_types import CONTENT_TYPES
from campaigns.library import CommerceDefaultCampaigns, DefaultCampaigns
from campaigns.models import Campaign
from campaigns_project.api import MIB, Door, NothingInput, StrictJSONParser, listed
from campaigns_project.api.parsing import StrictMultiPartParser, body_length
from campaigns_project.refusals import Invalid
from lifecycle.api import Transitions

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from rest_framework.request import Request

# The largest media WhatsApp takes, and room for the rest of the form.
WITH_MEDIA = 17 * 1024 * 1024


class TemplateDoor(Door):
    tag = "templates"

    def templates(self) -> QuerySet[Campaign]:
        """The caller's templates, each row a version."""
        return Campaign.objects.for_account(self.account).select_related("account")

    def shown(self, campaigns: list[Campaign]) -> Response:
        rows = [dict(TemplateColumns(campaign).data) for campaign in campaigns]
        with_metrics(rows, self.account.pk)
        return Response({"data": rows})


class ContentTypes(TemplateDoor):
    answers: ClassVar = {"GET": ContentTypesShape}

    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """List the kinds of content, each with its JSON Schema and its rules for variables."""
        return Response({"data": CONTENT_TYPES})


class DefaultNames(TemplateDoor):
    answers: ClassVar = {"GET": NamesShape}

    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """List the names of the 23 built-in templates."""
        return Response({"data": [*DefaultCampaigns.values, *CommerceDefaultCampaigns.values]})


class CreateDefaults(TemplateDoor):
    needs: ClassVar = {"GET": Permission.AUTHOR, "POST": Permission.AUTHOR}
    queries: ClassVar = {"GET": inputs.DefaultsQuery, "POST": inputs.DefaultsQuery}
    answers: ClassVar = {"GET": CampaignsShape, "POST": CampaignsShape}

    def get(self, request: Request) -> Response:
        """Create or refresh built-in templates (as POST does)."""
        return self.post(request)

    def post(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Create or refresh built-in templates.

        Doing so twice changes nothing, and a version of your own is never overwritten.
        """
        return self.shown(authoring.create_default_templates(self.account, self.params.get("campaign_names")))


class Templates(TemplateDoor):
    queries: ClassVar = {"GET": inputs.TemplateQuery}
    answers: ClassVar = {"GET": listed(CampaignShape)}

    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """List templates, each row a version."""
        answer = self.page(self._chosen(), shape=TemplateColumns, order=(self.params["order_by"],))
        with_metrics(answer.data["data"], self.account.pk)
        return answer

    def _chosen(self) -> QuerySet[Campaign]:
        exact = {name: self.params[name] for name in ("campaign_type", "status", "language") if name in self.params}
        found = self.templates().filter(**exact)
        if "campaign_ids" in self.params:
            found = found.filter(pk__in=self.params["campaign_ids"])
        sought = self.params.get("search")
        return found.filter(Q(name__icontains=sought) | Q(body__icontains=sought)) if sought else found


class OneTemplate(TemplateDoor):
    answers: ClassVar = {"GET": CampaignShape}

    def get(self, request: Request, pk: int) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show one version with how it fares and its other versions."""
        return self.show(self.find(self.templates(), pk=pk), CampaignShape)


class Writing(TemplateDoor):
    """A body in JSON, or a form with a media file."""

    needs: ClassVar = {"POST": Permission.AUTHOR}
    answers: ClassVar = {"POST": (201, CampaignShape)}
    parser_classes = [StrictJSONParser, StrictMultiPartParser]
    max_body = WITH_MEDIA
    # By content type.
    bodies: ClassVar[Any]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Only a file makes a body large."""
        if not str(request.content_type).lower().startswith("multipart/"):
            body_length(request.META, MIB)
        super().initial(request, *args, **kwargs)

    @cached_property
    def data(self) -> Any:
        is_form = isinstance(self.request.data, QueryDict)
        kind = "multipart/form-data" if is_form else "application/json"
        said = self.read(self.bodies["POST"][kind])
        renamed = {"content_context_json": "content_context", "variables": "numbered", "media": "upload"}
        return {renamed.get(name, name): value for name, value in said.items()}


class CreateTemplate(Writing):
    bodies: ClassVar[Any] = {"POST": {"application/json": inputs.CreateInput, "multipart/form-data": inputs.CreateForm}}

    def post(self, request: Request) -> Response:
        """Write a template; it is not submitted yet."""
        campaign = authoring.create(self.account, by=request.user, **self.data)
        return self.show(campaign, CampaignShape, status=201)


class UpdateTemplate(Writing):
    bodies: ClassVar[Any] = {
        "POST": {"application/json": inputs.VersionInput, "multipart/form-data": inputs.VersionForm}
    }
    editable = True

    def post(self, request: Request, pk: int) -> Response:
        """Write a new version.

        The old one goes on sending until the new one is approved; only the newest version can be updated.
        """
        said = dict(self.data)
        with transaction.atomic():
            head = self.find(self.templates().select_for_update(of=("self",)), pk=pk)
            self.unchanged(head)
            if faults := inputs.differing(head, said):
                raise Invalid(details=faults)
            successor = authoring.new_version(head, by=request.user, **said)
        return self.show(successor, CampaignShape, status=201)


class Verb(TemplateDoor):
    """One thing that is done to one version."""

    answers: ClassVar = {"POST": CampaignShape}
    bodies: ClassVar = {"POST": NothingInput}
    editable = True
    status: ClassVar = 200

    def done(self, pk: int, act: Callable[..., Any]) -> Response:
        with transaction.atomic():
            campaign = self.find(self.templates().select_for_update(of=("self",)), pk=pk)
            self.unchanged(campaign)
            act(campaign, by=self.request.user)
        return self.show(campaign, CampaignShape, status=self.status)


class Submit(Verb):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    answers: ClassVar = {"POST": (202, CampaignShape)}
    status = 202

    def post(self, request: Request, pk: int) -> Response:  # noqa: ARG002 (DRF's signature)
        """Submit a version to WhatsApp for approval, through Twilio."""
        return self.done(pk, approval.submit)


class Enable(Verb):
    needs: ClassVar = {"POST": Permission.SEND}

    def post(self, request: Request, pk: int) -> Response:  # noqa: ARG002 (DRF's signature)
        """Let an approved version be sent."""
        return self.done(pk, authoring.enable)


class Disable(Verb):
    needs: ClassVar = {"POST": Permission.SEND}

    def post(self, request: Request, pk: int) -> Response:  # noqa: ARG002 (DRF's signature)
        """Stop a version from being sent, at once."""
        return self.done(pk, authoring.disable)


class Archive(Verb):
    needs: ClassVar = {"POST": Permission.AUTHOR}

    def post(self, request: Request, pk: int) -> Response:  # noqa: ARG002 (DRF's signature)
        """Put a version away, unless a broadcast is using it."""
        return self.done(pk, authoring.archive)


class MoveTemplate(Transitions):
    tag = "templates"
    model = Campaign
    shape = CampaignShape

    def move(self, row: Campaign, verb: str, *, by: Any, reason: str, **told: Any) -> None:
        """Archiving asks whether a broadcast is using the version; no other verb is a person's."""
        if verb != "archive":
            raise AssertionError(verb)
        authoring.archive(row, by=by, reason=reason, **told)
