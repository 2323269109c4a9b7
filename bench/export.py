"""python -m bench.export [--rows 1000000] [--pairs 5]: coupons as CSV, against psql's COPY of the same statement.

Runs in a cluster of its own (fsync on) under DATA_DIR/bench; `--here` uses DATABASE_URL instead. Ours is the answer's
body as the web server would take it, piece by piece, from the first connection to the last byte. Peers: rows of
`values_list` through Python's csv module, and psql's COPY of the bare columns, with neither safe cells nor times as
they are written on the wire. Memory is that of a fresh process while it reads the body.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import resource
import subprocess
import sys
import time
import uuid
from contextlib import nullcontext

import django

from bench.lifecycle import own_cluster
from bench.measure import PAIRS, Figure, alternate, rates, report, seconds
from launch.postgres import _bin

FEW = 100_000
MIB = 1024
PEER_COLUMNS = ("id", "code", "status", "starts_at", "ends_at", "max_count", "used_count", "created_at")


def run(sql, given=None):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, given)


def filled(rows):
    """A campaign with so many coupons, made as ours are made: ids and codes ascend."""
    from campaigns_project import jobs
    from coupons import making
    from tests.coupons.factories import CouponCampaignFactory

    campaign = CouponCampaignFactory(prefix=f"B{uuid.uuid4().hex[:8]}-")
    job = making.generate(campaign, rows, by=None)
    while jobs.run_slice(job.pk):
        pass
    run("VACUUM ANALYZE coupons_coupon")
    return campaign


def psql(statement):
    """The seconds of psql writing the same file to nowhere."""
    command = [str(_bin() / "psql"), "-q", "-X", os.environ["DATABASE_URL"]]
    command += ["-c", "SET enable_sort = off", "-c", statement]
    return seconds(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True))


def ours(campaign, rows):
    from coupons.exporting import CouponFile

    def read():
        file = CouponFile(campaign)
        try:
            for _ in file:
                pass
        finally:
            file.close()
        assert file.rows == rows

    return seconds(read)


def through_csv(campaign):
    """The seconds that rows of values_list take through Python's csv module."""
    from coupons.models import Coupon

    def write():
        target = io.StringIO()
        rows = Coupon.objects.filter(campaign=campaign).order_by("id").values_list(*PEER_COLUMNS)
        writer = csv.writer(target)
        for row in rows.iterator(chunk_size=2_000):
            writer.writerow(row)
            target.seek(0)
            target.truncate()

    return seconds(write)


def growth(campaign):
    """MiB that the largest resident set of a fresh process grows by while it reads the whole body."""
    found = subprocess.run(
        [sys.executable, "-m", "bench.export", "--grow", str(campaign.pk)], capture_output=True, text=True, check=True
    )
    grown, first = found.stdout.split()
    return float(grown), float(first)


def grow(pk):
    """In the fresh process: MiB grown since the first piece was read, and the milliseconds until it was."""
    from coupons.exporting import CouponFile
    from coupons.models import CouponCampaign

    campaign = CouponCampaign.objects.select_related("account").get(pk=pk)
    begun = time.perf_counter()
    file = CouponFile(campaign)
    pieces = iter(file)
    next(pieces)
    first = time.perf_counter() - begun
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in pieces:
        pass
    file.close()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / MIB, 1000 * first)


def measured(options):
    from coupons import exporting
    from coupons.models import Coupon

    campaign = filled(options.rows)
    same = exporting.statement(campaign).as_string(None)
    names = ", ".join(field.column for field in Coupon._meta.concrete_fields)
    rows = f"SELECT {names} FROM coupons_coupon WHERE campaign_id = '{campaign.pk}' ORDER BY campaign_id, id"
    bare = f"COPY ({rows}) TO STDOUT (FORMAT csv)"
    timed = alternate(lambda: psql(same), lambda: ours(campaign, options.rows), options.pairs)
    note = f"{options.rows / min(mine for _, mine in timed):,.0f} rows/s at best"
    against_bare = alternate(lambda: psql(bare), lambda: ours(campaign, options.rows), options.pairs)
    grown, first = growth(campaign)
    few = filled(min(FEW, options.rows))
    count = min(FEW, options.rows)
    against_csv = alternate(lambda: through_csv(few), lambda: ours(few, count), options.pairs)
    return [
        Figure(f"export ÷ psql COPY of the same statement, {options.rows:,}", rates(timed), 0.80, note=note),
        Figure("export ÷ psql COPY of all bare columns", rates(against_bare)),
        Figure(f"export ÷ values_list through csv, {count:,}", rates(against_csv), 10, note="8 columns there"),
        Figure("memory it grows by, MiB", [grown], at_most=10, note=f"first piece after {first:.0f} ms"),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--here", action="store_true")
    parser.add_argument("--grow")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")
    if options.grow:
        django.setup()
        grow(options.grow)
        return 0
    with nullcontext() if options.here else own_cluster():
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        try:
            figures = measured(options)
        finally:
            run("TRUNCATE coupons_coupon CASCADE")
    return 1 if report("Export", figures) else 0


if __name__ == "__main__":
    sys.exit(main())
