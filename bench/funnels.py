"""python -m bench.funnels [--small 1000000] [--big 10000000] [--pairs 5]: a funnel against the naive ORM query.

Runs in a cluster of its own (fsync on) under DATA_DIR/bench. One person has ten
events of 90 days; asked is the onboarding funnel of 69 of them. The naive query counts distinct customers stage by
stage, with an index made for it. The stream's other indexes are left out: neither side reads them, and they take longer
to fill than the rest. What both accounts' rollups say is compared with a recount of all events; the events are deleted
at the end (10,000,000 take about 4 GB).
"""

from __future__ import annotations

import argparse
import os
import sys
import uuid
from datetime import UTC, date, datetime

import django

from bench.lifecycle import own_cluster
from bench.measure import PAIRS, Figure, alternate, rates, report, seconds

PER_PERSON, TURNS, BATCH = 10, 20, 1000
FIRST, LAST = date(2026, 1, 10), date(2026, 3, 19)
PEOPLE = """
INSERT INTO crm_customer (account_id, public_id, external_id, email, phone, first_name, last_name, country, language,
    time_zone, loyalty_tier, email_hash, phone_hash, own_hash, tags, attributes, updated_at)
SELECT %s, 'cust_' || n, 'c' || n, '', '', '', '', '', '', '', '', '', '', md5(n::text), '{}', '{}', now()
FROM generate_series(1, %s) AS n
"""
EVENTS = """
INSERT INTO crm_event (account_id, public_id, event_id, type, customer_id, email, phone, occurred_at, currency,
    properties)
SELECT %(account)s, 'evt_' || n, 'e' || n,
       (ARRAY['email.sent', 'email.sent', 'page.viewed', 'page.viewed', 'page.viewed', 'cart.updated', 'cart.updated',
              'checkout.started', 'product.compared', 'order.completed'])[1 + (hashint8(n) & 1048575) %% 10],
       %(first)s + n %% %(people)s, '', '',
       timestamptz '2026-01-01' + (hashint8(n + 7) & 1048575) * interval '7.4 s', '', '{}'
FROM generate_series(%(low)s, %(high)s) AS n
"""
SPARE = ("event_of_customer", "event_of_phone", "event_orders")


def fill(events):
    """An account with so many events, their first touches found from them."""
    from accounts.models import Account
    from crm.funnels import first_touch
    from crm.models import Customer

    account = Account.objects.create(name=f"bench {uuid.uuid4().hex}")
    people = max(1, events // PER_PERSON)
    run(PEOPLE, [account.pk, people])
    names = {"account": account.pk, "first": Customer.objects.for_account(account).earliest("pk").pk, "people": people}
    for low in range(1, events + 1, 1_000_000):
        run(EVENTS, {**names, "low": low, "high": min(events, low + 999_999)})
    took = seconds(lambda: first_touch.rebuild(account))
    first_touch.fold()
    print(f"{events:,} events of {people:,} people; first touches found in {took:.1f} s", flush=True)
    return account


def run(sql, given=None):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, given)


def ours(account):
    from crm.funnels import counting as funnels

    return funnels.measure(account, funnels.Funnel.ONBOARDING, funnels.Period(FIRST, LAST))


def naive(account):
    """What one writes first: everybody with such an event in the days, stage by stage."""
    from crm.models import Event

    span = (datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 3, 20, tzinfo=UTC))
    happened = Event.objects.for_account(account).filter(occurred_at__range=span)
    stages = [happened, *(happened.filter(type=kind) for kind in ("page.viewed", "cart.updated", "order.completed"))]
    return [each.values("customer").distinct().count() for each in stages]


def ask(account):
    """The seconds of one funnel, of many asked in a row."""
    return seconds(lambda: [ours(account) for _ in range(TURNS)]) / TURNS


def equal(account):
    from crm.funnels import first_touch

    counted = first_touch.recount(account, FIRST, LAST)
    told = {each["stage"]: each["count"] for each in ours(account)["stages"]}
    assert told == {stage: counted.get(stage, 0) for stage in told}, (told, counted)
    assert all(told.values()), told


def ingested(account):
    """Events a second that `store` takes in from one client, 1,000 at a time."""
    from crm import events
    from crm.models import Customer

    people = list(Customer.objects.for_account(account).values_list("pk", flat=True)[:BATCH])
    kinds = ("page.viewed", "cart.updated", "email.sent", "order.completed")
    batches = [
        [events.Happened(f"in-{turn}-{who}", kinds[(turn + who) % 4], customer_id=who) for who in people]
        for turn in range(5)
    ]
    return 5 * len(people) / seconds(lambda: [events.store(account, each) for each in batches])


def measured(small, big, pairs):
    from crm.funnels import first_touch  # noqa: F401 (all of it before the long work)

    accounts = [fill(rows) for rows in (small, big)]
    run("VACUUM ANALYZE crm_event, crm_funnelday, crm_firsttouch")
    for account in accounts:
        equal(account)
    against = rates(alternate(lambda: seconds(lambda: naive(accounts[1])), lambda: ask(accounts[1]), pairs))
    grown = [mine / little for little, mine in alternate(lambda: ask(accounts[0]), lambda: ask(accounts[1]), pairs)]
    rate = ingested(accounts[0])
    equal(accounts[0])
    print(f"taken in: {rate:,.0f} events/s, 1,000 at a time; every count equals a recount")
    once = f"{1000 * ask(accounts[1]):.2f} ms"
    return [
        Figure(f"funnel ÷ naive ORM, {big:,} events", against, at_least=80, note=once),
        Figure(f"time at {big:,} ÷ at {small:,} events", grown, at_most=1.2),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=1_000_000)
    parser.add_argument("--big", type=int, default=10_000_000)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    options = parser.parse_args()
    with own_cluster():
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        prepare()
        try:
            figures = measured(options.small, options.big, options.pairs)
        finally:
            tidy()
    return 1 if report("Funnels", figures) else 0


def prepare():
    """Only what either side reads; what the stream has besides comes back at the end."""
    for name in SPARE:
        run(f"DROP INDEX IF EXISTS {name}")
    run("CREATE INDEX IF NOT EXISTS bench_naive ON crm_event (account_id, type, occurred_at) INCLUDE (customer_id)")


def tidy():
    from django.db import connection

    from crm.models import Event

    run("TRUNCATE crm_customer, crm_event, crm_firsttouch, crm_funnelday CASCADE")
    run("DROP INDEX IF EXISTS bench_naive")
    with connection.schema_editor() as editor:
        for index in Event._meta.indexes:
            if index.name in SPARE:
                editor.add_index(Event, index)


if __name__ == "__main__":
    sys.exit(main())
