"""python -m bench.redemption [--pairs 5]: uses of one shared coupon code a second, against pgbench updating one row.

Runs in a cluster of its own (fsync on) under DATA_DIR/bench; `--here` uses DATABASE_URL instead. Fifty clients on both
sides: ours are threads of one process, each with a connection of its own. First each use is one statement by itself;
then those who ask at the same moment are let in together, as the API does it. Every run then asks a third more than the
limit, and asks the ledger: what is redeemed beyond it is counted as oversold, and the books must balance.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Barrier

import django

from bench.lifecycle import own_cluster
from bench.measure import PAIRS, Figure, alternate, rates, report, seconds
from bench.promos import BEYOND, CLIENTS, EACH, pgbench, prepare


def redemptions(take, times, oversold):
    """The seconds that `times` uses by each client take; what was sold beyond the limit goes to `oversold`."""
    from django.db import connection

    from coupons import balancing
    from coupons.admitting import Cart, Wish
    from tests.coupons.factories import CouponCampaignFactory, CouponFactory

    limits = {"max_count": CLIENTS * times, "per_customer_limit": 1}
    coupon = CouponFactory(campaign=CouponCampaignFactory(kind="group", status="active", **limits))

    def client(number, times, word):
        for turn in range(times):
            name = f"{word}-{number}-{turn}"
            take(Wish(coupon.account_id, "USD", coupon.code, Cart(name, 100_00, name)))

    # Each client is a thread: none is done before all are there.
    together = Barrier(CLIENTS)
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda _: (connection.ensure_connection(), together.wait()), range(CLIENTS)))
        took = seconds(lambda: list(pool.map(client, range(CLIENTS), [times] * CLIENTS, ["in"] * CLIENTS)))
        list(pool.map(client, range(CLIENTS), [BEYOND] * CLIENTS, ["beyond"] * CLIENTS))
        list(pool.map(lambda _: (connection.close(), together.wait()), range(CLIENTS)))
    campaign = type(coupon.campaign).objects.get(pk=coupon.campaign_id)
    assert campaign.used == campaign.uses.count()
    assert balancing.differences() == []
    oversold.append(campaign.used - campaign.max_count)
    return took / times * EACH


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--here", action="store_true")
    options = parser.parse_args()
    with nullcontext() if options.here else own_cluster():
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")
        django.setup()
        from django.core.management import call_command

        from coupons.admitting import admit, admit_alone

        call_command("migrate", verbosity=0)
        prepare()
        oversold, figures = [], []
        # So many a client, that a run takes as long as the limit's.
        for name, take, times, bar in (("by one statement", admit_alone, EACH, 0.9), ("together", admit, EACH * 5, 5)):
            timed = alternate(pgbench, lambda: redemptions(take, times, oversold), options.pairs)  # noqa: B023 (used at once)
            note = f"{CLIENTS * EACH / min(ours for _, ours in timed):,.0f}/s at best, {sum(oversold)} oversold"
            figures.append(Figure(f"redemption {name} ÷ pgbench's update of one row", rates(timed), bar, note=note))
        missed = report("Coupons", figures)
    return 1 if missed or any(oversold) else 0


if __name__ == "__main__":
    sys.exit(main())
