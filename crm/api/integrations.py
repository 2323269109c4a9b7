"""Webhooks of providers: which are connected, their secrets, what came, and applying it again."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.response import Response

from accounts.roles import Permission
from campaigns_project.api import ChoiceField, Door, ListQuery, OpenDoor, Query, StrictSerializer, TextField, listed
from campaigns_project.api.serializers import ErrorBody
from crm.webhooks_in import integrations
from crm.webhooks_in.payloads import PROVIDERS
from dispatch.models import InboxEntry

if TYPE_CHECKING:
    from rest_framework.request import Request

SEEN_AT = "2026-01-24T18:30:00Z"
STATUSES = ["connected", "disconnected"]


class ProviderShape(serializers.Serializer[Any]):
    id = serializers.ChoiceField(choices=list(PROVIDERS))
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=STATUSES)
    events_received = serializers.IntegerField(required=False, help_text="Of its table of events; once each.")
    last_event = serializers.DateTimeField(required=False)

    def to_representation(self, instance: integrations.Standing) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": instance.id,
            "name": instance.name,
            "status": STATUSES[instance.connection is None],
        }
        if instance.connection:
            shown["events_received"] = instance.connection.events_received
            if instance.connection.last_event_at:
                shown["last_event"] = instance.connection.last_event_at
        return shown


class ProvidersShape(serializers.Serializer[Any]):
    providers = ProviderShape(many=True)

    example: ClassVar[dict[str, Any]] = {
        "providers": [
            {
                "id": "sendgrid",
                "name": "SendGrid",
                "status": "connected",
                "events_received": 15420,
                "last_event": SEEN_AT,
            },
            {"id": "twilio", "name": "Twilio", "status": "connected", "events_received": 8920},
            {"id": "mailchimp", "name": "Mailchimp", "status": "disconnected"},
            {"id": "hubspot", "name": "HubSpot", "status": "disconnected"},
        ]
    }


class ProviderSecretInput(StrictSerializer):
    """Nothing, for a new random secret; else the one that the provider shows you."""

    secret = TextField(
        max_length=500, required=False, help_text="16 characters and more. SendGrid: its verification key."
    )

    example: ClassVar[dict[str, Any]] = {}


class ProviderSecretShape(serializers.Serializer[Any]):
    """Shown this once."""

    provider = serializers.CharField()
    url = serializers.CharField(help_text="Where the provider delivers to.")
    secret = serializers.CharField()
    valid_until_of_the_old = serializers.DateTimeField(allow_null=True, help_text="Until then the old one is good too.")

    example: ClassVar[dict[str, Any]] = {
        "provider": "sendgrid",
        "url": "https://app.example.com/api/v1/marketing/webhooks/sendgrid/Zk3v0qS8mT1xW5yB7cD9eF",
        "secret": "p1Xl0m3Zb7Qk9Vt2Wc5Ry8Ne4Ua6Sd0HfGjKiLoPqE",
        "valid_until_of_the_old": "2026-01-25T18:30:00Z",
    }


class CameInQuery(ListQuery):
    result = ChoiceField(choices=InboxEntry.Result.choices, required=False)


class CameInShape(serializers.Serializer[Any]):
    """A webhook as it came, and what became of it."""

    id = serializers.SerializerMethodField()
    event_type = serializers.SerializerMethodField()
    result = serializers.ChoiceField(choices=InboxEntry.Result.choices)
    received_at = serializers.DateTimeField()
    applied_at = serializers.DateTimeField(allow_null=True)
    tries = serializers.IntegerField()
    error = serializers.CharField()
    payload = serializers.SerializerMethodField()

    example: ClassVar[dict[str, Any]] = {
        "id": "whk_1042",
        "event_type": "email.opened",
        "result": "applied",
        "received_at": SEEN_AT,
        "applied_at": "2026-01-24T18:30:01Z",
        "tries": 1,
        "error": "",
        "payload": {
            "event_type": "email.opened",
            "email": "customer@example.com",
            "campaign_id": "camp_001",
            "timestamp": SEEN_AT,
        },
    }

    def get_id(self, entry: InboxEntry) -> str:
        return f"{integrations.EVENT_PREFIX}{entry.pk}"

    def get_event_type(self, entry: InboxEntry) -> str:
        return integrations.event_of(entry)

    def get_payload(self, entry: InboxEntry) -> dict[str, Any]:
        return integrations.payload_of(entry)


class Providers(Door):
    tag = "webhooks"
    answers: ClassVar = {"GET": ProvidersShape}

    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """List the providers, with how much came from those that are connected."""
        shown = [ProviderShape(each).data for each in integrations.standings(self.account)]
        return Response({"providers": shown})


class Secret(Door):
    tag = "webhooks"
    needs: ClassVar = {"PUT": Permission.SETTINGS, "DELETE": Permission.SETTINGS}
    bodies: ClassVar = {"PUT": ProviderSecretInput}
    answers: ClassVar = {"PUT": ProviderSecretShape}

    def put(self, request: Request, provider: str) -> Response:
        """Connect a provider, or rotate its secret: the old one is good for another 24 hours.

        409 `secret_taken` when another connection has the secret.
        """
        done = integrations.change_secret(self.account, provider, self.data.get("secret", ""), by=request.user)
        return self.show(done, ProviderSecretShape)

    def delete(self, request: Request, provider: str) -> Response:
        """Disconnect a provider: its credentials are forgotten, also those that messages are sent with.

        Campaigns that need it pause and say why; its webhooks are 401 from then on. What came before stays.
        """
        integrations.disconnect(self.account, provider, by=request.user)
        return Response(status=HTTPStatus.NO_CONTENT)


class ProviderEvents(Door):
    tag = "webhooks"
    queries: ClassVar = {"GET": CameInQuery}
    answers: ClassVar = {"GET": listed(CameInShape)}

    def get(self, request: Request, provider: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """List what came from a provider, the newest first. Kept for 30 days."""
        came = integrations.came_in(self.account, provider)
        if "result" in self.params:
            came = came.filter(result=self.params["result"])
        return self.page(came, shape=CameInShape, counted="capped")


class Replay(Door):
    tag = "webhooks"
    needs: ClassVar = {"POST": Permission.SEND}
    answers: ClassVar = {"POST": CameInShape}

    def post(self, request: Request, provider: str, event_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Apply a webhook again. What it did before is not done twice."""
        entry = integrations.one_that_came(self.account, provider, event_id)
        integrations.replay(entry)
        return self.show(entry, CameInShape)


