"""A list asks the database as often for three rows as for one."""

from itertools import count

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.audiences import segments
from dispatch.models import InboxEntry
from tests.architecture.routes import MARKETING, operations
from tests.coupons.factories import CouponCampaignFactory, CouponFactory, CouponUseFactory
from tests.crm.catalogue_world import OrderFactory, ProductFactory, VariantFactory
from tests.factories import (
    BroadcastFactory,
    CampaignFactory,
    CampaignLeadFactory,
    CampaignLeadMessageFactory,
    CustomerFactory,
    DeliveryFactory,
    MarketingCampaignFactory,
    PromoFactory,
    PushSubscriptionFactory,
    SegmentFactory,
    TrialFactory,
    WebhookDeliveryFactory,
    WebhookEndpointFactory,
)

pytestmark = pytest.mark.django_db
BASE = "api/v1/campaign"


def _templates(account):
    return BASE, lambda: CampaignFactory(account=account)


def _leads(account):
    campaign = CampaignFactory(account=account)
    return f"{BASE}/{campaign.pk}/leads", lambda: CampaignLeadFactory(campaign=campaign)


def _messages(account):
    broadcast = BroadcastFactory(account=account)
    return f"{BASE}/broadcasts/{broadcast.pk}/messages", lambda: CampaignLeadMessageFactory(broadcast=broadcast)


def _customers(account):
    return "api/v1/customers", lambda: CustomerFactory(account=account)


def _products(account):
    return "api/v1/products", lambda: VariantFactory(product=ProductFactory(account=account))


def _orders(account):
    return "api/v1/orders", lambda: OrderFactory(account=account, customer=CustomerFactory(account=account))


def _endpoints(account):
    return "api/v1/webhook-endpoints", lambda: WebhookEndpointFactory(account=account)


def _webhooks(account):
    endpoint = WebhookEndpointFactory(account=account)
    path = f"api/v1/webhook-endpoints/{endpoint.public_id}/deliveries"
    return path, lambda: WebhookDeliveryFactory(endpoint=endpoint)


def _coupon_campaigns(account):
    return "api/platform/v1/coupon_campaigns", lambda: CouponCampaignFactory(account=account)


def _redemptions(account):
    coupon = CouponFactory(campaign=CouponCampaignFactory(account=account))
    path = f"api/platform/v1/coupon_campaigns/{coupon.campaign_id}/redemptions"
    return path, lambda: CouponUseFactory(coupon=coupon)


def _coupons(account):
    campaign = CouponCampaignFactory(account=account)
    return f"api/platform/v1/coupon_campaigns/{campaign.pk}/coupons", lambda: CouponFactory(campaign=campaign)


def _browsers(account):
    customer = CustomerFactory(account=account)
    path = f"api/v1/customers/{customer.public_id}/push-subscriptions"
    return path, lambda: PushSubscriptionFactory(customer=customer)


def _campaigns(base):
    return lambda account: (
        f"{base}/campaigns",
        lambda: MarketingCampaignFactory(
            account=account, segment=SegmentFactory(account=account), promo=PromoFactory(account=account)
        ),
    )


def _deliveries(base):
    def listed(account):
        campaign = MarketingCampaignFactory(account=account)
        return f"{base}/campaigns/{campaign.public_id}/deliveries", lambda: DeliveryFactory(campaign=campaign)

    return listed


def _trials(base):
    def listed(account):
        campaign = MarketingCampaignFactory(account=account)
        return f"{base}/campaigns/{campaign.public_id}/test", lambda: TrialFactory(campaign=campaign)

    return listed


def _promos(base):
    return lambda account: (f"{base}/promos", lambda: PromoFactory(account=account))


def _came_in(base):
    def listed(account):
        numbers = count()
        said = {"account": account, "provider": "sendgrid", "kind": "event", "body": b'{"event": "open"}'}
        address = f"{base}/webhooks/sendgrid/events"
        return address, lambda: InboxEntry.objects.create(**said, dedupe_key=str(next(numbers)))

    return listed


def _segments(base):
    return lambda account: (f"{base}/segments", lambda: SegmentFactory(account=account, type="dynamic"))


def _members(base):
    def made(account):
        segment = SegmentFactory(account=account)
        add = lambda: segments.add_known(segment, [CustomerFactory(account=account).pk])  # noqa: E731
        return f"{base}/segments/{segment.public_id}/members", add

    return made


# What adds one row to each list of the API.
LISTS = {
    BASE: _templates,
    f"{BASE}/<int:pk>/leads": _leads,
    f"{BASE}/broadcasts/<int:pk>/messages": _messages,
    "api/v1/customers": _customers,
    "api/v1/products": _products,
    "api/v1/orders": _orders,
    "api/v1/webhook-endpoints": _endpoints,
    "api/v1/webhook-endpoints/<str:endpoint_id>/deliveries": _webhooks,
    "api/v1/customers/<str:customer_id>/push-subscriptions": _browsers,
}
LISTS |= {"api/platform/v1/coupon_campaigns": _coupon_campaigns}
LISTS |= {"api/platform/v1/coupon_campaigns/<str:campaign_id>/redemptions": _redemptions}
LISTS |= {"api/platform/v1/coupon_campaigns/<str:campaign_id>/coupons": _coupons}
LISTS |= {f"{base}/promos": _promos(base) for base in MARKETING}
LISTS |= {f"{base}/webhooks/<str:provider>/events": _came_in(base) for base in MARKETING}
LISTS |= {f"{base}/campaigns": _campaigns(base) for base in MARKETING}
LISTS |= {f"{base}/campaigns/<str:campaign_id>/deliveries": _deliveries(base) for base in MARKETING}
LISTS |= {f"{base}/campaigns/<str:campaign_id>/test": _trials(base) for base in MARKETING}
LISTS |= {f"{base}/segments": _segments(base) for base in MARKETING}
LISTS |= {f"{base}/segments/<str:segment_id>/members": _members(base) for base in MARKETING}


def test_every_list_of_the_api_is_counted_here():
    lists = {
        route.address
        for route, method in operations()
        # What is searched by POST: tests/coupons/test_search.py.
        if method == "GET" and getattr(route.view.answers.get(method), "__name__", "").endswith("Page")
    }

    assert lists == set(LISTS)


@pytest.mark.parametrize("address", LISTS)
def test_three_rows_take_as_many_queries_as_one(api, address):
    path, add = LISTS[address](api.account)
    counted = []
    for rows in (1, 2):
        for _ in range(rows):
            add()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = api.get(f"/{path}")
        counted.append((len(answer.json()["data"]), len(queries)))

    assert counted[0][0], counted[1][0] == (1, 3)
    assert counted[0][1] == counted[1][1] <= 12
