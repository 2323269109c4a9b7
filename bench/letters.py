"""A row as wide as a recipient of direct mail, with its machine of 18 edges, in tables that only the bench has."""

from __future__ import annotations

from django.db import connection, models

from lifecycle.guard import guarded
from lifecycle.transition import Lifecycle, LifecycleQuerySet, StatusField, transition


def _edge(source: str, target: str):
    def verb(self) -> None:
        """One of the edges of seed direct-mail-recipients."""

    verb.__name__ = f"{source}_{target}"
    return transition([source], target)(verb)


EDGES = {
    "Pending": ["ProofingStaged", "AddressEnrichable", "Skipped", "Holdout"],
    "ProofingStaged": ["Proofing"],
    "Proofing": ["Proofed", "Error"],
    "Proofed": ["SendingStaged", "Scheduled"],
    "SendingStaged": ["Sending"],
    "Sending": ["Sent", "SendingStaged", "Error"],
    "Sent": ["Received"],
    "Scheduled": ["Sent"],
    "AddressEnrichable": ["AddressEnriching"],
    "AddressEnriching": ["Pending", "Skipped"],
}
VERB = "Pending_ProofingStaged"


class _Edges(Lifecycle):
    class Meta:
        abstract = True
        app_label = "bench"


for _source, _targets in EDGES.items():
    for _target in _targets:
        setattr(_Edges, f"{_source}_{_target}", _edge(_source, _target))


@guarded(born=["Pending"])
class Letter(_Edges):
    account_id = models.BigIntegerField()
    campaign_id = models.BigIntegerField()
    status = StatusField()
    payload = models.CharField(max_length=200)

    objects = LifecycleQuerySet["Letter"].as_manager()

    class Meta:
        app_label = "bench"
        db_table = "bench_letter"
        indexes = [models.Index(fields=["campaign_id", "id"], name="bench_letter_campaign")]


BARE = "bench_bare"
BARE_UPDATE = (
    "UPDATE {} SET status = 'ProofingStaged', status_at = statement_timestamp() "
    "WHERE campaign_id = 1 AND status = 'Pending'"
)
COLUMNS = "account_id, campaign_id, status, payload"
ROW = "SELECT 1, 1, 'Pending', repeat('x', 150) FROM generate_series(1, %s)"


def run(statement: str, *params: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params or None)


def make_tables() -> None:
    """The guarded table with its history, and the bare one: same columns, same indexes, nothing else."""
    with connection.schema_editor() as editor:
        for table in (Letter._meta.db_table, Letter.machine.moves._meta.db_table, BARE):
            editor.execute(f"DROP TABLE IF EXISTS {table}")
        editor.create_model(Letter)
        editor.create_model(Letter.machine.moves)
    # Only now: the editor makes indexes when it ends.
    run(f"CREATE TABLE {BARE} (LIKE {Letter._meta.db_table} INCLUDING ALL)")
    for trigger in Letter._meta.triggers:
        run(trigger.compile(Letter).install_sql)
    for table in (Letter._meta.db_table, Letter.machine.moves._meta.db_table, BARE):
        run(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")


def empty(table: str, fillfactor: int = 100) -> None:
    run(f"TRUNCATE {table}, {Letter.machine.moves._meta.db_table} RESTART IDENTITY")
    run(f"ALTER TABLE {table} SET (fillfactor = {fillfactor})")
    run("CHECKPOINT")


def fill(table: str, rows: int, fillfactor: int = 100) -> None:
    """`rows` fresh rows in `Pending`, vacuumed and analysed."""
    empty(table, fillfactor)
    run(f"INSERT INTO {table} ({COLUMNS}) {ROW}", rows)
    run(f"VACUUM (ANALYZE) {table}")
