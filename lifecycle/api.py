"""`POST …/transition {"event", "reason"?, …}`: the same door for every machine.

    class MoveBroadcast(Transitions):
        model = Broadcast
        shape = BroadcastShape
        inputs = {"schedule": {"scheduled_at": MomentField(required=False)}}

    route("broadcasts/<int:pk>/transition", MoveBroadcast)

An unknown event is 400; a known one that is not allowed now, or that only the machine itself makes, is 409
`transition_not_allowed` with `details.allowed`; the permission is the edge's own (403).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import transaction

from campaigns_project.api import ChoiceField, Door, StrictSerializer, TextField
from campaigns_project.refusals import Forbidden, Invalid
from lifecycle.transition import TransitionNotAllowed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework.serializers import BaseSerializer, Field

    from lifecycle.transition import Edge, Lifecycle

REASON = 500


class Transitions(Door):
    """Move one row of `model`; subclasses may say which `rows` there are, and how a row is moved (`move`).

    `inputs` gives, by event, what the caller tells with it: names among the verb's `sets`, all required with that
    event and refused with others; the fields themselves are declared `required=False`. `shape` shows the row.
    """

    model: ClassVar[type[Lifecycle]]
    shape: ClassVar[type[BaseSerializer[Any]]]
    inputs: ClassVar[Mapping[str, Mapping[str, Field[Any, Any, Any, Any]]]] = {}
    # What a 202 shows, where a second person may have to decide first.
    pending: ClassVar[type[BaseSerializer[Any]] | None] = None

    # Whoever may look may ask; the edge then asks for more.
    needs: ClassVar[Mapping[str, str]] = {"POST": "view"}
    editable = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        told = {name: field for fields in cls.inputs.values() for name, field in fields.items()}
        event = ChoiceField(choices=list(cls.model.machine.edges))
        fields = {"event": event, "reason": TextField(max_length=REASON, required=False, allow_blank=True), **told}
        shown = next(
            edge.verb for edge in cls.model.machine.edges.values() if edge.asks and not cls.inputs.get(edge.verb)
        )
        named = {**fields, "example": {"event": shown, "reason": "The menu has changed."}}
        cls.bodies = {"POST": type(f"{cls.__name__}Input", (StrictSerializer,), named)}
        cls.answers = {"POST": {200: cls.shape, 202: cls.pending} if cls.pending else cls.shape}

    def post(self, request: Request, pk: Any) -> Response:
        """Move the object along one edge of its machine."""
        told = dict(self.data)
        edge, reason = self.model.machine.edge(told.pop("event")), told.pop("reason", "")
        with transaction.atomic():
            row = self.find(self.rows().select_for_update(), pk=pk)
            self.unchanged(row)
            self._check(row, edge, told)
            instead = self.move(row, edge.verb, by=request.user, reason=reason, **told)
        return instead or self.show(row, self.shape)

    def rows(self) -> QuerySet[Any]:
        """The caller's rows."""
        return self.model._default_manager.for_account(self.account)  # type: ignore[attr-defined,no-any-return]  # AccountQuerySet

    def move(self, row: Any, verb: str, *, by: Any, reason: str, **told: Any) -> Response | None:
        """Make the move; a machine whose verb is part of a process calls the process here.

        Returns what is answered instead of the row, when it could not be moved yet.
        """
        row.perform(verb, by=by, reason=reason, **told)
        return None

    def _check(self, row: Any, edge: Edge, told: Mapping[str, Any]) -> None:
        if edge.asks is None:
            raise TransitionNotAllowed(details={"status": row.status, "allowed": row.allowed_verbs()})
        if not self.may(edge.asks):
            raise Forbidden
        wanted = set(self.inputs.get(edge.verb, {}))
        wrong = {name: ["This is required with this event."] for name in wanted - set(told)}
        wrong |= {name: ["This is not told with this event."] for name in set(told) - wanted}
        if wrong:
            raise Invalid(details=wrong)
