"""python -m bench.guessing [--calls 500]: how long the answer takes to a code that is nobody's, and to a neighbour's.

Whoever could tell the two apart by the clock would learn which codes there are. Both are asked in turn, through the
whole API; the counts of wrong guesses are forgotten between two calls, or the door would be shut after twenty. In a
cluster of its own under DATA_DIR/bench; `--here` uses DATABASE_URL instead.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import time
from contextlib import nullcontext

import django

from bench.lifecycle import own_cluster
from bench.measure import Figure, report

CALLS, WARM = 500, 50
CART = {"customer_id": "c1", "order_id": "o1", "cart_value": 900}


def difference(verb, calls):
    """By what share the medians of both answers differ."""
    from campaigns_project.models import RateWindow
    from tests.coupons.factories import CouponCampaignFactory, CouponFactory
    from tests.factories import AccountFactory
    from tests.fixtures_http import caller

    theirs = CouponFactory(campaign=CouponCampaignFactory(kind="group", status="active"), code=f"theirs-{verb}").code
    api = caller(account=AccountFactory())
    took = {theirs: [], f"nobody-{verb}": []}
    for turn in range(calls + WARM):
        # In turn, and each as often first.
        for code in sorted(took, reverse=bool(turn % 2)):
            RateWindow.objects.all().delete()
            begun = time.perf_counter()
            answer = api.post(f"/api/platform/v1/coupons/{code}/{verb}", json=CART)
            took[code].append(time.perf_counter() - begun)
            assert answer.status_code == 404, answer.content
    one, other = (statistics.median(each[WARM:]) for each in took.values())
    return abs(one - other) / min(one, other)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--here", action="store_true")
    options = parser.parse_args()
    with nullcontext() if options.here else own_cluster():
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")
        os.environ.setdefault("RATE_LIMIT_PER_MINUTE", "1000000")
        django.setup()
        from django.core.management import call_command
        from django.test.utils import setup_test_environment

        setup_test_environment()
        # Each of the thousand answers would be a line.
        logging.disable(logging.WARNING)

        call_command("migrate", verbosity=0)
        figures = [
            Figure(f"{verb}: a neighbour's code against none, medians", [difference(verb, options.calls)], at_most=0.1)
            for verb in ("validate", "redeem", "reserve")
        ]
        missed = report("Guessing coupon codes", figures)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
