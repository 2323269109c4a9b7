import pytest

from coupons import running_low, tasks
from coupons.models import Coupon, CouponCampaign
from coupons.pools import Pools
from crm.models import Event
from tests.coupons.factories import CouponCampaignFactory, CouponFactory

pytestmark = pytest.mark.django_db
LOW = {"discount_type": "flat", "discount_value": 5, "low_coupons_threshold": 2}


def pool(codes, **facts):
    campaign = CouponCampaignFactory(status="active", settings=LOW, coupon_count=codes, **facts)
    for _ in range(codes):
        CouponFactory(campaign=campaign)
    return campaign


def told():
    return list(Event.objects.filter(type="coupon.low").order_by("id").values_list("properties", flat=True))


def test_a_pool_that_runs_low_is_told_of_once():
    campaign = pool(4)
    assert running_low.tell() == 0

    Pools().hand_out(campaign.account_id, str(campaign.pk), ["ann", "bob"], purpose="x")
    tasks.end_coupon_campaigns()
    tasks.end_coupon_campaigns()

    assert told() == [{"coupon_campaign_id": str(campaign.pk), "name": campaign.name, "left": 2, "threshold": 2}]


def test_once_there_is_more_it_may_be_told_again():
    campaign = pool(2)
    running_low.tell()
    more = [CouponFactory(campaign=campaign) for _ in range(3)]
    CouponCampaign.objects.filter(pk=campaign.pk).update(coupon_count=5)
    assert running_low.tell() == 0
    CouponCampaign.objects.filter(pk=campaign.pk, low_told_at=None).get()

    Coupon.objects.filter(pk__in=[each.pk for each in more]).update(used_count=1)
    Event.objects.all().delete()
    assert (running_low.tell(), len(told())) == (1, 1)


@pytest.mark.parametrize(
    ("facts", "low"),
    [
        ({"kind": "group", "max_count": 10, "used": 8}, True),
        ({"kind": "group", "max_count": 10, "used": 7}, False),
        ({"kind": "group"}, False),
        ({"coupon_count": 9, "used": 7}, True),
        ({}, False),
    ],
)
def test_what_is_left_are_the_uses_that_the_limit_allows(facts, low):
    CouponCampaignFactory(**{"status": "active", "settings": LOW} | facts)

    assert running_low.tell() == low


def test_a_campaign_that_is_not_active_or_has_no_threshold_is_not_told_of():
    pool(1).deactivate()
    CouponCampaignFactory(status="active", kind="group", max_count=1, used=1)

    assert running_low.tell() == 0
