"""A campaign whose codes go to a shop."""

from coupons import shopify_codes
from coupons.models import Coupon, ShopifyAttempt, ShopifyBatch
from tests.coupons.factories import CouponCampaignFactory, CouponFactory
from tests.factories import ConnectionFactory


def connect(account, shop="harbor"):
    return ConnectionFactory(
        account=account, provider="shopify", external_id=shop, sender="", secret={"access_token": "shpat_fake"}
    )


class Shelf:
    """An active campaign with so many codes, and a connection to a shop."""

    def __init__(self, codes, **fields):
        self.campaign = CouponCampaignFactory(status="active", **fields)
        self.connection = connect(self.campaign.account)
        self.add(codes)

    def add(self, codes):
        first = CouponFactory(campaign=self.campaign)
        rows = [CouponFactory.build(campaign=self.campaign, account=self.campaign.account) for _ in range(codes - 1)]
        Coupon.objects.bulk_create(rows)
        return first

    def publish(self):
        return shopify_codes.publish(self.campaign)

    def standing(self):
        return shopify_codes.standing(self.campaign)

    def attempts(self):
        return sorted(ShopifyAttempt.objects.values_list("state", flat=True))

    def batches(self):
        return [(each.first, len(each.codes), each.status) for each in ShopifyBatch.objects.order_by("id")]
