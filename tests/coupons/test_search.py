"""Coupon campaigns found by words, prefix and code, by PostgreSQL and by OpenSearch alike, and never past the wall."""

import datetime as dt

import psycopg
import pytest
import requests
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from osmem_server import OsmemServer

from campaigns_project.service import metrics
from coupons import indexing
from coupons.models import CouponCampaign, SearchChange
from coupons.tasks import compare_search, feed_search
from dispatch import database
from providers.base import Unreachable
from providers.opensearch import OpenSearchIndex
from providers.search_index import Document, Sought
from tests.coupons.factories import CouponCampaignFactory, CouponFactory
from tests.operators_world import operator
from tests.sandbox_process import free_port

pytestmark = pytest.mark.django_db
ADDRESS = "/api/platform/v1/coupon_campaigns/search"
DAY = dt.timedelta(days=1)
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="session")
def opensearch_server():
    server = OsmemServer.start(addr=f"127.0.0.1:{free_port()}", japanese=False)
    yield server.url
    server.process.terminate()
    server.process.communicate(timeout=15)


@pytest.fixture
def opensearch(opensearch_server, settings):
    """An empty server with OpenSearch's API, in memory; it is the index from now on."""
    requests.delete(f"{opensearch_server}/{indexing.INDEX}*", timeout=5)
    settings.OPENSEARCH_URL = opensearch_server
    indexing.fed.cache_clear()
    return opensearch_server


@pytest.fixture(params=["postgresql", "opensearch"])
def index(request):
    """Each test once with either; what is asked is answered by this one."""
    if request.param == "opensearch":
        request.getfixturevalue("opensearch")
    return request.param


@pytest.fixture
def world(api, index):
    """Five campaigns of ours, the first the oldest, and one of somebody else's."""
    now = timezone.now()
    ours = {"account": api.account}
    made = [
        CouponCampaignFactory(**ours, name="Summer sale", prefix="SUN-", starts_at=now, ends_at=now + 2 * DAY),
        CouponCampaignFactory(**ours, name="Summer’s end: sale (last)", kind="group", starts_at=now + DAY),
        CouponCampaignFactory(**ours, name="Zoë’s winter-sale", kind="group", starts_at=None, ends_at=None),
        CouponCampaignFactory(**ours, name="100% off \\ 'quotes'", status="inactive"),
        CouponCampaignFactory(**ours, name="Autumn", status="archived", ends_at=now + 3 * DAY),
    ]
    CouponFactory(campaign=made[4], code="Gift-7Q")
    CouponFactory(campaign=CouponCampaignFactory(name="Summer sale of others"), code="THEIRS")
    for age, one in enumerate(reversed(made)):
        CouponCampaign.objects.filter(pk=one.pk).update(created_at=now - age * DAY)
    feed_search()
    return made


@pytest.fixture
def asked(api, world, index):
    """The numbers of what was found, in order."""

    def ask(body, path=ADDRESS):
        answer = api.post(path, json=body)
        assert answer.status_code == 200, answer.content
        assert answer["Search-Index"] == index
        numbers = {str(one.pk): number for number, one in enumerate(world)}
        found = [numbers[each["id"]] for each in answer.json()["data"]]
        return found, answer.json()["pagination"]

    return ask


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [4, 3, 2, 1, 0]),
        ("summer", [1, 0]),
        ("SALE sum", [1, 0]),
        ("sale winter", [2]),
        ("winter-sa", [2]),
        ("zoë", [2]),
        ("sun", [0]),
        ("SUN-", [0]),
        ("quotes", [3]),
        ("\\ 'quo", [3]),
        ("gift-7q", [4]),
        (" Gift-7Q ", [4]),
        ("gift", []),
        ("theirs", []),
        ("others", []),
        ("*a*", [4]),
        ("account_id:* OR name:*", []),
    ],
)
def test_a_search_finds_what_its_words_begin_or_its_code_names(asked, query, numbers):
    found, pagination = asked({"query": query})

    assert (found, pagination["total"]) == (numbers, len(numbers))


