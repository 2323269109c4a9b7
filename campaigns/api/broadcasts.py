"""Broadcasts: drafted with a preflight, started, paused, resumed, cancelled, and what became of everybody."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import transaction
from django.utils import timezone
from rest_framework.response import Response

from accounts.roles import Permission
from campaigns import broadcasting
from campaigns.api import inputs
from campaigns.api.sending_shapes import BroadcastShape, MessageShape, PendingShape, StandingShape
from campaigns.models import Broadcast, BroadcastStatus, Campaign, CampaignLeadMessage
from campaigns_project.api import Door, MomentField, listed
from lifecycle.api import Transitions

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from rest_framework.request import Request


# What a start answers when a second person has to decide first (spec: decisions › Smaller ones).
APPROVAL_PENDING = "approval_pending"


class BroadcastDoor(Door):
    tag = "broadcasts"

    def broadcasts(self) -> QuerySet[Broadcast]:
        """The caller's broadcasts."""
        return Broadcast.objects.for_account(self.account).select_related("campaign", "account")


class Broadcasts(BroadcastDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    bodies: ClassVar = {"POST": inputs.BroadcastInput}
    answers: ClassVar = {"POST": (201, BroadcastShape)}

    def post(self, request: Request) -> Response:
        """Draft a broadcast; nothing is sent yet.

        The `preflight` counts whom it would reach, who would be left out and why, and what it would cost.
        """
        said = dict(self.data)
        campaigns = Campaign.objects.for_account(self.account).select_related("account")
        campaign = self.find(campaigns, pk=said.pop("campaign_id"))
        return self.show(broadcasting.draft(campaign, by=request.user, **said), BroadcastShape, status=201)


class OneBroadcast(BroadcastDoor):
    answers: ClassVar = {"GET": BroadcastShape}

    def get(self, request: Request, pk: int) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show a broadcast with the number of people by status."""
        return self.show(self.find(self.broadcasts(), pk=pk), BroadcastShape)


class Messages(BroadcastDoor):
    queries: ClassVar = {"GET": inputs.MessagesQuery}
    answers: ClassVar = {"GET": listed(MessageShape)}

    def get(self, request: Request, pk: int) -> Response:  # noqa: ARG002 (DRF's signature)
        """List what became of everybody."""
        found = CampaignLeadMessage.objects.of(self.find(self.broadcasts(), pk=pk)).with_outcome()
        if "status" in self.params:
            found = found.filter(status=self.params["status"])
        return self.page(found, shape=MessageShape, order=("id",), counted="capped")


class Verb(BroadcastDoor):
    """One thing that is done to one broadcast; answers where it stands."""

    needs: ClassVar = {"POST": Permission.SEND}
    bodies: ClassVar = {"POST": inputs.ReasonInput}
    answers: ClassVar = {"POST": StandingShape}
    editable = True

    def done(self, pk: int, act: Callable[..., dict[str, Any]]) -> Response:
        rows = self.broadcasts()
        # Only a comparison needs the lock: a start locks the template first, and two orders can meet.
        if "HTTP_IF_MATCH" in self.request.META:
            rows = rows.select_for_update(of=("self",))
        with transaction.atomic():
            broadcast = self.find(rows, pk=pk)
            self.unchanged(broadcast)
            standing = act(broadcast, by=self.request.user, reason=self.data.get("reason", ""))
            pending = standing["status"] == APPROVAL_PENDING
            return Response(standing, status=HTTPStatus.ACCEPTED if pending else HTTPStatus.OK)


class Start(Verb):
    answers: ClassVar = {"POST": {200: StandingShape, 202: PendingShape}}

    def post(self, request: Request, pk: int) -> Response:  # noqa: ARG002 (DRF's signature)
        """Start a broadcast, or schedule it when it is a draft for a later moment.

        A large one answers 202 with the status `approval_pending`: a second person decides on the broadcast's page.
        """
        return self.done(pk, _start)


class Pause(Verb):
    def post(self, request: Request, pk: int) -> Response:  # noqa: ARG002 (DRF's signature)
        """Pause a broadcast: no new call starts; `in_flight` calls are being finished."""
        return self.done(pk, broadcasting.pause)


class Resume(Verb):
    def post(self, request: Request, pk: int) -> Response:  # noqa: ARG002 (DRF's signature)
        """Go on with the rest."""
        return self.done(pk, broadcasting.resume)


class Cancel(Verb):
    def post(self, request: Request, pk: int) -> Response:  # noqa: ARG002 (DRF's signature)
        """Cancel a broadcast: whoever has not been called gets nothing."""
        return self.done(pk, broadcasting.cancel)


class MoveBroadcast(Transitions):
    tag = "broadcasts"
    model = Broadcast
    shape = BroadcastShape
    pending = PendingShape
    inputs: ClassVar = {"schedule": {"scheduled_at": MomentField(required=False)}}

    def move(self, row: Broadcast, verb: str, *, by: Any, reason: str, **told: Any) -> Response | None:
        """Scheduling looks for obstacles, and cancelling calls off whoever waits."""
        if verb == "schedule":
            if broadcasting.launch(row, by=by, at=told["scheduled_at"]):
                return _pending(row)
        elif verb == "unschedule":
            row.unschedule(by=by, reason=reason, scheduled_at=None)
        else:
            getattr(broadcasting, verb)(row, by=by, reason=reason)
        return None


def _pending(broadcast: Broadcast) -> Response:
    standing = broadcasting.standing(broadcast) | {"status": APPROVAL_PENDING}
    return Response(standing, status=HTTPStatus.ACCEPTED)


def _start(broadcast: Broadcast, *, by: Any, reason: str) -> dict[str, Any]:  # noqa: ARG001 (as the other verbs)
    at = broadcast.scheduled_at
    later = at if at and at > timezone.now() and broadcast.status == BroadcastStatus.DRAFT else None
    asked = broadcasting.launch(broadcast, by=by, at=later)
    standing = broadcasting.standing(broadcast)
    return standing | {"status": APPROVAL_PENDING} if asked else standing
