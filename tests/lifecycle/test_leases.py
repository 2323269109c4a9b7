"""Leases cover every row once, go round the scopes, come back from the dead, and are used up with their work."""

import datetime as dt

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.models import Campaign
from lifecycle import leases
from lifecycle.models import Lease
from tests.factories import AccountFactory, CampaignFactory

pytestmark = pytest.mark.django_db
QUEUE = "reviews"


def rows_for(account, rows, **fields):
    return Campaign.objects.bulk_create(CampaignFactory.build(account=account, **fields) for _ in range(rows))


def lease_out(account, *, size=5000, scope=None):
    return leases.make(
        QUEUE,
        account_id=account.pk,
        scope_id=scope or account.pk,
        table="campaigns",
        where_sql="account_id = %(of)s AND status = 'unsubmitted'",
        params={"of": account.pk},
        size=size,
    )


def ids_of(lease, account):
    return list(leases.leased(Campaign.objects.filter(account=account), lease).values_list("pk", flat=True))


@settings(max_examples=15, derandomize=True, deadline=None, database=None)
@given(kinds=st.lists(st.booleans(), min_size=1, max_size=30), size=st.integers(1, 12))
def test_every_row_stands_in_exactly_one_lease(kinds, size):
    account, other = AccountFactory(), AccountFactory()
    # Rows of two accounts lie between each other, so ranges have gaps.
    ours = [row.pk for mine in kinds for row in rows_for(account if mine else other, 1) if mine]

    made = lease_out(account, size=size)

    found = sorted(row for lease in Lease.objects.filter(scope_id=account.pk) for row in ids_of(lease, account))
    assert found == ours
    assert made == -(-len(ours) // size)


def test_taking_goes_round_the_scopes():
    large, small = AccountFactory(), AccountFactory()
    rows_for(large, 5)
    rows_for(small, 2)
    lease_out(large, size=1)
    assert [lease.scope_id for lease in leases.take(QUEUE, 1, 2)] == [large.pk] * 2
    lease_out(small, size=1)

    taken = [lease.scope_id for lease in leases.take(QUEUE, 1, 10)]

    assert taken == [large.pk, small.pk, large.pk, small.pk, large.pk]


def test_a_scope_that_gets_more_goes_on_counting():
    account = AccountFactory()
    rows_for(account, 2)

    lease_out(account, size=1)
    lease_out(account, size=1)

    assert list(Lease.objects.order_by("id").values_list("turn", flat=True)) == [0, 1, 2, 3]


def test_a_lease_has_one_owner_until_it_is_finished():
    account = AccountFactory()
    rows_for(account, 1)
    lease_out(account)

    (lease,) = leases.take(QUEUE, 1)

    assert leases.take(QUEUE, 2) == []
    assert leases.finish([lease.pk], owner=2) == 0
    assert leases.finish([lease.pk], owner=1) == 1
    assert str(lease) == f"reviews {account.pk}: {(lease.lo, lease.hi)}"


def test_a_dead_owner_gives_its_leases_back():
    account = AccountFactory()
    rows_for(account, 3)
    lease_out(account, size=1)
    mine = leases.take(QUEUE, 1, 2)

    assert leases.release_owner(1) == 2

    assert leases.take(QUEUE, 2, 2) == mine
    assert leases.finish([lease.pk for lease in mine], owner=1) == 0


@pytest.mark.parametrize(("delay", "due"), [(0, 1), (60, 0)])
def test_rows_come_back_when_they_are_due(delay, due):
    account = AccountFactory()
    rows = [row.pk for row in rows_for(account, 3)]

    leases.put_back(QUEUE, account_id=account.pk, scope_id=1, ids=rows[1:], delay=dt.timedelta(seconds=delay))

    taken = leases.take(QUEUE, 1)
    assert [ids_of(lease, account) for lease in taken] == [rows[1:]] * due
    assert Lease.objects.count() == 1


def test_rows_that_come_back_do_not_wait_for_the_rest_of_their_scope():
    account = AccountFactory()
    rows = rows_for(account, 5)
    lease_out(account, size=1)
    leases.take(QUEUE, 1, 2)

    leases.put_back(QUEUE, account_id=account.pk, scope_id=account.pk, ids=[rows[0].pk])

    assert Lease.objects.get(ids__isnull=False).turn == 2


def test_nothing_comes_back_without_rows():
    leases.put_back(QUEUE, account_id=1, scope_id=1, ids=[])

    assert not Lease.objects.exists()


def test_a_set_is_moved_lease_by_lease():
    account, other = AccountFactory(), AccountFactory()
    rows_for(account, 7)
    rows_for(other, 3)
    rows_for(account, 1)
    lease_out(account, size=3)
    lease_out(other, size=3)

    moved = leases.move_by_leases(
        QUEUE, lambda lease: Campaign.objects.filter(account=lease.account_id), "review", reason="leased"
    )

    assert moved == Campaign.objects.in_review().count() == Campaign.machine.moves.objects.count() == 11
    assert not Lease.objects.exists()


def test_a_lease_whose_move_fails_stays():
    account = AccountFactory()
    rows_for(account, 1)
    lease_out(account)

    with pytest.raises(TypeError, match="does not set"):
        leases.move_by_leases(QUEUE, lambda _: Campaign.objects.all(), "review", content_sid="HX1")

    assert Lease.objects.count() == 1


def test_taking_reads_the_small_index():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + leases._NEXT, {"queue": QUEUE, "n": 1})
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "lease_free" in plan
    assert "Sort" not in plan
