"""Marketing campaigns over HTTP: the seed's shapes to the letter, their list, their changes and their refusals."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.connections import connect
from accounts.roles import Role
from crm.audiences import segments
from crm.models import Delivery, MarketingCampaign, Promo
from tests.crm.marketing_world import connected
from tests.factories import (
    CustomerFactory,
    DeliveryFactory,
    MarketingCampaignFactory,
    PromoFactory,
    SegmentFactory,
    in_state,
)
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
BASE = "/api/v1/marketing/campaigns"
# The seed's request.
FLASH = {
    "name": "Flash Sale Friday",
    "type": "promotion",
    "channels": ["push", "email"],
    "segment_id": "seg_all_customers",
    "content": {
        "subject": "Flash Sale - 25% Off Today Only!",
        "body": "Don't miss our biggest sale of the season...",
        "cta_text": "Shop Now",
        "cta_url": "https://order.example.com?promo=FLASH25",
    },
    "schedule": {"start_date": "2026-01-31T12:00:00Z", "end_date": "2026-01-31T23:59:59Z"},
    "promo_code": "FLASH25",
    "promo_discount_percent": 25,
}
LINE = {"id", "name", "type", "status", "channels", "segment_id", "start_date", "end_date", "metrics"}
DETAIL = {"id", "name", "type", "status", "channels", "segment", "content", "metrics", "created_at"}
ADDED = {"schedule", "promo_code", "coupon_campaign_id", "attribution_days", "holdout_percent", "audience"}


@pytest.fixture
def segment(api):
    return SegmentFactory(account=api.account, public_id="seg_all_customers", name="All Customers")


def refusal(answer):
    return answer.status_code, answer.json()["code"], sorted(answer.json()["details"])


def counted(campaign, **numbers):
    """Deliveries that sum up to these metrics."""
    for status, count, stamps in numbers["rows"]:
        for row in DeliveryFactory.create_batch(count, campaign=campaign, status=status):
            Delivery.objects.filter(pk=row.pk).update(**stamps)


@pytest.mark.parametrize("base", ["/api/v1/marketing", "/v1/commerce/marketing"])
def test_the_seeds_campaign_is_made_and_reads_back_to_the_letter(api, segment, base):
    answer = api.post(f"{base}/campaigns", json=FLASH)

    made = answer.json()
    assert answer.status_code == 201, made
    assert set(made) == DETAIL | ADDED
    same = ("name", "type", "channels", "content", "schedule", "promo_code")
    assert {key: made[key] for key in same} == {key: FLASH[key] for key in same}
    assert (made["status"], made["id"][:5]) == ("draft", "camp_")
    assert made["segment"] == {"id": "seg_all_customers", "name": "All Customers", "size": 0}
    assert made["metrics"] == dict.fromkeys(made["metrics"], 0)
    assert api.get(f"{base}/campaigns/{made['id']}").json() == made
    promo = Promo.objects.get(code="FLASH25")
    assert (promo.type, promo.value, promo.segment) == ("percentage", 2500, segment)
    assert promo.valid_until.isoformat() == "2026-01-31T23:59:59+00:00"


def test_metrics_are_the_seeds(api, segment):
    now = timezone.now()
    opened = {"opened_at": now}
    clicked = opened | {"clicked_at": now, "unsubscribed_at": now}
    bought = clicked | {"converted_at": now, "revenue_minor": 468_000, "unsubscribed_at": None}
    campaign = MarketingCampaignFactory(account=api.account, segment=segment, starts_at=now)
    counted(campaign, rows=[("delivered", 4, {}), ("read", 1, opened), ("read", 2, clicked), ("read", 1, bought),
                            ("sent", 1, {}), ("undelivered", 1, {}), ("failed", 1, {}), ("queued", 1, {}),
                            ("skipped", 1, {})])  # fmt: skip

    detail, line = api.get(f"{BASE}/{campaign.public_id}").json(), api.get(BASE).json()["data"][0]

    assert detail["metrics"] == {
        "sent": 10, "delivered": 8, "opened": 4, "open_rate": 50.0, "clicked": 3, "click_rate": 37.5,
        "converted": 1, "conversion_rate": 12.5, "revenue_attributed": 4680.00, "unsubscribed": 2,
    }  # fmt: skip
    assert set(line) == LINE
    assert line["metrics"] == {"sent": 10, "opened": 4, "clicked": 3, "converted": 1}
    assert (line["segment_id"], line["end_date"]) == ("seg_all_customers", None)


def test_the_list_is_filtered_by_status_type_and_first_day(api):
    api.account.time_zone = "America/New_York"
    api.account.save()
    for kind, day in (("promotion", "2026-06-01T03:59:00Z"), ("loyalty", "2026-06-01T04:00:00Z"), ("loyalty", None)):
        MarketingCampaignFactory(account=api.account, type=kind, starts_at=day)
    MarketingCampaignFactory()

    def asked(query):
        return [row["start_date"] for row in api.get(f"{BASE}?{query}").json()["data"]]

    assert asked("limit=2") == [None, "2026-06-01T04:00:00Z"]
    assert asked("type=loyalty&status=draft") == [None, "2026-06-01T04:00:00Z"]
    assert asked("start_date=2026-06-01") == ["2026-06-01T04:00:00Z"]
    assert asked("status=active") == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"segment_id": "seg_nobodys"}, "segment_id"),
        ({"channels": []}, "channels"),
        ({"channels": ["email", "email"]}, "channels"),
        ({"channels": ["whatsapp"]}, "channels.0"),
        ({"type": "spam"}, "type"),
        ({"content": "hi"}, "content"),
        ({"content": {"body": "b"}}, "content.subject"),
        ({"content": FLASH["content"] | {"x": 1}}, "content.x"),
        ({"content": FLASH["content"] | {"subject": "a\r\nBcc: v@x.y"}}, "content.subject"),
        ({"content": FLASH["content"] | {"cta_url": "javascript:alert(1)"}}, "content.cta_url"),
        ({"content": FLASH["content"] | {"channels": {"fax": {}}}}, "content.channels.fax"),
        ({"schedule": {"start_date": "2026-12-31T12:00:00Z", "end_date": "2026-12-30T12:00:00Z"}}, "schedule.end_date"),
        ({"promo_discount_percent": 1000}, "promo_discount_percent"),
        ({"promo_discount_percent": 0}, "promo_discount_percent"),
        ({"promo_discount_percent": None}, "promo_code"),
        ({"promo_code": None}, "promo_discount_percent"),
        ({"promo_code": "TEN"}, "promo_discount_percent"),
        ({"holdout_percent": 100}, "holdout_percent"),
        ({"attribution_days": 0}, "attribution_days"),
        ({"status": "active"}, "status"),
        ({"metrics": {"sent": 1}}, "metrics"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(api, segment, given, field):
    PromoFactory(account=api.account, code="TEN")

    assert refusal(api.post(BASE, json=FLASH | given)) == (400, "VALIDATION_ERROR", [field])
    assert MarketingCampaign.objects.count() == 0


def test_a_code_that_is_none_has_the_seeds_refusal(api, segment):
    assert refusal(api.post(BASE, json=FLASH | {"promo_code": "A B"})) == (400, "invalid_promo_code", ["code"])


def test_a_promo_that_is_there_must_give_the_same(api, segment):
    promo = PromoFactory(account=api.account, code="FLASH25", value=2500)

    made = api.post(BASE, json=FLASH | {"promo_code": "flash25"}).json()

    assert made["promo_code"] == "FLASH25"
    assert MarketingCampaign.objects.get().promo == promo


def test_who_may_not_touch_money_makes_no_promo(api, segment):
    author = caller(Role.MARKETING, account=api.account)

    assert author.post(BASE, json=FLASH).status_code == 403
    PromoFactory(account=api.account, code="FLASH25", value=2500)
    assert author.post(BASE, json=FLASH).status_code == 201


def test_a_segment_that_is_too_large_for_a_channel_is_refused(api, segment):
    type(segment).objects.filter(pk=segment.pk).update(size=100_001)
    sms = FLASH | {"channels": ["email", "sms"]}

    assert refusal(api.post(BASE, json=sms)) == (422, "segment_too_large", ["sms"])
    assert api.post(BASE, json=FLASH).status_code == 201


def test_a_draft_is_changed_and_deleted_and_a_lost_update_is_refused(api, segment):
    made = api.post(BASE, json=FLASH)
    path, seen = f"{BASE}/{made.json()['id']}", {"if-match": made.headers["ETag"]}

    changed = api.patch(path, json={"name": "Saturday", "holdout_percent": 2.5, "audience": "live"}, headers=seen)

    assert (changed.json()["name"], changed.json()["holdout_percent"], changed.json()["audience"]) == (
        "Saturday", 2.5, "live",
    )  # fmt: skip
    assert api.patch(path, json={"name": "Sunday"}, headers=seen).status_code == 412
    assert refusal(api.patch(path, json={"content": {}}))[2] == ["content.body", "content.subject"]
    assert api.delete(path).status_code == 204
    assert refusal(api.get(path)) == (404, "campaign_not_found", [])


def test_what_has_been_launched_is_neither_changed_nor_deleted(api):
    campaign = MarketingCampaignFactory(account=api.account, status="active")
    path = f"{BASE}/{campaign.public_id}"

    assert refusal(api.patch(path, json={"name": "Later"})) == (409, "campaign_launched", ["status"])
    assert refusal(api.delete(path)) == (409, "campaign_not_draft", ["status"])


@pytest.mark.parametrize("path", ["a%2fb", "99999999999999999999999999", "-1", "camp_nobodys", "camp_nobodys/"])
def test_every_missing_campaign_is_not_found(api, neighbour, path):
    theirs = MarketingCampaignFactory(account=neighbour.account)

    for each in (path, theirs.public_id):
        assert refusal(api.get(f"{BASE}/{each}")) == (404, "campaign_not_found", [])
    assert refusal(api.patch(f"{BASE}/{theirs.public_id}/status", json={"status": "active"}))[1] == "campaign_not_found"
    assert refusal(api.get(f"{BASE}/{theirs.public_id}/deliveries"))[1] == "campaign_not_found"


@pytest.mark.parametrize(
    ("before", "wanted", "after", "code"),
    [
        ("active", "paused", "paused", 200),
        ("paused", "active", "active", 200),
        ("paused", "completed", "completed", 200),
        ("scheduled", "draft", "draft", 200),
        ("active", "draft", "active", 409),
        ("completed", "active", "completed", 409),
        ("draft", "draft", "draft", 409),
        ("draft", "active", "draft", 409),
    ],
)
def test_a_status_is_asked_for_by_name(api, before, wanted, after, code):
    connected(api.account)
    campaign = MarketingCampaignFactory(account=api.account, status=before)

    answer = api.patch(f"{BASE}/{campaign.public_id}/status", json={"status": wanted, "reason": "wrong price"})

    campaign.refresh_from_db()
    assert (answer.status_code, campaign.status) == (code, after), answer.json()
    if code == 409 and before != "draft":
        allowed = {"active": ["paused", "completed"], "completed": []}[before]
        assert answer.json()["details"] == {"status": before, "allowed": allowed}


def test_deliveries_are_listed_with_their_outcome(api):
    campaign = MarketingCampaignFactory(account=api.account)
    rows = [DeliveryFactory(campaign=campaign, status=status) for status in ("skipped", "sending")]
    rows[1].attempts.create(account=api.account, owner=0, sender="s", address=rows[1].address, state="unknown")

    listed = api.get(f"{BASE}/{campaign.public_id}/deliveries").json()["data"]

    assert [(row["status"], row["outcome"], row["skip_reason"]) for row in listed] == [
        ("skipped", "skipped", "no_consent"), ("sending", "unknown", ""),
    ]  # fmt: skip
    assert len(api.get(f"{BASE}/{campaign.public_id}/deliveries?status=sending").json()["data"]) == 1


def test_only_who_may_send_changes_a_status(api):
    campaign = MarketingCampaignFactory(account=api.account, status="active")
    author = caller(Role.MARKETING, account=api.account)

    assert author.patch(f"{BASE}/{campaign.public_id}/status", json={"status": "paused"}).status_code == 403


def test_a_launch_in_the_past_is_told_what_is_wrong(api, segment):
    campaign = MarketingCampaignFactory(
        account=api.account, ends_at=timezone.now() - timedelta(days=1), channels=["email", "sms"]
    )

    answer = api.patch(f"{BASE}/{campaign.public_id}/status", json={"status": "active"})

    assert refusal(answer) == (
        409, "campaign_not_ready", ["connection.email", "connection.sms", "schedule.end_date", "segment_id"],
    )  # fmt: skip
    assert in_state(campaign, "draft").status == "draft"


def test_a_large_launch_answers_that_somebody_has_to_decide(api, segment, settings):
    settings.APPROVAL_PEOPLE = 0
    connect(api.account, "sendgrid", external_id="k", sender="shop@example.com", secret={"api_key": "SG"}, by=None)
    customer = CustomerFactory(account=api.account, email="anna@example.test")
    segments.add_known(segment, [customer.pk])
    campaign = MarketingCampaignFactory(account=api.account, segment=segment, type="transactional")

    answer = api.patch(f"{BASE}/{campaign.public_id}/status", json={"status": "active"})

    assert (answer.status_code, answer.json()) == (
        202, {"id": campaign.public_id, "status": "approval_pending", "people": 1},
    )  # fmt: skip
    assert api.get(f"{BASE}/{campaign.public_id}").json()["status"] == "draft"


def test_a_scheduled_campaign_keeps_a_time_and_may_lose_its_promo(api, segment):
    campaign = MarketingCampaignFactory(
        account=api.account, segment=segment, promo=PromoFactory(account=api.account), status="scheduled"
    )
    path = f"{BASE}/{campaign.public_id}"

    assert refusal(api.patch(path, json={"schedule": {"start_date": None}}))[2] == ["schedule.start_date"]
    assert api.patch(path, json={"promo_code": None}).json()["promo_code"] is None


@pytest.mark.parametrize(("currency", "shown"), [("USD", 46.8), ("JPY", 4680), ("KWD", 4.68)])
def test_revenue_is_in_major_units_of_the_accounts_currency(api, currency, shown):
    type(api.account).objects.filter(pk=api.account.pk).update(currency=currency)
    campaign = MarketingCampaignFactory(account=api.account)
    Delivery.objects.filter(pk=DeliveryFactory(campaign=campaign).pk).update(revenue_minor=4680)

    answer = api.get(f"{BASE}/{campaign.public_id}").json()
    listed = api.get(f"{BASE}/{campaign.public_id}/deliveries").json()["data"]

    assert answer["metrics"]["revenue_attributed"] == listed[0]["revenue_attributed"] == shown
