import pytest

from campaigns_project.api import lists
from campaigns_project.api.etags import etag_of
from crm.models import Customer
from tests.factories import ConnectionFactory, CustomerFactory

TRY = "/api/v1/try"
pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.campaigns_project.doors")]


def names(answer):
    return [row["first_name"] for row in answer.json()["data"]]


def people(api, *names):
    for name in names:
        CustomerFactory(account=api.account, first_name=name)


def test_a_page_says_where_it_is(api):
    people(api, *"abcde")

    answer = api.get(f"{TRY}?page=2&limit=2").json()

    assert [row["first_name"] for row in answer["data"]] == ["c", "b"]
    cursor = answer["pagination"].pop("next_cursor")
    assert cursor
    assert answer["pagination"] == {"page": 2, "limit": 2, "total": 5, "total_pages": 3}


@pytest.mark.parametrize(
    ("query", "expected", "page"), [("", [], 1), ("?page=9", [], 9), ("?page=1000000&limit=100", [], 1_000_000)]
)
def test_a_page_beyond_the_end_is_empty(api, query, expected, page):
    answer = api.get(f"{TRY}{query}").json()

    assert (answer["data"], answer["pagination"]["page"], answer["pagination"]["next_cursor"]) == (expected, page, None)


@pytest.mark.parametrize("path", [TRY, f"{TRY}/capped"])
def test_a_cursor_leads_through_the_list_once_also_among_equals(api, neighbour, path):
    people(api, *"aabbbcc")
    people(neighbour, "z")

    found, query, pages = [], "limit=2", []
    while query:
        answer = api.get(f"{path}?{query}").json()
        found += [row["id"] for row in answer["data"]]
        pages.append(answer["pagination"]["page"])
        cursor = answer["pagination"]["next_cursor"]
        query = cursor and f"limit=2&cursor={cursor}"

    assert sorted(found) == sorted(Customer.objects.filter(account=api.account).values_list("pk", flat=True))
    assert len(found) == len(set(found))
    assert pages == [1, 2, 3, 4]


@pytest.mark.parametrize("change", ["tamper", "filter", "path", "account", "garbage"])
def test_a_cursor_is_good_only_where_it_came_from(api, neighbour, change):
    people(api, *"aaa")
    cursor = api.get(f"{TRY}?limit=1&first_name=a").json()["pagination"]["next_cursor"]
    who, path = (neighbour if change == "account" else api), (f"{TRY}/capped" if change == "path" else TRY)
    query = {
        "tamper": f"limit=1&first_name=a&cursor={cursor[:-1]}{'a' if cursor[-1] != 'a' else 'b'}",
        "filter": f"limit=1&first_name=b&cursor={cursor}",
        "path": f"limit=1&cursor={cursor}",
        "garbage": "cursor=e30:1:x",
    }.get(change, f"limit=1&first_name=a&cursor={cursor}")

    assert api.get(f"{TRY}?limit=1&first_name=a&cursor={cursor}").status_code == 200
    assert who.get(f"{path}?{query}").json()["details"] == {"cursor": ["This cursor does not belong to this list."]}


@pytest.mark.parametrize(("rows", "total", "estimate"), [(2, 2, None), (3, 3, True), (5, 3, True)])
def test_a_list_without_bound_stops_counting(api, monkeypatch, rows, total, estimate):
    monkeypatch.setattr(lists, "COUNTED", 2)
    people(api, *"abcde"[:rows])

    pagination = api.get(f"{TRY}/capped?limit=1").json()["pagination"]

    assert (pagination["total"], pagination.get("total_is_estimate")) == (total, estimate)
    assert api.get(f"{TRY}/capped?limit=1&page=3").json()["details"] == {
        "page": ["Beyond 10,000 rows a list is continued by cursor."]
    }


@pytest.mark.parametrize("rows", [1, 7])
def test_a_list_costs_the_same_for_any_length(api, rows, django_assert_num_queries):
    people(api, *"abcdefg"[:rows])

    with django_assert_num_queries(3):  # who asks, how many, which
        api.get(f"{TRY}?limit=5")


def test_a_version_is_the_same_from_memory_and_from_the_database():
    connection = ConnectionFactory()

    assert etag_of(connection) == etag_of(type(connection).objects.get())