def test_a_text_of_signs_finds_nothing(api, world):
    assert api.post(ADDRESS, json={"query": "?!*"}).json()["data"] == []


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({"status": ["draft"]}, [2, 1, 0]),
        ({"status": ["inactive", "archived"]}, [4, 3]),
        ({"kind": ["group"], "status": ["draft"]}, [2, 1]),
        ({"kind": ["lightning"]}, []),
        ({"starts_from": 0.5}, [1]),
        ({"starts_from": -0.5, "starts_to": 0.5}, [0]),
        ({"ends_to": 3.5}, [4, 0]),
    ],
)
def test_filters_narrow_a_search(asked, filters, numbers):
    days = {name: (timezone.now() + value * DAY).isoformat() for name, value in filters.items() if "_" in name}

    assert asked({"filters": filters | days})[0] == numbers


@pytest.mark.parametrize(
    ("sort", "numbers"),
    [("created_at", [0, 1, 2, 3, 4]), ("name", [3, 4, 0, 1, 2]), ("-starts_at", [1, 0]), ("ends_at", [0, 4])],
)
def test_a_search_stands_in_the_order_that_was_asked_for(asked, sort, numbers):
    found, _ = asked({"sort": sort})

    assert [each for each in found if sort in ("created_at", "name") or each in numbers] == numbers
    if sort.strip("-") != "created_at" and sort != "name":
        assert found[-1] == 2


def test_a_page_of_a_search_goes_on_where_the_last_one_ended(asked):
    first, told = asked({"limit": 2})
    last, _ = asked({"limit": 2, "page": 3})
    beyond, _ = asked({"limit": 2, "page": 4})

    assert (first, last, beyond) == ([4, 3], [0], [])
    assert told == {"page": 1, "limit": 2, "total": 5, "total_pages": 3, "next_cursor": None}


def test_three_campaigns_are_found_by_as_many_queries_as_one(api, world, index):
    with CaptureQueriesContext(connection) as for_one:
        one = api.post(ADDRESS, json={"query": "winter"})
    with CaptureQueriesContext(connection) as for_three:
        three = api.post(ADDRESS, json={"query": "sale"})

    assert (len(one.json()["data"]), len(three.json()["data"])) == (1, 3)
    assert len(for_one) == len(for_three) <= 10


def test_a_search_in_one_campaign_finds_it_or_nothing(api, world, index):
    address = f"/api/platform/v1/coupon_campaigns/{world[0].pk}/search"
    theirs = CouponCampaign.objects.exclude(account=api.account).get()

    assert [one["id"] for one in api.post(address, json={"query": "sale"}).json()["data"]] == [str(world[0].pk)]
    assert api.post(address, json={"query": "winter"}).json()["pagination"]["total"] == 0
    assert api.post(address.replace(str(world[0].pk), str(theirs.pk)), json={}).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"query": "a " * 10_000},
        {"account_id": "x"},
        {"filters": {"account": 1}},
        {"filters": {"status": ["gone"]}},
        {"sort": "used"},
        {"page": 0},
        {"page": 101, "limit": 100},
    ],
)
def test_what_cannot_be_searched_for_is_refused(api, body):
    assert api.post(ADDRESS, json=body).status_code == 400


def test_what_changed_is_found_at_once_though_the_index_has_not_heard(api, opensearch):
    feed_search()
    campaign = CouponCampaignFactory(account=api.account, name="Fresh")

    before = api.post(ADDRESS, json={"query": "fresh"})
    feed_search()
    after = api.post(ADDRESS, json={"query": "fresh"})
    campaign.name = "Stale"
    campaign.save()
    feed_search()
    renamed = api.post(ADDRESS, json={"query": "fresh"})
    campaign.delete()
    feed_search()
    gone = api.post(ADDRESS, json={"query": "stale"})

    assert [one["Search-Index"] for one in (before, after, renamed, gone)] == ["postgresql", *["opensearch"] * 3]
    assert [len(one.json()["data"]) for one in (before, after, renamed, gone)] == [1, 1, 0, 0]
    assert after["Search-Lag-Seconds"] == "0.0"
    assert b"campaigns_search_lag_seconds 0.0" in metrics()


def test_what_is_still_in_the_index_and_no_longer_in_the_database_is_not_shown(api, opensearch):
    campaign = CouponCampaignFactory(account=api.account, name="Deleted")
    feed_search()
    campaign.delete()
    SearchChange.objects.all().delete()

    answer = api.post(ADDRESS, json={"query": "deleted"})

    assert (answer["Search-Index"], answer.json()["data"]) == ("opensearch", [])


