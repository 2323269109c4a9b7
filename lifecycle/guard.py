"""The database's own guard: PostgreSQL refuses an undeclared move, and a birth in a state without a way in.

Two AFTER row triggers whose WHEN clause lists what is legal; only what is illegal ever reaches a function.
The function is ours, `lifecycle_refuse`, so that no session can switch it off with a setting. AFTER, because
a BEFORE trigger must lock the old row and turns COPY's multi-insert off (measured: docs/architecture.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import pgtrigger
from django.apps import apps

from lifecycle.history import history_of
from lifecycle.transition import Edge, Lifecycle, Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.db import models

L = TypeVar("L", bound=type[Lifecycle])


class _Refusing(pgtrigger.Trigger):
    when = pgtrigger.After
    func = "RETURN NULL;"

    def render_execute(self, model: models.Model) -> str:  # noqa: ARG002 (pgtrigger's signature)
        return "lifecycle_refuse()"


class LegalEdges(_Refusing):
    """Refuse an UPDATE that changes `status` along a pair that is not in `pairs`."""

    def __init__(self, *, pairs: Iterable[tuple[str, str]], **options: Any) -> None:
        by_source: dict[str, list[str]] = {}
        for source, target in pairs:
            by_source.setdefault(source, []).append(target)
        legal = " OR ".join(
            f"""(OLD."status" = '{source}' AND NEW."status" IN ({_quoted(targets)}))"""
            for source, targets in by_source.items()
        )
        super().__init__(
            operation=pgtrigger.UpdateOf("status"),  # type: ignore[no-untyped-call]  # pgtrigger's
            condition=pgtrigger.Condition(f'OLD."status" IS DISTINCT FROM NEW."status" AND NOT ({legal})'),
            **options,
        )


class LegalBirth(_Refusing):
    """Refuse an INSERT whose `status` is not in `born`."""

    def __init__(self, *, born: Iterable[str], **options: Any) -> None:
        super().__init__(
            operation=pgtrigger.Insert,
            condition=pgtrigger.Condition(f'NEW."status" IS NULL OR NEW."status" NOT IN ({_quoted(born)})'),
            **options,
        )


def guarded(*, born: Iterable[str]) -> Callable[[L], L]:
    """Class decorator: collect the edges of the class, guard them in PostgreSQL, make its history table."""

    def guard(model: L) -> L:
        machine = Machine(_declared(model), tuple(str(state) for state in born), history_of(model))
        if not machine.pairs or not machine.born:
            raise TypeError(f"{model.__name__} declares no transition or no state to be born in")
        model.machine = machine
        triggers = [
            *getattr(model._meta, "triggers", []),
            LegalEdges(name="legal_edges", pairs=machine.pairs),
            LegalBirth(name="legal_birth", born=machine.born),
        ]
        model._meta.triggers = triggers  # type: ignore[attr-defined]  # an option that pgtrigger adds
        # makemigrations reads the options as they were written, not as they are.
        model._meta.original_attrs["triggers"] = triggers
        return model

    return guard


def guarded_models() -> list[type[Lifecycle]]:
    """Every model with a status, in the order of the apps."""
    return [model for model in apps.get_models() if issubclass(model, Lifecycle)]


def _declared(model: type[Lifecycle]) -> dict[str, Edge]:
    edges: dict[str, Edge] = {}
    for ancestor in reversed(model.__mro__):
        edges |= {name: value.edge for name, value in vars(ancestor).items() if hasattr(value, "edge")}
    return edges


def _quoted(states: Iterable[str]) -> str:
    return ", ".join(f"'{state}'" for state in states)
