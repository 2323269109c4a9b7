"""python -m bench.codes [--sizes 10000,100000,1000000] [--pairs 5]: codes made a second, against COPY of ready rows.

Runs in a cluster of its own (fsync on) under DATA_DIR/bench; `--here` uses DATABASE_URL instead. The limit is one COPY
into the same table, with the same columns, of rows that are ready as text: random ids and random codes in the order
that chance gave them. Ours is the whole job as the queue runs it, slice by slice, with its count and its progress.
Peers: `bulk_create(batch_size=5000)` of the same model, and django-oscar's own form for a set of vouchers, in an
environment of its own under DATA_DIR/bench/oscar that the first run makes with pip (bench/oscar.txt).
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import uuid
import venv
from contextlib import nullcontext
from pathlib import Path

import django

from bench.lifecycle import own_cluster
from bench.measure import PAIRS, Figure, alternate, rates, report, seconds

BARS = {10_000: 0.85, 100_000: 1.0, 1_000_000: 1.25}
PEERS_SIZE, BULK, VOUCHERS = 100_000, 20_000, 1_000
BATCH, PIECE = 5_000, 20_000
HERE = Path(__file__).parent


def campaign():
    from tests.coupons.factories import CouponCampaignFactory

    return CouponCampaignFactory(prefix=f"B{uuid.uuid4().hex[:8]}-")


def emptied():
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE coupons_coupon CASCADE")
        cursor.execute("CHECKPOINT")


def raw_copy(size):
    """The seconds of one COPY of rows that are ready."""
    from django.db import connection, transaction

    from coupons import codes, making

    emptied()
    ours = campaign()
    shared = making.columns_of(ours)
    tail = "\t".join(r"\N" if value is None else str(value) for value in shared.values())
    drawn = codes.fresh(size, prefix=ours.prefix, length=10)
    random.shuffle(drawn)
    lines = [f"{uuid.uuid4()}\t{code}\t{tail}\n" for code in drawn]
    pieces = ["".join(lines[start : start + PIECE]) for start in range(0, size, PIECE)]

    def copy():
        statement = f"COPY coupons_coupon (id, code, {', '.join(shared)}) FROM STDIN"
        with transaction.atomic(), connection.cursor() as cursor, cursor.copy(statement) as rows:
            for piece in pieces:
                rows.write(piece)

    return seconds(copy)


def made(size):
    """The seconds of the job that makes as many."""
    from campaigns_project import jobs
    from coupons import making

    emptied()
    ours = campaign()
    job = making.generate(ours, size, by=None)

    def work():
        while jobs.run_slice(job.pk):
            pass

    took = seconds(work)
    ours.refresh_from_db()
    assert ours.coupon_count == ours.coupons.count() == size
    return took


def bulk_create(size):
    """The seconds that Django's bulk_create takes for the same coupons; measured on fewer, given for `size`."""
    from django.utils.crypto import get_random_string

    from coupons import codes, making
    from coupons.models import Coupon

    emptied()
    ours = campaign()
    shared = making.columns_of(ours)

    def create():
        rows = [Coupon(code=ours.prefix + get_random_string(10, codes.ALPHABET), **shared) for _ in range(BULK)]
        Coupon.objects.bulk_create(rows, batch_size=BATCH)

    return seconds(create) * size / BULK


def oscar(python, size):
    """The seconds that django-oscar's form takes; measured on fewer, given for `size`."""
    command = [str(python), str(HERE / "oscar_peer.py"), str(VOUCHERS)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) * size / VOUCHERS


def oscars_python():
    """The interpreter of the environment that django-oscar is installed in."""
    home = Path(os.environ.get("DATA_DIR", ".data")).resolve() / "bench" / "oscar"
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", str(HERE / "oscar.txt")], check=True)
    return python


def figures(sizes, pairs, python):
    for size in sizes:
        timed = alternate(lambda size=size: raw_copy(size), lambda size=size: made(size), pairs)
        note = f"{size / min(ours for _, ours in timed):,.0f}/s at best"
        yield Figure(f"codes made ÷ COPY of ready rows, {size:,}", rates(timed), BARS.get(size), note=note)
    peers = [(f"bulk_create({BATCH:,})", bulk_create, 15.0)]
    peers += [("django-oscar's voucher set", lambda size: oscar(python, size), 150.0)] if python else []
    for name, peer, bar in peers:
        timed = alternate(lambda peer=peer: peer(PEERS_SIZE), lambda: made(PEERS_SIZE), pairs)
        note = f"{PEERS_SIZE / min(theirs for theirs, _ in timed):,.0f}/s at best"
        yield Figure(f"codes made ÷ {name}, {PEERS_SIZE:,}", rates(timed), bar, note=note)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, BARS)))
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--here", action="store_true")
    parser.add_argument("--without-oscar", action="store_true")
    options = parser.parse_args()
    python = None if options.without_oscar else oscars_python()
    with nullcontext() if options.here else own_cluster():
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        sizes = [int(size) for size in options.sizes.split(",")]
        return 1 if report("Codes", list(figures(sizes, options.pairs, python))) else 0


if __name__ == "__main__":
    sys.exit(main())
