"""Change of status: declared once on the model, done to one row or to a million by the same statement.

    class Recipient(Lifecycle):
        status = StatusField(choices=Status.choices, default=Status.PENDING)

        @transition([Status.PENDING], Status.SKIPPED, sets=["skip_reason"])
        def skip(self) -> None:
            "Not mailed, for a reason."

    recipient.skip(skip_reason="NoAddress", by=user)
    Recipient.objects.without_address().transition("skip", skip_reason="NoAddress")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import django_fsm
from django.db import models
from django.db.models.functions import Now

from campaigns_project.refusals import Conflict
from lifecycle import moving

if TYPE_CHECKING:
    from lifecycle.history import Move

M = TypeVar("M", bound="Lifecycle")


class TransitionNotAllowed(Conflict):
    """The row is not in a state from which this verb leads on; `details.allowed` names the verbs that do."""

    code = "transition_not_allowed"
    message = "This is not possible in the present state."


class Actor(Protocol):
    """Whoever asks for a move: anything with a primary key, in practice a user."""

    pk: Any


@dataclass(frozen=True)
class Edge:
    """One verb: from any of `sources` to `target`, stamping the fields named in `sets`.

    `asks` is the permission (`accounts.roles.Permission` value) a person needs to call it; None marks a move that only
    the machine itself makes.
    """

    verb: str
    sources: tuple[str, ...]
    target: str
    sets: tuple[str, ...] = ()
    asks: str | None = None
    doc: str = ""

    def check(self, fields: Iterable[str]) -> None:
        unknown = sorted(set(fields) - set(self.sets))
        if unknown:
            raise TypeError(f"{self.verb}() does not set {', '.join(unknown)}")


@dataclass
class Machine:
    """The graph of one model: its edges by verb, the states a row may be born in, and where its moves are recorded."""

    edges: dict[str, Edge] = field(default_factory=dict)
    born: tuple[str, ...] = ()
    moves: type[Move] | None = None

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every legal (source, target), sorted, so that migrations are stable."""
        return sorted({(source, edge.target) for edge in self.edges.values() for source in edge.sources})

    def edge(self, verb: str) -> Edge:
        return self.edges[verb]

    def leading_on_from(self, status: str) -> list[Edge]:
        return [edge for edge in self.edges.values() if status in edge.sources]

    def offered_from(self, status: str) -> list[Edge]:
        """What a person may be offered: the moves without an outside effect of their own."""
        return [edge for edge in self.leading_on_from(status) if edge.asks is not None]


class StatusField(django_fsm.FSMField):
    """A status: text, written by transitions only, and stored exactly as the wire spells it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["protected"] = True
        kwargs.setdefault("max_length", 30)
        super().__init__(*args, **kwargs)


class LifecycleQuerySet(models.QuerySet[M]):
    def transition(self, verb: str, *, by: Actor | None = None, reason: str = "", **fields: Any) -> list[int]:
        """Move every row of this queryset that stands in one of the verb's sources.

        One statement guards, updates, stamps `status_at` and writes a history row per row moved. Returns the ids of the
        rows that moved; the others are left as they are. Raises TypeError for a field the verb does not set.
        """
        return moving.move(self, self._edge(verb, fields), by=by, reason=reason, fields=fields)

    def transition_all(self, verb: str, *, by: Actor | None = None, reason: str = "", **fields: Any) -> int:
        """As `transition`, for very many rows: returns how many moved."""
        return moving.move_all(self, self._edge(verb, fields), by=by, reason=reason, fields=fields)

    def in_states(self, states: Iterable[str]) -> LifecycleQuerySet[M]:
        return self.filter(status__in=list(states))

    def _edge(self, verb: str, fields: Mapping[str, Any]) -> Edge:
        edge = self.model.machine.edge(verb)
        edge.check(fields)
        return edge


class Lifecycle(django_fsm.FSMModelMixin, models.Model):  # type: ignore[misc]  # the mixin is untyped
    """A noun with a status. Concrete classes are decorated with `@guarded` (lifecycle.guard)."""

    machine: ClassVar[Machine]
    # Each concrete class declares it as a StatusField.
    status: Any
    # The column that says whose row it is; an account is its own owner.
    owner_column: ClassVar[str] = "account_id"

    status_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True

    def allowed_verbs(self) -> list[str]:
        """The verbs a person may be offered now."""
        return [edge.verb for edge in type(self).machine.offered_from(self.status)]

    def perform(self, verb: str, *, by: Actor | None = None, reason: str = "", **fields: Any) -> None:
        """Move this row, or raise TransitionNotAllowed; the instance then shows what the database holds."""
        edge = type(self).machine.edge(verb)
        moved = LifecycleQuerySet(type(self)).filter(pk=self.pk).transition(verb, by=by, reason=reason, **fields)
        self._show(edge)
        if not moved:
            raise TransitionNotAllowed(details={"status": self.status, "allowed": self.allowed_verbs()})

    def _show(self, edge: Edge) -> None:
        self.refresh_from_db(fields=["status", "status_at", *edge.sets])


def transition(
    sources: Iterable[str], target: str, *, sets: Iterable[str] = (), asks: str | None = None
) -> Callable[[Callable[[Any], None]], Callable[..., None]]:
    """Declare an edge. The decorated method has a docstring and no body: nothing can differ between one row and many.

    The method is then called with keywords only: `by` (who asks), `reason`, and the fields named in `sets`. It raises
    TransitionNotAllowed when the row does not stand in one of `sources`, whatever the instance in memory says.
    """
    from_states = tuple(str(source) for source in sources)

    def declare(method: Callable[[Any], None]) -> Callable[..., None]:
        edge = Edge(method.__name__, from_states, str(target), tuple(sets), asks, (method.__doc__ or "").strip())
        declared = django_fsm.transition(field="status", source=list(from_states), target=str(target))(method)

        @wraps(method)
        def perform(self: Lifecycle, *, by: Actor | None = None, reason: str = "", **fields: Any) -> None:
            self.perform(edge.verb, by=by, reason=reason, **fields)

        perform._django_fsm = declared._django_fsm  # type: ignore[attr-defined]  # noqa: SLF001 (how django-fsm finds edges)
        perform.edge = edge  # type: ignore[attr-defined]
        return perform

    return declare
