"""Segments over HTTP: the seed's shapes, members, previews, refreshes and limits."""

import pytest

from campaigns_project import jobs
from crm.audiences import refreshing, segments
from crm.models import AudienceLimit, Customer, Segment, SegmentMember
from tests.factories import CustomerFactory, SegmentFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
BASE = "/api/v1/marketing/segments"
SEED = {
    "name": "High Value Customers",
    "type": "dynamic",
    "criteria": {
        "total_spent": {"gte": 500},
        "order_count": {"gte": 10},
        "loyalty_tier": {"in": ["gold", "platinum"]},
    },
}
GOLD = {"loyalty_tier": "gold"}


@pytest.fixture
def gold(api):
    return SegmentFactory(account=api.account, type="dynamic", name="Gold Loyalty Members")


@pytest.fixture
def named(api):
    return SegmentFactory(account=api.account, name="By hand")


def people(api, count=1, **fields):
    return CustomerFactory.create_batch(count, account=api.account, **fields)


def test_the_seeds_segment_is_created_and_finds_its_people(api):
    rich, poor = people(api, 2, loyalty_tier="platinum")
    Customer.objects.filter(pk__in=[rich.pk, poor.pk]).update(order_count=10, total_spent_minor=500_00)
    Customer.objects.filter(pk=poor.pk).update(total_spent_minor=499_99)

    answer = api.post(BASE, json=SEED)

    shown = answer.json()
    assert answer.status_code == 201
    assert shown["id"].startswith("seg_")
    assert shown == SEED | {name: shown[name] for name in ("id", "last_updated", "created_at")} | {
        "size": 1,
        "used_by": [],
    }
    members = api.get(f"{BASE}/{shown['id']}/members").json()
    assert [each["id"] for each in members["data"]] == [rich.public_id]


def test_the_list_has_the_seeds_keys_and_no_date_before_the_first_refresh(api, gold):
    before = api.get(BASE).json()["data"]
    refreshing.refresh(gold)
    after = api.get(BASE).json()["data"]

    row = {"id": gold.public_id, "name": "Gold Loyalty Members", "type": "dynamic", "size": 0, "criteria": GOLD}
    assert before == [row]
    assert [list(each) for each in after] == [["id", "name", "type", "size", "criteria", "last_updated"]]


def test_the_gateways_address_is_the_same_door(api, gold):
    assert api.get("/v1/commerce/marketing/segments").json() == api.get(BASE).json()


@pytest.mark.parametrize(("query", "names"), [("type=static", ["By hand"]), ("search=LOYAL", ["Gold Loyalty Members"])])
def test_the_list_is_filtered(api, gold, named, query, names):
    assert [each["name"] for each in api.get(f"{BASE}?{query}").json()["data"]] == names


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({"criteria": 5}, "invalid_segment_criteria", "criteria"),
        ({"criteria": None}, "invalid_segment_criteria", "criteria"),
        ({"criteria": {}}, "invalid_segment_criteria", "criteria"),
        ({"criteria": {"total_spent": {"gte": "1"}}}, "invalid_segment_criteria", "criteria.total_spent.gte"),
        ({"criteria": {"tags": "a\0"}}, "invalid_segment_criteria", "criteria"),
        ({"type": "static"}, "invalid_segment_criteria", "criteria"),
        ({"type": "imported"}, "VALIDATION_ERROR", "type"),
        ({"type": "magic"}, "VALIDATION_ERROR", "type"),
        ({"size": 7}, "VALIDATION_ERROR", "size"),
        ({"name": " "}, "VALIDATION_ERROR", "name"),
        ({"customer_ids": ["cust_1"]}, "VALIDATION_ERROR", "customer_ids"),
    ],
)
def test_what_is_no_segment_is_refused_by_its_path(api, body, code, path):
    answer = api.post(BASE, json=SEED | body)

    assert (answer.status_code, answer.json()["code"], list(answer.json()["details"])) == (400, code, [path])
    assert not Segment.objects.exists()


