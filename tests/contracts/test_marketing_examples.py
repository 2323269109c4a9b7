"""The examples of the Marketing & CRM API, key by key.

Those of making a campaign, of funnels and of webhooks are held in tests/crm/test_api_campaigns.py, test_api_funnels.py
and test_api_integrations.py.
"""

import json
from pathlib import Path

import pytest
from django.db.models import Min
from django.utils import timezone

from crm.models import Customer, Delivery, MarketingCampaign, Segment
from crm.models.addressing import address_hashes
from tests.factories import MarketingCampaignFactory, SegmentFactory

pytestmark = pytest.mark.django_db
EXAMPLES = json.loads((Path(__file__).parents[1] / "data" / "marketing" / "seed_examples.json").read_text())
BOTH = pytest.mark.parametrize("base", ["/api/v1/marketing", "/v1/commerce/marketing"])


def told(answer, example):
    """The answer's values under the example's keys, in its order."""
    if isinstance(example, dict):
        return {key: told(answer[key], inner) for key, inner in example.items() if key in answer}
    return answer


def segment_of(api, example):
    fields = {"public_id": example["id"], "name": example["name"], "type": "dynamic", "criteria": example["criteria"]}
    segment = SegmentFactory(account=api.account, **fields)
    Segment.objects.filter(pk=segment.pk).update(size=example["size"], refreshed_at=example.get("last_updated"))
    return segment


def reached(campaign, metrics):
    """As many people as these metrics say, moved there along the legal edges."""
    people = [Customer(account=campaign.account, first_name=f"Guest {n}") for n in range(metrics["sent"])]
    for one in people:
        one.own_hash = address_hashes(one.account_id, one.public_id, "", "")["own_hash"]
    Customer.objects.bulk_create(people)
    Delivery.objects.bulk_create(
        Delivery(account=campaign.account, campaign=campaign, customer=one, channel="push", address=one.public_id,
                 address_hash=one.own_hash) for one in people
    )  # fmt: skip
    rows, now = Delivery.objects.of(campaign), timezone.now()
    rows.transition_all("begin")
    rows.transition_all("sent", provider_id="x")
    first = rows.aggregate(first=Min("pk"))["first"]

    def some(name):
        return rows.filter(pk__lt=first + metrics[name])

    some("delivered").transition_all("delivered", provider_id="x", delivered_at=now)
    moments = {"provider_id": "x", "delivered_at": now, "opened_at": now, "clicked_at": None}
    some("opened").transition_all("read", **moments)
    some("clicked").update(clicked_at=now)
    some("converted").update(
        converted_at=now, revenue_minor=metrics["revenue_attributed"] * 100 // metrics["converted"]
    )
    some("unsubscribed").update(unsubscribed_at=now)


def test_campaigns_are_listed_and_shown_with_the_examples_figures(api):
    line, detail = EXAMPLES["campaigns_list"], EXAMPLES["campaign"]
    gold = SegmentFactory(account=api.account, public_id=line["segment_id"])
    everybody = SegmentFactory(account=api.account, public_id=detail["segment"]["id"], name="All Customers")
    Segment.objects.filter(pk=everybody.pk).update(size=detail["segment"]["size"])
    campaign = MarketingCampaignFactory(
        account=api.account, public_id="camp_001", segment=gold, status="active",
        **{key: line[key] for key in ("name", "type", "channels")},
    )  # fmt: skip
    ours = MarketingCampaign.objects.filter(pk=campaign.pk)
    ours.update(starts_at=line["start_date"], ends_at=line["end_date"], created_at=detail["created_at"])
    reached(campaign, detail["metrics"])

    (listed,) = api.get("/api/v1/marketing/campaigns?type=promotion&status=active").json()["data"]
    ours.update(name=detail["name"], channels=detail["channels"], segment=everybody)
    MarketingCampaign.objects.get(pk=campaign.pk).complete(ended_at=timezone.now())
    shown = api.get("/v1/commerce/marketing/campaigns/camp_001").json()

    assert listed == line
    assert told(shown, detail) == detail
    assert list(shown["metrics"]) == list(detail["metrics"])


@BOTH
def test_segments_are_listed_as_in_the_example(api, base):
    for example in reversed(EXAMPLES["segments_list"]):
        segment_of(api, example)

    listed = api.get(f"{base}/segments").json()["data"]

    assert [told(one, example) for one, example in zip(listed, EXAMPLES["segments_list"], strict=True)] == (
        EXAMPLES["segments_list"]
    )
    # Before the first refresh there is no date.
    assert "last_updated" not in listed[1]


@BOTH
def test_the_segment_of_the_example_is_made(api, base):
    request = EXAMPLES["segment_request"]

    answer = api.post(f"{base}/segments", json=request)

    assert (answer.status_code, told(answer.json(), request)) == (201, request)


@BOTH
def test_the_promo_of_the_example_is_made_for_its_segment(api, base):
    request = EXAMPLES["promo_request"]
    SegmentFactory(account=api.account, public_id=request["customer_segment_id"])

    answer = api.post(f"{base}/promos", json=request)

    assert (answer.status_code, told(answer.json(), request)) == (201, request)
    assert told(api.get(f"{base}/promos").json()["data"][0], request) == request


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("segments", EXAMPLES["segment_request"] | {"criteria": {"shoe_size": 42}}, 400, "invalid_segment_criteria"),
        ("promos", EXAMPLES["promo_request"] | {"code": "A B", "customer_segment_id": None}, 400, "invalid_promo_code"),
        ("campaigns/camp_nobody", None, 404, "campaign_not_found"),
    ],
)
def test_refusals_have_the_published_codes(api, path, body, status, code):
    address = f"/api/v1/marketing/{path}"
    answer = api.get(address) if body is None else api.post(address, json=body)

    assert (answer.status_code, answer.json()["code"], answer.json()["error"]) == (status, code, code)
