from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.utils import timezone

from coupons.models import Coupon
from coupons.pools import Pools
from crm import codes
from tests.coupons.factories import CouponCampaignFactory, CouponFactory, CouponUseFactory
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db
POOLS = Pools()


class Pool:
    """An active campaign with so many codes."""

    def __init__(self, size):
        self.campaign = CouponCampaignFactory(status="active")
        self.account, self.id = self.campaign.account_id, str(self.campaign.pk)
        self.coupons = [CouponFactory(campaign=self.campaign) for _ in range(size)]

    def hand_out(self, *holders, purpose="wa_1"):
        return POOLS.hand_out(self.account, self.id, holders, purpose=purpose)

    def give_back(self, *holders, purpose="wa_1"):
        return POOLS.give_back(self.account, self.id, holders, purpose=purpose)

    def held(self):
        return dict(Coupon.objects.filter(campaign=self.campaign, holder__isnull=False).values_list("holder", "code"))

    def stock(self):
        return POOLS.stock(self.account, self.id, at_most=100)


def test_coupons_are_what_gives_out_codes():
    assert isinstance(codes.source(), Pools)


def test_each_person_gets_a_code_of_their_own_and_keeps_it():
    pool = Pool(4)

    assert pool.hand_out("ann", "bob", "ann") == 2
    before = pool.held()
    assert pool.hand_out("bob", "cat", purpose="wa_2") == 1

    assert set(pool.held()) == {"ann", "bob", "cat"}
    assert len(set(pool.held().values())) == 3
    assert before.items() <= pool.held().items()
    assert pool.stock() == 1


def test_when_the_pool_is_empty_the_last_get_none():
    pool = Pool(2)

    assert (pool.hand_out("ann", "bob", "cat"), pool.stock()) == (2, 0)
    assert set(pool.held()) == {"ann", "bob"}


def test_codes_that_do_not_count_are_not_handed_out():
    pool = Pool(3)
    pool.coupons[0].void()
    Coupon.objects.filter(pk=pool.coupons[1].pk).update(used_count=1)

    assert pool.hand_out("ann", "bob") == 1
    assert pool.held() == {"ann": pool.coupons[2].code}


def test_only_what_was_handed_out_for_this_purpose_and_never_used_is_given_back():
    pool = Pool(4)
    pool.hand_out("ann", "bob", "cat")
    pool.hand_out("dan", purpose="wa_2")
    coupon = Coupon.objects.get(campaign=pool.campaign, holder="bob")
    CouponUseFactory(coupon=coupon)

    assert pool.give_back("ann", "bob", "dan") == 1
    assert set(pool.held()) == {"bob", "cat", "dan"}
    assert (pool.stock(), Coupon.objects.filter(handed_for=None).count()) == (1, 1)


def test_the_code_that_somebody_holds_is_found_while_it_may_be_used():
    pool = Pool(3)
    pool.hand_out("ann", "bob", "cat")
    Coupon.objects.get(holder="bob").void()
    Coupon.objects.filter(holder="cat").update(used_count=1)

    with connection.cursor() as cursor:
        sql = POOLS.held_sql("%(pool)s", "person")
        cursor.execute(
            f"SELECT array_agg({sql} ORDER BY person) FROM unnest(%(people)s::text[]) AS person",
            {"pool": pool.id, "people": ["ann", "bob", "cat", "dan"]},
        )
        assert cursor.fetchone()[0] == [pool.held()["ann"], None, None, None]


@pytest.mark.django_db(transaction=True)
def test_many_who_hand_out_at_once_give_nobody_two_and_no_code_twice():
    pool = Pool(30)
    people = [f"person {n}" for n in range(40)]

    def some(start):
        try:
            return pool.hand_out(*people[start : start + 20])
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        given = list(threads.map(some, (0, 10, 20, 0, 10, 20)))

    assert sum(given) == len(pool.held()) == len(set(pool.held().values())) == 30


def test_what_is_not_committed_is_not_handed_out():
    pool = Pool(1)

    with transaction.atomic():
        pool.hand_out("ann")
        transaction.set_rollback(True)

    assert pool.held() == {}


def test_a_pool_is_a_single_use_campaign_of_the_account():
    pool, group = Pool(0), CouponCampaignFactory(kind="group")
    archived = CouponCampaignFactory(account=pool.campaign.account, status="archived")

    assert POOLS.pool(pool.account, pool.id).name == pool.campaign.name
    assert [each.id for each in POOLS.pools(pool.account)] == [pool.id]
    for account, name in [(AccountFactory().pk, pool.id), (group.account_id, str(group.pk)), (pool.account, "x")]:
        assert POOLS.pool(account, name) is None
    assert POOLS.pool(pool.account, str(archived.pk)).closed


@pytest.mark.parametrize(
    ("facts", "says"),
    [({"status": "active"}, ""), ({"status": "draft"}, "is draft"), ({"status": "inactive"}, "is inactive")],
)
def test_a_pool_says_why_its_codes_would_be_refused(facts, says):
    campaign = CouponCampaignFactory(**facts)
    assert says in POOLS.pool(campaign.account_id, str(campaign.pk)).closed
    assert bool(POOLS.pool(campaign.account_id, str(campaign.pk)).closed) == bool(says)


def test_a_pool_whose_campaign_is_over_is_closed_before_the_clock_says_so():
    campaign = CouponCampaignFactory(status="active", ends_at=timezone.now())

    assert POOLS.pool(campaign.account_id, str(campaign.pk)).closed.endswith("is over.")
