"""Webhooks to the merchant: where they go, what became of each, a test, a replay and another secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import transaction
from rest_framework.response import Response

from accounts.roles import Permission
from campaigns_project.api import Door, NothingInput, listed
from crm.api import webhook_endpoint_shapes as shapes
from crm.models import WebhookDelivery, WebhookEndpoint
from crm.webhooks_out import outgoing

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

SETTINGS = Permission.SETTINGS


class EndpointDoor(Door):
    tag = "webhook-endpoints"

    def ours(self) -> QuerySet[WebhookEndpoint]:
        return WebhookEndpoint.objects.for_account(self.account)

    def locked(self, endpoint_id: str) -> WebhookEndpoint:
        found: WebhookEndpoint = self.find(self.ours().select_for_update(), public_id=endpoint_id)
        return found

    def deliveries(self, endpoint_id: str) -> QuerySet[WebhookDelivery]:
        endpoint = self.find(self.ours(), public_id=endpoint_id)
        return WebhookDelivery.objects.for_account(self.account).filter(endpoint=endpoint).select_related("event")


class Endpoints(EndpointDoor):
    needs: ClassVar = {"GET": SETTINGS, "POST": SETTINGS}
    queries: ClassVar = {"GET": shapes.EndpointsQuery}
    bodies: ClassVar = {"POST": shapes.EndpointInput}
    answers: ClassVar = {"GET": listed(shapes.EndpointShape), "POST": (201, shapes.NewEndpointShape)}

    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """List the addresses that are told what happens, the newest first."""
        return self.page(self.ours(), shape=shapes.EndpointShape)

    def post(self, request: Request) -> Response:
        """Have an address told what happens from now on.

        Webhooks follow Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature`, signed with the
        secret that this answer shows once. Each comes at least once, in no promised order; 2xx means taken.
        """
        return self.show(
            outgoing.create(self.account, by=request.user, **self.data), shapes.NewEndpointShape, status=201
        )


class OneEndpoint(EndpointDoor):
    needs: ClassVar = {"GET": SETTINGS, "PATCH": SETTINGS, "DELETE": SETTINGS}
    bodies: ClassVar = {"PATCH": shapes.ChangeEndpointInput}
    answers: ClassVar = {"GET": shapes.EndpointShape, "PATCH": shapes.EndpointShape}
    editable = True

    def get(self, request: Request, endpoint_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show an endpoint, without its secret."""
        return self.show(self.find(self.ours(), public_id=endpoint_id), shapes.EndpointShape)

    def patch(self, request: Request, endpoint_id: str) -> Response:
        """Change where it is, what it is told, or whether it is. What waited while it was off is sent when it is on."""
        with transaction.atomic():
            endpoint = self.locked(endpoint_id)
            self.unchanged(endpoint)
            return self.show(outgoing.change(endpoint, by=request.user, **self.data), shapes.EndpointShape)

    def delete(self, request: Request, endpoint_id: str) -> Response:
        """Delete an endpoint and what is in line for it."""
        with transaction.atomic():
            endpoint = self.locked(endpoint_id)
            self.unchanged(endpoint)
            outgoing.remove(endpoint, by=request.user)
        return Response(status=204)


class Secret(EndpointDoor):
    needs: ClassVar = {"POST": SETTINGS}
    bodies: ClassVar = {"POST": NothingInput}
    answers: ClassVar = {"POST": shapes.SecretShape}

    def post(self, request: Request, endpoint_id: str) -> Response:
        """Make another secret, shown once. For 24 hours each webhook is signed with both."""
        with transaction.atomic():
            endpoint = self.locked(endpoint_id)
            secret = outgoing.rotate(endpoint, by=request.user)
        shown: dict[str, Any] = {
            "id": endpoint.public_id,
            "secret": secret,
            "old_secret_until": endpoint.old_secret_until,
        }
        return Response(shapes.SecretShape(shown).data)


class SendTest(EndpointDoor):
    needs: ClassVar = {"POST": SETTINGS}
    bodies: ClassVar = {"POST": NothingInput}
    answers: ClassVar = {"POST": (202, shapes.DeliveryShape)}

    def post(self, request: Request, endpoint_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Send a webhook of the type `webhook.test`, whatever types the endpoint asks for."""
        endpoint = self.find(self.ours(), public_id=endpoint_id)
        return self.show(outgoing.test(endpoint), shapes.DeliveryShape, status=202)


class Deliveries(EndpointDoor):
    needs: ClassVar = {"GET": SETTINGS}
    queries: ClassVar = {"GET": shapes.DeliveriesQuery}
    answers: ClassVar = {"GET": listed(shapes.DeliveryShape)}

    def get(self, request: Request, endpoint_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """List what was sent to an endpoint in the last 30 days, or is about to be, the newest first."""
        rows = self.deliveries(endpoint_id)
        if "status" in self.params:
            rows = rows.filter(WebhookDelivery.in_status(self.params["status"]))
        return self.page(rows, shape=shapes.DeliveryShape, counted="capped")


class Replay(EndpointDoor):
    needs: ClassVar = {"POST": SETTINGS}
    bodies: ClassVar = {"POST": NothingInput}
    answers: ClassVar = {"POST": (202, shapes.DeliveryShape)}

    def post(self, request: Request, endpoint_id: str, delivery_id: str) -> Response:  # noqa: ARG002 (DRF's)
        """Send a webhook again, under its old id, however it ended."""
        rows = self.deliveries(endpoint_id).select_related("endpoint", "event")
        delivery = self.find(rows, public_id=delivery_id)
        return self.show(outgoing.replay(delivery), shapes.DeliveryShape, status=202)
