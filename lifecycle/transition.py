"""Change of status: declared once on the model, done to one row or to a million by the same statement.

`@transition([Status.PENDING], Status.SKIPPED, sets=["skip_reason"])` on a method `skip` declares a verb. One
row: `recipient.skip(skip_reason="NoAddress", by=user)`. Many:
`Recipient.objects.without_address().transition("skip", skip_reason="NoAddress")`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import django_fsm
from django.db import models
from django.db.models.functions import Now

from campaigns_project.refusals import Conflict, Invalid
from lifecycle import moving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lifecycle.history import Move

M = TypeVar("M", bound="Lifecycle")

# Written by moves only, never by save() or update().
MOVED = frozenset({"status", "status_at"})


class TransitionNotAllowed(Conflict):
    """The row is not in a state from which this verb leads on; `details.allowed` names the verbs that do."""

    code = "transition_not_allowed"
    message = "This is not possible in the present state."


class UnknownTransition(Invalid):
    """The machine has no such verb; `details.event` names those it has."""

    message = "There is no such transition."


class Actor(Protocol):
    """Whoever asks for a move: anything with a primary key, in practice a user."""

    pk: Any


@dataclass(frozen=True)
class Edge:
    """One verb: from any of `sources` to `target`, stamping the fields named in `sets`.

    `asks` is the permission (`accounts.roles.Permission` value) a person needs to call it; None marks a move
    that only the machine itself makes.
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


@dataclass(frozen=True)
class Machine:
    """The graph of one model: its edges by verb, the states a row may be born in, and its history's model."""

    edges: Mapping[str, Edge]
    born: tuple[str, ...]
    moves: type[Move]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every legal (source, target), sorted, so that migrations are stable."""
        return sorted({(source, edge.target) for edge in self.edges.values() for source in edge.sources})

    def edge(self, verb: str) -> Edge:
        """The edge called `verb`. Raises UnknownTransition."""
        try:
            return self.edges[verb]
        except KeyError:
            raise UnknownTransition(details={"event": [f"Choose one of: {', '.join(self.edges)}."]}) from None

    def leading_on_from(self, status: str) -> list[Edge]:
        return [edge for edge in self.edges.values() if status in edge.sources]

    def offered_from(self, status: str) -> list[Edge]:
        """What a person may be offered: the moves without an outside effect of their own."""
        return [edge for edge in self.leading_on_from(status) if edge.asks is not None]


class _ReadOnly(django_fsm.FSMFieldDescriptor):
    """Refuses a status that somebody assigns, and lets the row itself show what the database holds.

    django-fsm unlocks the field of the whole class while one instance is read again; two threads then trip
    over each other. Here the instance that reads is unlocked, and no other.
    """

    def __set__(self, instance: Any, value: Any) -> None:
        held = self.field.protected and self.field.name in instance.__dict__
        if held and not instance.__dict__.get("_reading"):
            raise AttributeError(f"{self.field.name} is moved by verbs, never assigned")
        instance.__dict__[self.field.name] = value


class StatusField(django_fsm.FSMField):
    """A status: text, written by transitions only, and stored exactly as the wire spells it."""

    descriptor_class = _ReadOnly

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["protected"] = True
        kwargs.setdefault("max_length", 30)
        super().__init__(*args, **kwargs)


class LifecycleQuerySet(models.QuerySet[M]):
    def transition(self, verb: str, *, by: Actor | None = None, reason: str = "", **fields: Any) -> list[Any]:
        """Move every row of this queryset that stands in one of the verb's sources.

        One statement guards, updates, stamps `status_at` and writes a history row per row moved. Returns the
        ids of the rows that moved, in order; the others are left as they are. Raises UnknownTransition, and
        TypeError for a field the verb does not set.
        """
        return moving.move(self, self._edge(verb, fields), by=by, reason=reason, fields=fields)

    def transition_all(self, verb: str, *, by: Actor | None = None, reason: str = "", **fields: Any) -> int:
        """As `transition`, for very many rows: returns how many moved."""
        return moving.move_all(self, self._edge(verb, fields), by=by, reason=reason, fields=fields)

    def in_states(self, states: Iterable[str]) -> LifecycleQuerySet[M]:
        return self.filter(status__in=list(states))

    def update(self, **kwargs: Any) -> int:
        """As Django's, for every column but the status: that would leave no history. Raises TypeError."""
        _refuse_moved(kwargs)
        return super().update(**kwargs)

    def _edge(self, verb: str, fields: Mapping[str, Any]) -> Edge:
        edge = self.model.machine.edge(verb)
        edge.check(fields)
        return edge


class Lifecycle(models.Model):
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
        this_row: LifecycleQuerySet[Any] = LifecycleQuerySet(type(self)).filter(pk=self.pk)
        moved = this_row.transition(verb, by=by, reason=reason, **fields)
        self.refresh_from_db(fields=["status", "status_at", *edge.sets])
        if not moved:
            raise TransitionNotAllowed(details={"status": self.status, "allowed": self.allowed_verbs()})

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """As Django's, but a row that exists keeps the status it has in the database.

        What the instance remembers may be old, and writing it back could be a legal move nobody asked for.
        Raises TypeError when `update_fields` names the status.
        """
        if update_fields is not None:
            _refuse_moved(update_fields)
        elif not self._state.adding and not options.get("force_insert"):
            update_fields = self._loaded_columns()
        super().save(*args, update_fields=update_fields, **options)

    def refresh_from_db(self, *args: Any, **options: Any) -> None:
        self.__dict__["_reading"] = True
        try:
            super().refresh_from_db(*args, **options)
        finally:
            del self.__dict__["_reading"]

    def _loaded_columns(self) -> list[str]:
        here = [field for field in self._meta.concrete_fields if field.attname in self.__dict__]
        return [field.name for field in here if not field.primary_key and field.name not in MOVED]


def transition(
    sources: Iterable[str], target: str, *, sets: Iterable[str] = (), asks: str | None = None
) -> Callable[[Callable[[Any], None]], Callable[..., None]]:
    """Declare an edge. The decorated method is a docstring without a body: one row and many cannot differ.

    The method is then called with keywords only: `by` (who asks), `reason` and the fields named in `sets`. It
    raises TransitionNotAllowed when the row does not stand in one of `sources`, whatever the instance says.
    """
    from_states = tuple(str(source) for source in sources)

    def declare(method: Callable[[Any], None]) -> Callable[..., None]:
        doc = (method.__doc__ or "").strip()
        edge = Edge(method.__name__, from_states, str(target), tuple(sets), asks, doc)
        fsm_edge = django_fsm.transition(field="status", source=list(from_states), target=str(target))

        @wraps(method)
        def perform(self: Lifecycle, *, by: Actor | None = None, reason: str = "", **fields: Any) -> None:
            self.perform(edge.verb, by=by, reason=reason, **fields)

        # Where django-fsm and @guarded look for edges.
        vars(perform).update(vars(fsm_edge(method)), edge=edge)
        return perform

    return declare


def _refuse_moved(fields: Iterable[str]) -> None:
    touched = sorted(MOVED & set(fields))
    if touched:
        raise TypeError(f"{', '.join(touched)} is moved by verbs, which write its history")