def test_a_static_segment_holds_each_customer_once(api):
    anna, ben = people(api, 2)
    ids = [anna.public_id, anna.public_id, ben.public_id]

    answer = api.post(BASE, json={"name": "Friends", "type": "static", "customer_ids": ids})

    assert (answer.status_code, answer.json()["size"]) == (201, 2)


def test_a_customer_there_is_none_of_is_named(api, named):
    theirs, erased = CustomerFactory(), people(api)[0]
    Customer.objects.filter(pk=erased.pk).update(
        erased_at="2026-01-01T00:00Z", phone="", phone_hash="", own_hash="", email_hash=""
    )

    ids = [people(api)[0].public_id, theirs.public_id, erased.public_id]
    answer = api.post(f"{BASE}/{named.public_id}/members", json={"customer_ids": ids})

    assert (answer.status_code, list(answer.json()["details"])) == (400, ["customer_ids.1", "customer_ids.2"])


def test_a_member_is_named_by_a_text(api):
    named = SegmentFactory(account=api.account, type="static", version=1)

    answer = api.post(f"{BASE}/{named.public_id}/members", json={"customer_ids": ["cust_1", {}]})

    assert (answer.status_code, list(answer.json()["details"])) == (400, ["customer_ids.1"])
    assert SegmentMember.objects.count() == 0


def test_members_come_and_go_and_the_size_follows(api, named):
    anna, ben = people(api, 2)
    address = f"{BASE}/{named.public_id}"

    first = api.post(f"{address}/members", json={"customer_ids": [anna.public_id, ben.public_id]}).json()
    again = api.post(f"{address}/members", json={"customer_ids": [anna.public_id]}).json()
    gone = api.delete(f"{address}/members/{anna.public_id}")

    assert (first, again, gone.status_code) == ({"added": 2, "size": 2}, {"added": 0, "size": 2}, 204)
    assert api.delete(f"{address}/members/{anna.public_id}").status_code == 404
    assert api.get(f"{address}/members/{ben.public_id}").json()["id"] == ben.public_id
    assert api.get(address).json()["size"] == 1


@pytest.mark.parametrize("verb", ["post", "delete"])
def test_criteria_alone_decide_who_is_in_a_dynamic_segment(api, gold, verb):
    (anna,) = people(api, loyalty_tier="gold")
    refreshing.refresh(gold)
    address = f"{BASE}/{gold.public_id}/members"

    answers = {
        "post": lambda: api.post(address, json={"customer_ids": [anna.public_id]}),
        "delete": lambda: api.delete(f"{address}/{anna.public_id}"),
    }

    answer = answers[verb]()
    assert (answer.status_code, answer.json()["code"]) == (409, "segment_is_dynamic")
    assert segments.is_member(gold, anna.pk)


def test_new_criteria_bring_new_members(api, gold):
    people(api, 2, loyalty_tier="gold")
    refreshing.refresh(gold)
    (silver,) = people(api, loyalty_tier="silver")

    answer = api.patch(f"{BASE}/{gold.public_id}", json={"name": "Silver", "criteria": {"loyalty_tier": "silver"}})

    assert (answer.status_code, answer.json()["name"], answer.json()["size"]) == (200, "Silver", 1)
    assert list(segments.members(gold.__class__.objects.get(pk=gold.pk))) == [silver]


def test_a_lost_update_is_refused_and_a_refresh_is_none(api, gold):
    seen = api.get(f"{BASE}/{gold.public_id}")["ETag"]
    people(api, loyalty_tier="gold")
    refreshing.refresh(gold)

    assert api.patch(f"{BASE}/{gold.public_id}", json={"name": "A"}, headers={"If-Match": seen}).status_code == 200
    assert api.patch(f"{BASE}/{gold.public_id}", json={"name": "B"}, headers={"If-Match": seen}).status_code == 412


