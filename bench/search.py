"""python -m bench.search [--campaigns 10000] [--coupons 1000000]: coupon campaigns and codes found by PostgreSQL.

Runs in a cluster of its own (fsync on) under DATA_DIR/bench; `--here` uses DATABASE_URL instead. All campaigns are one
account's. Each question goes through the door, from the view to the bytes, without sign-in and middleware; the page
that finds codes is asked for what it reads.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import uuid
from contextlib import nullcontext

import django

from bench.export import run
from bench.lifecycle import own_cluster
from bench.lists import known_to
from bench.measure import Figure, report, seconds

QUESTIONS = 400
MOST_MS = 50
WORDS = [
    *("summer", "winter", "autumn", "spring", "sale", "gift", "thanks", "loyal", "welcome", "back"),
    *("black", "friday", "weekend", "flash", "early", "bird"),
]
CAMPAIGNS = """
INSERT INTO coupons_couponcampaign (id, account_id, name, kind, prefix, status, settings, currency, starts_at, ends_at)
SELECT gen_random_uuid(), %s, each.name, 'group', '', 'draft', '{}', '', now(), now() + interval '30 days'
FROM unnest(%s::text[]) AS each(name)
"""
COUPONS = """
INSERT INTO coupons_coupon (id, account_id, campaign_id, code, status, max_count)
SELECT gen_random_uuid(), %s, campaigns.ids[1 + n %% cardinality(campaigns.ids)], upper(left(md5(n::text), 10)) || n,
    'active', 1
FROM generate_series(1, %s) AS n,
    (SELECT array_agg(id) AS ids FROM coupons_couponcampaign WHERE account_id = %s) AS campaigns
"""


def filled(options):
    from accounts.models import Account

    account = Account.objects.create(name=f"bench {uuid.uuid4().hex}")
    names = [f"{' '.join(random.sample(WORDS, 3))} {number}" for number in range(options.campaigns)]
    run(CAMPAIGNS, [account.pk, names])
    run(COUPONS, [account.pk, options.coupons, account.pk])
    run("DELETE FROM coupons_searchchange")
    run("VACUUM ANALYZE coupons_couponcampaign, coupons_coupon")
    return account


def door(account):
    from coupons.api.search import SearchCampaigns

    class Quiet(SearchCampaigns):
        def check_throttles(self, request):
            """Nobody is counted."""

    return Quiet.as_view(**known_to(account))


def asked(view, body):
    from rest_framework.test import APIRequestFactory

    text = json.dumps(body).encode()
    request = APIRequestFactory().post("/search", text, content_type="application/json", SERVER_NAME="localhost")
    answer = view(request).render()
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content)


def percentiles(times):
    cut = statistics.quantiles(times, n=100)
    return 1000 * cut[49], 1000 * cut[94]


def kinds(account):
    """The questions, by name."""
    from coupons import search
    from coupons.models import Coupon

    view = door(account)
    codes = list(Coupon.objects.for_account(account).values_list("code", flat=True)[: QUESTIONS * 10])

    def words(count):
        return lambda: asked(view, {"query": " ".join(random.sample(WORDS, count))})

    return {
        "one word, of a fifth of the campaigns": words(1),
        "two words": words(2),
        "a number": lambda: asked(view, {"query": f"sale {random.randrange(10_000)}"}),
        "by name, narrowed": lambda: asked(view, {"query": "sale", "filters": {"status": ["draft"]}, "sort": "name"}),
        "the last page of all": lambda: asked(view, {"page": 500}),
        "a code": lambda: asked(view, {"query": random.choice(codes)}),
        "codes that begin like this": lambda: list(search.coupons_like(account, random.choice(codes)[:4])[:8]),
    }


def measured(options):
    account = filled(options)
    for name, ask in kinds(account).items():
        ask()
        half, most = percentiles([seconds(ask) for _ in range(options.questions)])
        yield Figure(f"{name}: p95, ms", [most], at_most=MOST_MS, note=f"p50 {half:.1f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=10_000)
    parser.add_argument("--coupons", type=int, default=1_000_000)
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    parser.add_argument("--here", action="store_true")
    options = parser.parse_args()
    with nullcontext() if options.here else own_cluster():
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        try:
            figures = list(measured(options))
        finally:
            run("TRUNCATE coupons_coupon CASCADE")
    return 1 if report("Search", figures) else 0


if __name__ == "__main__":
    sys.exit(main())
