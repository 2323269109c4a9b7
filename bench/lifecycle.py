"""python -m bench.lifecycle [--rows 1000000] [--pairs 5]: what a move costs, against one bare UPDATE of the same rows.

Runs in a cluster of its own (fsync on) under DATA_DIR/bench; `--here` uses DATABASE_URL instead. Every limit is a
bare UPDATE (or COPY) of the same rows in a table of default storage with the same indexes, measured in the same run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import django

from bench.measure import PAIRS, Figure, alternate, costs, rates, report, seconds
from launch.postgres import Server

SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "4GB", "checkpoint_timeout": "30min"}
QUEUE = "bench"
WORKERS = 2


@contextmanager
def own_cluster():
    """A durable server that nobody else uses; stopped at the end, its data kept for the next run."""
    server = Server(Path(os.environ.get("DATA_DIR", ".data")) / "bench").start()
    server.psql("".join(f"ALTER SYSTEM SET {name} = '{value}';\n" for name, value in SETTINGS.items()))
    server.psql("GRANT pg_checkpoint TO campaigns;")
    server.stop()
    os.environ["DATABASE_URL"] = server.start().url
    try:
        yield
    finally:
        server.stop()


def bare_update(letters, rows):
    letters.fill(letters.BARE, rows)
    return seconds(lambda: letters.run(letters.BARE_UPDATE.format(letters.BARE)))


def guarded_update(letters, rows):
    letters.fill(letters.Letter._meta.db_table, rows)
    return seconds(lambda: letters.run(letters.BARE_UPDATE.format(letters.Letter._meta.db_table)))


def move(letters, rows, fillfactor):
    letters.fill(letters.Letter._meta.db_table, rows, fillfactor)
    moved = []
    took = seconds(lambda: moved.append(letters.Letter.objects.filter(campaign_id=1).transition_all(letters.VERB)))
    assert moved == [rows] == [letters.Letter.machine.moves.objects.count()]
    return took


def warm_workers(letters):
    """Workers that are up, have moved rows before, and wait for `go`; each puts into `moved` how many it moved."""
    from lifecycle import leases

    context = multiprocessing.get_context("fork")
    ready, go, moved = context.Barrier(WORKERS + 1), context.Event(), context.SimpleQueue()

    def work():
        letters.Letter.objects.filter(campaign_id=0).transition_all(letters.VERB)
        ready.wait()
        go.wait()
        moved.put(leases.move_by_leases(QUEUE, lambda _: letters.Letter.objects.filter(campaign_id=1), letters.VERB))

    workers = [context.Process(target=work) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    ready.wait()
    return workers, go, moved


def lease_and_move(letters, rows, fillfactor, size):
    """Two warm workers; making the leases is part of the time."""
    from django.db import connection

    from lifecycle import leases

    letters.fill(letters.Letter._meta.db_table, rows, fillfactor)
    letters.run("TRUNCATE lifecycle_lease")
    connection.close()
    workers, go, moved = warm_workers(letters)
    connection.ensure_connection()
    counts = []

    def everything():
        leases.make(
            QUEUE,
            account_id=1,
            scope_id=1,
            table=letters.Letter._meta.db_table,
            where_sql="campaign_id = %(campaign)s AND status = 'Pending'",
            params={"campaign": 1},
            size=size,
        )
        go.set()
        counts.extend(moved.get() for _ in workers)

    took = seconds(everything)
    for worker in workers:
        worker.join()
    assert sum(counts) == rows == letters.Letter.machine.moves.objects.count()
    return took


def copy(letters, table, rows):
    from django.db import connection

    letters.empty(table)
    line = f"1\t1\tPending\t{'x' * 150}\n".encode()
    block = line * 1000

    def load():
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({letters.COLUMNS}) FROM STDIN") as sink:
            for _ in range(rows // 1000):
                sink.write(block)

    return seconds(load)


def comparisons(letters, options):
    """Every (name, what to run, bar): each is one line of the report."""
    n = min(options.rows, 100_000)
    table, copied = letters.Letter._meta.db_table, 3 * n

    def rate(rows, ours):
        return lambda: rates(alternate(lambda: bare_update(letters, rows), ours, options.pairs))

    def cost(limit, ours):
        return lambda: costs(alternate(limit, ours, options.pairs))

    for fillfactor, where, bar in ((50, "fillfactor 50", 1.1), (100, "default storage", 0.65)):
        ours = partial(move, letters, n, fillfactor)
        yield f"move + history + guard, {where}, {n:,} rows", rate(n, ours), {"at_least": bar}
    for rows, bar in ((10_000, 0.60), (100_000, 0.70), (1_000_000, 0.70)):
        for fillfactor, where, least in ((100, "default storage", bar), (50, "fillfactor 50", None)):
            if rows <= options.rows:
                ours = partial(lease_and_move, letters, rows, fillfactor, options.lease)
                yield f"two leasing workers, {where}, {rows:,} rows", rate(rows, ours), {"at_least": least}
    updates = partial(bare_update, letters, n), partial(guarded_update, letters, n)
    yield f"guard of 18 edges, cost of a bare UPDATE, {n:,} rows", cost(*updates), {"at_most": 0.08}
    copies = partial(copy, letters, letters.BARE, copied), partial(copy, letters, table, copied)
    yield f"guard of 18 edges, cost of COPY, {copied:,} rows", cost(*copies), {"at_most": 0.05}


def measure(options):
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from bench import letters

    call_command("migrate", "lifecycle", verbosity=0)
    letters.make_tables()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), current_setting('fsync')")
        version, fsync = cursor.fetchone()
    found = []
    for name, ratios, bar in comparisons(letters, options):
        if options.only in name:
            found.append(Figure(name, ratios(), **bar))
            print(found[-1], flush=True)
    title = f"PostgreSQL {version}, fsync {fsync}, {os.cpu_count()} cores; median of {options.pairs} pairs"
    return report(title, found)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="the largest table; smaller ones are left out above it"
    )
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--lease", type=int, default=5000, help="rows in one lease")
    parser.add_argument("--only", default="", help="only the lines whose name contains this")
    parser.add_argument("--here", action="store_true", help="use DATABASE_URL; its user needs pg_checkpoint")
    options = parser.parse_args()
    if options.here:
        return measure(options)
    with own_cluster():
        return measure(options)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