def test_a_deleted_segment_leaves_no_members(api, named):
    segments.add_known(named, [each.pk for each in people(api, 2)])

    assert api.delete(f"{BASE}/{named.public_id}").status_code == 204
    assert (Segment.objects.count(), SegmentMember.objects.count()) == (0, 0)


def test_a_preview_counts_unsaved_criteria_and_shows_some(api):
    people(api, 12, loyalty_tier="gold")
    CustomerFactory(loyalty_tier="gold")

    answer = api.post(f"{BASE}/preview", json={"criteria": GOLD}).json()

    assert (answer["size"], answer["size_is_estimate"], len(answer["sample"])) == (12, False, 10)


def test_a_preview_of_a_segment_looks_at_customers_now(api, gold, named):
    anna = people(api, loyalty_tier="gold")
    segments.add_known(named, [anna[0].pk])

    for segment in (gold, named):
        answer = api.get(f"{BASE}/{segment.public_id}/preview").json()
        assert (answer["size"], [each["id"] for each in answer["sample"]]) == (1, [anna[0].public_id])


def test_a_preview_of_nonsense_is_refused(api):
    answer = api.post(f"{BASE}/preview", json={"criteria": {"password": "x"}})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_segment_criteria")


def test_nothing_runs_that_could_be_cancelled(api):
    assert api.delete(f"{BASE}/preview").json() == {"cancelled": 0}


def test_a_refresh_is_a_job(api, gold):
    people(api, 2, loyalty_tier="gold")

    answer = api.post(f"{BASE}/{gold.public_id}/refresh")
    while jobs.run_due():
        pass

    told = api.get(answer["Location"]).json()
    assert (answer.status_code, told["status"]) == (202, "done")
    assert told["result"] == {"came": 2, "left": 0, "size": 2}


def test_a_refresh_of_a_segment_that_is_gone_ends(api, gold):
    answer = api.post(f"{BASE}/{gold.public_id}/refresh")
    segments.delete(gold)
    jobs.run_due()

    assert api.get(answer["Location"]).json()["status"] == "done"


def test_only_a_dynamic_segment_is_refreshed(api, named):
    answer = api.post(f"{BASE}/{named.public_id}/refresh")

    assert (answer.status_code, answer.json()["code"]) == (409, "segment_is_not_dynamic")


def test_an_account_lowers_how_many_it_may_reach(api):
    everybody = {"email": 1_000_000, "sms": 100_000, "push": 1_000_000}
    assert api.get(f"{BASE}/limits").json() == everybody

    assert api.put(f"{BASE}/limits", json={"sms": 5, "email": 7}).json() == everybody | {"sms": 5, "email": 7}
    assert api.put(f"{BASE}/limits", json={"sms": 6}).json() == everybody | {"sms": 6}
    assert api.put(f"{BASE}/limits", json={"sms": 100_001}).status_code == 400
    assert caller().get(f"{BASE}/limits").json() == everybody


@pytest.mark.parametrize(
    ("channels", "over"),
    [(["sms"], {"sms": {"size": 3, "max": 2}}), (["email"], {}), (["email", "sms"], {"sms": {"size": 3, "max": 2}})],
)
def test_a_channel_that_is_too_small_refuses_the_segment(api, named, channels, over):
    AudienceLimit.objects.create(account=api.account, channel="sms", most=2)
    segments.add_known(named, [each.pk for each in people(api, 3)])

    try:
        segments.refuse_too_large(named, channels)
    except segments.SegmentTooLarge as refusal:
        told = refusal.details
    else:
        told = {}

    assert told == over


def test_a_segment_that_no_channel_can_reach_is_not_created(api):
    segments.limit(api.account, {"email": 1, "sms": 0, "push": 0})
    people(api, 2, loyalty_tier="gold")

    answer = api.post(BASE, json=SEED | {"criteria": GOLD})

    assert (answer.status_code, answer.json()["code"]) == (422, "segment_too_large")
    assert answer.json()["details"] == {"email": {"size": 2, "max": 1}}
    assert not Segment.objects.exists()
