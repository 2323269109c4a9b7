"""python -m bench.lists [--rows 500000] [--depth 400000] [--pairs 5]: the list of customers against DRF's own way.

Runs in a cluster of its own (fsync on) under DATA_DIR/bench. Both sides answer GET with 50 customers of many, from the
view to the bytes, with everything their JSON has: DRF by ListAPIView, ModelSerializer and CursorPagination, with what
the ledger says of a page's customers looked up in two queries. Neither is asked who calls: sign-in and middleware cost
both the same. Deep pages are reached by walking there by cursor.
"""

from __future__ import annotations

import argparse
import os
import sys
import uuid

import django

from bench.lifecycle import own_cluster
from bench.measure import PAIRS, Figure, alternate, rates, report, seconds

LIMIT, TURNS = 50, 40
CUSTOMERS = """
INSERT INTO crm_customer (account_id, public_id, external_id, email, phone, first_name, last_name, country, language,
    time_zone, loyalty_tier, email_hash, phone_hash, own_hash, tags, attributes, updated_at)
SELECT %s, each.public_id, '', each.email, each.phone, 'Anna', 'Example', 'GB', 'en', '', 'gold', each.email_hash,
    each.phone_hash, each.own_hash, '{regular,lunch}', '{"table": 7}', now()
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    AS each(public_id, email, phone, email_hash, phone_hash, own_hash)
"""
# Every fifth said something, every twentieth left.
LEDGER = """
INSERT INTO crm_consententry (account_id, customer_id, channel, purpose, act, address_hash, source, proof)
SELECT account_id, id, 'email', 'marketing', 'granted', email_hash, 'form', '{}' FROM crm_customer
WHERE account_id = %s AND id %% 5 = 0
"""
SILENT = """
INSERT INTO crm_suppression (account_id, channel, address_hash, reason, source)
SELECT account_id, 'sms', phone_hash, 'opted_out', 'form' FROM crm_customer WHERE account_id = %s AND id %% 20 = 0
"""


def run(sql, given=None):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, given)


def filled(rows):
    from accounts.models import Account

    account = Account.objects.create(name=f"bench {uuid.uuid4().hex}")
    for start in range(0, rows, 50_000):
        run(CUSTOMERS, [account.pk, *map(list, zip(*people(account, start, min(rows, start + 50_000)), strict=True))])
    # The ledger's triggers look by hashes. Without statistics, or by a plan made for an empty ledger, they would look
    # through everything of the account.
    run("ANALYZE crm_customer; SET plan_cache_mode = force_custom_plan")
    run(LEDGER, [account.pk])
    run(SILENT, [account.pk])
    run("RESET plan_cache_mode")
    run("VACUUM ANALYZE crm_customer, crm_consententry, crm_suppression")
    return account


def people(account, start, end):
    """Who they are, and how the ledger knows them."""
    from crm.models.addressing import address_hashes

    for number in range(start, end):
        who = f"cust_{number}", f"person{number}@example.test", f"+1555{number:08}"
        yield *who, *address_hashes(account.pk, *who).values()


def known_to(account):
    """Sign-in, left out: everybody is somebody of the account."""
    from django.contrib.auth.models import AnonymousUser
    from rest_framework.authentication import BaseAuthentication

    class Somebody(BaseAuthentication):
        def authenticate(self, request):
            request.account = account
            request.may = lambda _permission: True
            return AnonymousUser(), None

    return {"authentication_classes": [Somebody], "permission_classes": []}


def ours(account):
    from crm.api.people import Customers

    class Quiet(Customers):
        def check_throttles(self, request):
            """Nobody is counted."""

    return Quiet.as_view(**known_to(account))


def drf(account):
    from rest_framework.generics import ListAPIView
    from rest_framework.pagination import CursorPagination

    from crm.api.shapes import CustomerShape
    from crm.customers import consent
    from crm.models import Customer

    class Pages(CursorPagination):
        ordering, page_size = "-id", LIMIT

        def paginate_queryset(self, *given, **more):
            page = super().paginate_queryset(*given, **more)
            standing = consent.standing(account.pk, page)
            for row in page:
                row.consents = standing[row.pk]
                row.total_spent = {"amount": row.total_spent_minor, "currency": account.currency}
            return page

    class Peer(ListAPIView):
        serializer_class, pagination_class = CustomerShape, Pages
        queryset = Customer.objects.for_account(account).known()

    return Peer.as_view(**known_to(account))


def asked(view, query=""):
    from rest_framework.test import APIRequestFactory

    answer = view(APIRequestFactory().get(f"/api/v1/customers?{query}", SERVER_NAME="localhost")).render()
    assert answer.status_code == 200, answer.content
    return answer.content


def walked(view, depth):
    """The cursor of the page that begins after `depth` rows."""
    from json import loads

    cursor = ""
    for _ in range(depth // 100):
        cursor = loads(asked(view, f"limit=100{cursor and '&cursor='}{cursor}"))["pagination"]["next_cursor"]
    return cursor


def time_of(view, query=""):
    """The seconds of one answer, of many in a row."""
    return seconds(lambda: [asked(view, query) for _ in range(TURNS)]) / TURNS


def measured(options):
    import json

    account = filled(options.rows)
    mine, peer = ours(account), drf(account)
    first = f"limit={LIMIT}"
    same = json.loads(asked(mine, first))["data"], json.loads(asked(peer))["results"]
    assert same[0] == same[1]
    deep = f"{first}&cursor={walked(mine, options.depth)}"
    near = f"{first}&cursor={walked(mine, 100)}"
    against = rates(alternate(lambda: time_of(peer), lambda: time_of(mine, first), options.pairs))
    onward = rates(alternate(lambda: time_of(peer), lambda: time_of(mine, near), options.pairs))
    depth = [
        far / close for close, far in alternate(lambda: time_of(mine, near), lambda: time_of(mine, deep), options.pairs)
    ]
    note = f"{1000 * time_of(mine, near):.1f} ms, DRF {1000 * time_of(peer):.1f} ms"
    return [
        Figure("a page of customers ÷ DRF ModelSerializer", onward, at_least=6, note=note),
        Figure("the first page, which also counts", against),
        Figure(f"a page {options.depth:,} rows deep ÷ the second", depth, at_most=1.1),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--depth", type=int, default=400_000)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    options = parser.parse_args()
    with own_cluster():
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        try:
            figures = measured(options)
        finally:
            run("TRUNCATE crm_customer CASCADE")
    return 1 if report("Lists", figures) else 0


if __name__ == "__main__":
    sys.exit(main())