class ReceivedShape(serializers.Serializer[Any]):
    """Stored, or known already."""

    example: ClassVar[dict[str, Any]] = {}


class GenericInput(serializers.Serializer[Any]):
    """An event for a provider; its own payloads are read as well, and arrays of either."""

    event_type = serializers.CharField(help_text="`email.opened`: what stands after the dot counts.")
    email = serializers.CharField(required=False)
    phone = serializers.CharField(required=False)
    campaign_id = serializers.CharField(required=False)
    event_id = serializers.CharField(required=False, help_text="The same one again changes nothing.")
    timestamp = serializers.DateTimeField(required=False)

    example: ClassVar[dict[str, Any]] = CameInShape.example["payload"]


class IncomingQuery(Query):
    attempt = serializers.CharField(required=False, help_text="Of ours: the call that a report is about.")
    m = serializers.CharField(required=False, help_text="Proves that the address is one of ours.")
    secret = serializers.CharField(required=False, help_text="Mailchimp's secret.")


class Incoming(OpenDoor):
    tag = "webhooks"
    queries: ClassVar = {"POST": IncomingQuery}
    bodies: ClassVar[Any] = {
        "POST": {"application/json": GenericInput, "application/x-www-form-urlencoded": OpenApiTypes.OBJECT}
    }
    answers: ClassVar = {"POST": {200: ReceivedShape, 401: ErrorBody, 503: ErrorBody}}

    def post(self) -> None:
        """A provider tells what happened, signed in its own way or by X-Webhook-Signature and X-Webhook-Timestamp.

        The signature is the hex HMAC-SHA256 of "{timestamp}.{raw body}" with the connection's secret; the timestamp
        (unix seconds or ISO 8601) is at most 300 seconds away. Acknowledged when it is stored.
        """


class IncomingAt(Incoming):
    """The same at a connection's own address."""