def test_a_silent_index_is_done_without_and_told_everything_later(api, opensearch, settings):
    campaign = CouponCampaignFactory(account=api.account, name="Patient")
    feed_search()
    settings.OPENSEARCH_URL = NOBODY
    silent = api.post(ADDRESS, json={"query": "patient"})
    compare_search()
    campaign.name = "Patience"
    campaign.save()
    feed_search()
    compare_search()
    behind = api.post(ADDRESS, json={"query": "patience"})
    settings.OPENSEARCH_URL = opensearch
    feed_search()
    again = api.post(ADDRESS, json={"query": "patience"})

    assert [one["Search-Index"] for one in (silent, behind, again)] == ["postgresql", "postgresql", "opensearch"]
    assert all(len(one.json()["data"]) == 1 for one in (silent, behind, again))
    assert float(behind["Search-Lag-Seconds"]) >= 0


def test_an_index_that_lost_everything_or_something_is_filled_again(api, opensearch):
    for number in range(3):
        CouponCampaignFactory(account=api.account, name=f"Kept {number}")
    feed_search()
    requests.delete(f"{opensearch}/{indexing.INDEX}-v1", timeout=5)
    missing = api.post(ADDRESS, json={"query": "kept"})
    feed_search()
    first = str(CouponCampaign.objects.first().pk)
    requests.delete(f"{opensearch}/{indexing.INDEX}/_doc/{first}?version=999999&version_type=external", timeout=5)
    compared = indexing.compare()
    SearchChange.objects.filter(campaign_id=first).update(id=1_000_000)
    feed_search()

    assert missing["Search-Index"] == "postgresql"
    assert not compared
    assert indexing.compare()
    assert api.post(ADDRESS, json={"query": "kept"}).json()["pagination"]["total"] == 3


@pytest.mark.parametrize(("minutes", "note"), [(0, "searches are by OpenSearch"), (20, "s old: PostgreSQL answers")])
def test_operators_see_how_far_the_index_is_behind(client, settings, minutes, note):
    operator(client)
    CouponCampaignFactory()
    SearchChange.objects.update(at=timezone.now() - dt.timedelta(minutes=minutes))
    without = client.get("/admin/").content.decode()
    settings.OPENSEARCH_URL = NOBODY

    assert "Search index behind" not in without
    assert note in client.get("/admin/").content.decode()


def test_nothing_is_noted_of_what_was_not_committed_or_does_not_matter_to_a_search(api):
    campaign = CouponCampaignFactory(account=api.account)
    SearchChange.objects.all().delete()

    CouponCampaign.objects.filter(pk=campaign.pk).update(used=1, spent=100)
    CouponCampaign.objects.filter(pk=campaign.pk).update(name=campaign.name)

    assert not SearchChange.objects.exists()


def test_without_an_index_the_notes_are_forgotten(api):
    CouponCampaignFactory(account=api.account)

    assert indexing.feed() == 1
    assert indexing.compare()
    assert indexing.lag() is None


def test_an_older_version_never_replaces_a_newer_one(opensearch):
    index = indexing.fed(opensearch)
    index.prepare()
    fields = {"account": 1, "words": ["new"], "name": "New", "kind": "group", "status": "draft"}
    newer, older = Document("a", 7, fields), Document("a", 6, fields | {"words": ["old"]})

    index.put([newer])
    index.put([older])
    index.put([Document("b", 1)])

    assert index.search(Sought(1, words=["new"])).ids == ["a"]
    assert index.search(Sought(1, words=["old"])).total == 0
    assert index.search(Sought(2, words=["new"])).total == 0


def test_what_the_index_refuses_is_not_taken_for_told(opensearch):
    index = OpenSearchIndex(opensearch, indexing.INDEX, indexing.FIELDS, timeout=2)
    with pytest.raises(Unreachable):
        index.put([Document("a", 1, {"account": 1})])
    index.prepare()

    with pytest.raises(Unreachable, match="not taken"):
        index.put([Document("a", 1, {"unknown": 1})])


def test_somebody_else_feeding_is_left_to_it(api, opensearch):
    CouponCampaignFactory(account=api.account)
    with psycopg.connect(**database.parameters()) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [indexing.FEED_LOCK])
        assert indexing.feed() == 0
    assert SearchChange.objects.exists()
