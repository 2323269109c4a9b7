"""python -m bench.segments [--people 1000000] [--pairs 5]: live counts, and refreshing by what changed.

Runs in a cluster of its own (fsync on) under DATA_DIR/bench. Counted is the seed's "High Value Customers" among one
account's customers, against a sequential scan of the same statement and against the same facts kept as JSON and cast.
Refreshed is a segment of three customers in four, after one in a hundred has been written, against building it anew.
Members are compared with the criteria after every refresh.
"""

from __future__ import annotations

import argparse
import os
import sys
import uuid

import django

from bench.lifecycle import own_cluster
from bench.measure import PAIRS, Figure, alternate, rates, report, seconds

HIGH_VALUE = {
    "total_spent": {"gte": 500},
    "order_count": {"gte": 10},
    "loyalty_tier": {"in": ["gold", "platinum"]},
}
MOST_PEOPLE = {"order_count": {"gte": 5}}
PEOPLE = """
INSERT INTO crm_customer (account_id, public_id, external_id, email, phone, first_name, last_name, country, language,
    time_zone, loyalty_tier, email_hash, phone_hash, own_hash, tags, total_spent_minor, order_count, last_order_at,
    attributes, updated_at)
SELECT %(account)s, 'cust_' || n, 'c' || n, '', '+1444' || n, 'Name', 'Surname', (ARRAY['GB', 'US', 'DE'])[1 + n %% 3],
    'en', '', tier, '', repeat(md5(n::text), 2), repeat(md5(n::text), 2), '{}', spent, orders,
    now() - spent * interval '1 minute',
    jsonb_build_object('tier', tier, 'spent', spent / 100.0, 'orders', orders), now()
FROM (
    SELECT n, (ARRAY['', 'bronze', 'silver', 'gold', 'platinum'])[1 + (hashint8(n) & 1023) %% 5] AS tier,
        (hashint8(n + 1) & 1048575) / 14 AS spent, (hashint8(n + 2) & 1048575) %% 20 AS orders
    FROM generate_series(1, %(people)s) AS n
) AS somebody
"""
CASTS = """
SELECT count(*) FROM crm_customer c WHERE account_id = %s AND erased_at IS NULL
    AND (attributes ->> 'spent')::numeric >= 500 AND (attributes ->> 'orders')::int >= 10
    AND attributes ->> 'tier' IN ('gold', 'platinum')
"""
ONE_IN_A_HUNDRED = """
UPDATE crm_customer SET order_count = (order_count + 7) %% 20 WHERE account_id = %s AND id %% 100 = %s
"""
SCAN = "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; "
ONE_PROCESS = "SET max_parallel_workers_per_gather = 0"


def run(sql, given=None):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        return cursor.fetchone()[0] if cursor.description else None


def count(account, asked):
    from crm.audiences import criteria

    condition, params = criteria.compiled(asked, account)
    sql = f"SELECT count(*) FROM crm_customer c WHERE c.account_id = %s AND c.erased_at IS NULL AND {condition}"
    return run(sql, [account.pk, *params])


def counting(account, pairs):
    """Live counts, each in one process: as the product asks, by a scan of the rows, and of JSON."""
    ours = lambda: seconds(lambda: count(account, HIGH_VALUE))  # noqa: E731

    def scanning(ask):
        def timed():
            run(SCAN)
            took = seconds(ask)
            run("RESET ALL; " + ONE_PROCESS)
            return took

        return timed

    run(ONE_PROCESS)
    found = count(account, HIGH_VALUE)
    assert found == run(CASTS, [account.pk]), "the two ways differ"
    scan = rates(alternate(scanning(lambda: count(account, HIGH_VALUE)), ours, pairs))
    casts = rates(alternate(scanning(lambda: run(CASTS, [account.pk])), ours, pairs))
    run("RESET ALL")
    once = f"{1000 * ours():.1f} ms, {found:,} found"
    return [
        Figure("count ÷ sequential scan of the same columns", scan, at_least=7, note=once),
        Figure("count ÷ casts of JSON", casts, at_least=15),
    ]


def refreshed(account, pairs):
    from crm.audiences import refreshing
    from crm.models import Segment

    segment = Segment.objects.create(account=account, name="Most people", type="dynamic", criteria=MOST_PEOPLE)
    refreshing.refresh(segment)
    turn = iter(range(100))

    def full():
        Segment.objects.filter(pk=segment.pk).update(changes_from=None)
        run("VACUUM crm_segmentmember")
        return timed()

    def by_changes():
        run(ONE_IN_A_HUNDRED, [account.pk, next(turn)])
        return timed()

    def timed():
        took = seconds(lambda: refreshing.refresh(segment))
        assert segment.size == count(account, MOST_PEOPLE), "members differ from the criteria"
        return took

    ratios = rates(alternate(full, by_changes, pairs))
    return [Figure("refresh by what changed (1 %) ÷ in full", ratios, at_least=30, note=f"{segment.size:,} members")]


def measured(people, pairs):
    from accounts.models import Account

    account = Account.objects.create(name=f"bench {uuid.uuid4().hex}")
    took = seconds(lambda: run(PEOPLE, {"account": account.pk, "people": people}))
    run("VACUUM ANALYZE crm_customer")
    print(f"{people:,} customers written in {took:.0f} s", flush=True)
    return [*counting(account, pairs), *refreshed(account, pairs)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    options = parser.parse_args()
    with own_cluster():
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        try:
            figures = measured(options.people, options.pairs)
        finally:
            run("TRUNCATE crm_customer, crm_segment, crm_segmentmember CASCADE")
    return 1 if report("Segments", figures) else 0


if __name__ == "__main__":
    sys.exit(main())
