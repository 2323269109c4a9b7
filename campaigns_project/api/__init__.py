"""How we speak HTTP to integrators: one door class, one strict parser, one error body, one kind of list.

    class Leads(Door):
        "The people a campaign is for."

        needs = {"POST": Permission.AUTHOR}                  # GET needs VIEW; a method that is not named is refused
        queries = {"GET": LeadQuery}                         # parameters; without an entry any parameter is 400
        bodies = {"POST": LeadInput}                         # body; without an entry any body but {} is 400
        answers = {"GET": listed(LeadShape), "POST": (201, LeadShape)}       # what OpenAPI shows
        max_body = BULK

        def get(self, request, campaign_id):
            "One page of leads."                             # becomes the summary in OpenAPI
            campaign = self.find(Campaign.objects.for_account(self.account), pk=campaign_id)
            return self.page(campaign.leads.all(), shape=LeadShape)

        def post(self, request, campaign_id):
            lead = campaign.add(**self.data)                 # self.data: the validated body
            return self.show(lead, LeadShape, status=201)

    urlpatterns = routes("api/v1/campaign", route("leads", Leads))          # answers with and without a slash

What a handler has: `self.account`, `self.request.user`, `self.may(permission)`, `self.params` (validated query),
`self.data` (validated body), `self.find(queryset, **lookup)` (404), `self.page(queryset, shape=…)`,
`self.show(instance, Shape, status=…)` (sends an ETag), `self.unchanged(instance)` (412 when If-Match names another
version), `self.accepted(job)` (202 + Location). Refusals are raised where the rule is; every exception becomes the
one error body. A POST with an Idempotency-Key runs in one transaction together with its stored answer: it must not
call the network.

Fields for bodies and queries: `NameField`, `TextField`, `IntegerField`, `NumberField`, `BooleanField`, `ChoiceField`,
`MomentField` (2000–2100, with offset), `DayField`, `ObjectField`, `RowsField`, `CommaListField`; serializers are
`StrictSerializer` (JSON), `FormSerializer` (multipart), `Query` and `ListQuery` (page, limit, cursor).
"""

from campaigns_project.api.doors import Door, FileDoor, OpenDoor
from campaigns_project.api.errors import answer_refusal, envelope
from campaigns_project.api.etags import etag_of
from campaigns_project.api.fields import (
    BooleanField,
    ChoiceField,
    CommaListField,
    DayField,
    IntegerField,
    MomentField,
    NameField,
    NumberField,
    ObjectField,
    RowsField,
    TextField,
)
from campaigns_project.api.guessing import GuessedDoor
from campaigns_project.api.lists import page_of
from campaigns_project.api.parsing import BULK, IMPORT, MIB, StrictJSONParser, parse_json
from campaigns_project.api.rendering import JSONRenderer, WrittenPage
from campaigns_project.api.routes import route, routes, webhook
from campaigns_project.api.schema import Schema
from campaigns_project.api.serializers import (
    AcceptedShape,
    FormSerializer,
    ListQuery,
    MoneyShape,
    NothingInput,
    Query,
    StrictSerializer,
    listed,
)

__all__ = [
    "BULK",
    "IMPORT",
    "MIB",
    "AcceptedShape",
    "BooleanField",
    "ChoiceField",
    "CommaListField",
    "DayField",
    "Door",
    "FileDoor",
    "FormSerializer",
    "GuessedDoor",
    "IntegerField",
    "JSONRenderer",
    "ListQuery",
    "MomentField",
    "MoneyShape",
    "NameField",
    "NothingInput",
    "NumberField",
    "ObjectField",
    "OpenDoor",
    "Query",
    "RowsField",
    "Schema",
    "StrictJSONParser",
    "StrictSerializer",
    "TextField",
    "WrittenPage",
    "answer_refusal",
    "envelope",
    "etag_of",
    "listed",
    "page_of",
    "parse_json",
    "route",
    "routes",
    "webhook",
]
