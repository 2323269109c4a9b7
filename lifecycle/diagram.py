"""Every machine as a picture (Mermaid) and a table, written from the declarations into docs/machines.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lifecycle.guard import guarded_models

if TYPE_CHECKING:
    from lifecycle.transition import Edge, Lifecycle

_HEAD = """\
# Machines

Made by `python manage.py diagrams` from the `@transition`s on the models; `--check` fails when this page is behind
them. PostgreSQL refuses every move and every birth that is not drawn here. A verb without a permission is the
machine's own: no person may call it.
"""


def document() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(_section(model) for model in guarded_models())])


def picture(model: type[Lifecycle]) -> str:
    """The machine of `model` as a Mermaid stateDiagram, without the fence around it."""
    machine = model.machine
    options: Any = model._meta
    states = [value for value, _ in options.get_field("status").flatchoices]
    lines = [f"    [*] --> {state}" for state in machine.born]
    for source in states:
        edges = machine.leading_on_from(source)
        lines += [f"    {source} --> {edge.target}: {edge.verb}" for edge in edges] or [f"    {source} --> [*]"]
    return "\n".join(["stateDiagram-v2", *lines])


def _section(model: type[Lifecycle]) -> str:
    title = f"## {model.__name__} ({model._meta.app_label})"
    table = ["| verb | from | to | stamps | permission | meaning |", "|---|---|---|---|---|---|"]
    rows = [_row(edge) for edge in model.machine.edges.values()]
    return "\n".join([title, "", "```mermaid", picture(model), "```", "", *table, *rows, ""])


def _row(edge: Edge) -> str:
    cells = [edge.verb, ", ".join(edge.sources), edge.target, ", ".join(edge.sets), edge.asks or "", edge.doc]
    return f"| {' | '.join(cells)} |"
