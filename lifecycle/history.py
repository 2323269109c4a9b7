"""One history table per machine: who moved which row along which verb, when and why. Birth writes no row."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now


class Move(models.Model):
    """One move of one row. `row_id` is no foreign key: history outlives the row and costs the move little."""

    account_id = models.BigIntegerField()
    row_id = models.BigIntegerField()
    verb = models.CharField(max_length=60)
    source = models.CharField(max_length=30)
    target = models.CharField(max_length=30)
    at = models.DateTimeField(db_default=Now())
    by_id = models.BigIntegerField(null=True)
    reason = models.TextField(blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.row_id}: {self.source} → {self.target} ({self.verb})"


def history_of(model: type[models.Model]) -> type[Move]:
    """Make the history model of `model`: `<Model>Move`, in the same app, table `<table>_move`."""
    name = f"{model.__name__}Move"
    table = f"{model._meta.db_table}_move"
    meta = type(
        "Meta",
        (),
        {
            "app_label": model._meta.app_label,
            "db_table": table,
            "verbose_name": f"{model._meta.verbose_name} move",
            "indexes": [models.Index(fields=["row_id", "id"], name=f"{table[:24]}_row")],
        },
    )
    attributes: dict[str, Any] = {"__module__": model.__module__, "Meta": meta, "__doc__": Move.__doc__}
    return type(name, (Move,), attributes)
