"""Customers over HTTP: written, found, changed, and once in an account."""

import re

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from campaigns_project.models import AuditEntry
from crm.customers import consent, people
from crm.models import Channel, Customer
from tests.factories import CustomerFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
BASE = "/api/v1/customers"
ANNA = {
    "external_id": "c-1", "email": "Anna@example.test", "phone": "+15550000001", "first_name": "Anna", "last_name": "B",
    "country": "GB", "language": "pt-BR", "time_zone": "Europe/London", "loyalty_tier": "gold",
    "tags": ["regular", "vip"], "attributes": {"table": 7, "note": "by the window", "vegan": True, "x": None},
}  # fmt: skip
SILENT = {each: {"marketing": "none", "suppressed": False} for each in Channel.values}


@pytest.fixture
def anna(api):
    return CustomerFactory(account=api.account, first_name="Anna", email="anna@example.test", phone="+15550000001")


def ids(answer):
    return [row["id"] for row in answer.json()["data"]]


def test_a_customer_is_added_and_reads_back(api):
    answer = api.post(BASE, json=ANNA | {"phone": "+1 (555) 000-0001", "tags": ["regular", "vip", "regular"]})

    shown = answer.json()
    assert answer.status_code == 201
    assert answer["Location"] == f"{BASE}/{shown['id']}"
    assert shown["id"].startswith("cust_")
    assert shown | ANNA == shown
    assert (shown["total_spent"], shown["order_count"], shown["last_order_at"]) == (
        {"amount": 0, "currency": "USD"}, 0, None,
    )  # fmt: skip
    assert shown["consents"] == SILENT
    assert api.get(answer["Location"]).json() == shown


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "anna"), ("email", 7), ("phone", "12"), ("phone", 7), ("country", "gb"), ("language", "English"),
        ("time_zone", "Mars/Base"), ("loyalty_tier", "tin"), ("tags", "vip"), ("tags", [""]), ("tags", ["a"] * 51),
        ("tags", ["a" * 51]), ("attributes", []), ("attributes", {"": 1}), ("attributes", {"a": []}),
        ("attributes", {"a": 10**20}), ("attributes", {"a": "x" * 501}),
        ("attributes", dict.fromkeys(map(str, range(101)))),
        ("total_spent", 5), ("id", "cust_1"), ("consents", {}),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_named(api, field, value):
    answer = api.post(BASE, json={"email": "a@example.test", field: value})

    assert answer.status_code == 400
    assert {path.partition(".")[0] for path in answer.json()["details"]} == {field}
    assert not Customer.objects.exists()


@pytest.mark.parametrize("fields", [{}, {"first_name": "Anna"}, {"email": "", "phone": ""}])
def test_a_customer_must_be_found_again(api, anna, fields):
    path = f"{BASE}/{anna.public_id}"

    assert api.post(BASE, json=fields).status_code == 400
    assert api.patch(path, json={"email": "", "phone": ""}).status_code == 400


@pytest.mark.parametrize(
    ("field", "taken", "again"),
    [
        ("email", "anna@example.test", "ANNA@example.test"),
        ("phone", "+15550000001", "+1 555 000 0001"),
        ("external_id", "c-1", "c-1"),
    ],
)
def test_a_person_is_there_once_in_an_account(api, neighbour, field, taken, again):
    api.post(BASE, json={field: taken})
    other = api.post(BASE, json={"external_id": "other"}).json()["id"]

    for answer in (api.post(BASE, json={field: again}), api.patch(f"{BASE}/{other}", json={field: again})):
        assert (answer.status_code, answer.json()["code"]) == (409, "customer_exists")
        assert list(answer.json()["details"]) == [field]
    assert neighbour.post(BASE, json={field: again}).status_code == 201


def test_other_faults_of_the_database_are_not_taken_for_a_second_person(anna):
    with pytest.raises(IntegrityError):
        people.change(anna, {"loyalty_tier": "gold", "public_id": CustomerFactory(account=anna.account).public_id})


def test_a_change_leaves_the_rest_and_minds_the_version(api, anna):
    path = f"{BASE}/{anna.public_id}"
    version = api.get(path)["ETag"]
    Customer.objects.update(order_count=4, total_spent_minor=900)

    changed = api.patch(path, json={"loyalty_tier": "silver", "tags": ["vip"]}, headers={"if-match": version})
    late = api.patch(path, json={"tags": []}, headers={"if-match": version})

    assert (changed.status_code, late.status_code) == (200, 412)
    shown = api.get(path).json()
    assert (shown["loyalty_tier"], shown["tags"], shown["first_name"]) == ("silver", ["vip"], "Anna")
    assert (shown["total_spent"], shown["order_count"]) == ({"amount": 900, "currency": "USD"}, 4)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 2), ("email=ANNA@example.test", 1), ("phone=%2B1 555 000 0001", 1), ("external_id=b-1", 1), ("tag=vip", 1),
        ("tag=vi", 0), ("search=ann", 1), ("search=b-", 1), ("search=B-", 0), ("search=%2B1 (555)", 1),
        ("search=nna", 0),
        ("search=ANNA@", 1), ("search=cust_", 2), ("search=%25", 0), ("limit=1", 1),
    ],
)  # fmt: skip
def test_customers_are_found(api, neighbour, anna, query, found):
    Customer.objects.filter(pk=anna.pk).update(tags=["vip"])
    CustomerFactory(account=api.account, first_name="Ben", external_id="b-1")
    CustomerFactory(account=neighbour.account, first_name="Anna", tags=["vip"])

    assert len(ids(api.get(f"{BASE}?{query}"))) == found


@pytest.mark.parametrize("chosen", ["", "&tag=vip", "&search=An"])
def test_a_list_goes_on_by_cursor_and_by_page(api, neighbour, chosen):
    made = [CustomerFactory(account=api.account, tags=["vip"], first_name="Anna").public_id for _ in range(3)]
    CustomerFactory(account=neighbour.account, tags=["vip"], first_name="Anna")
    first = api.get(f"{BASE}?limit=2{chosen}")
    then = api.get(f"{BASE}?limit=2{chosen}&cursor={first.json()['pagination']['next_cursor']}")

    assert ids(first) + ids(then) == made[::-1]
    assert ids(api.get(f"{BASE}?limit=2{chosen}&page=2")) == ids(then)


@pytest.mark.parametrize("query", ["phone=12", "nobody=1", "limit=0"])
def test_a_filter_that_means_nothing_is_refused(api, query):
    assert api.get(f"{BASE}?{query}").status_code == 400


def test_consents_follow_the_address(api, anna):
    for channel, address in (("whatsapp", "+15550000001"), ("email", "ANNA@example.test")):
        consent.grant(api.account, channel=channel, address=address, source="form")
    consent.withdraw(api.account, channel="whatsapp", address="+15550000001", source="inbound")

    expected = SILENT | {
        "email": {"marketing": "granted", "suppressed": False},
        "whatsapp": {"marketing": "withdrawn", "suppressed": True},
    }
    assert api.get(f"{BASE}/{anna.public_id}").json()["consents"] == expected
    assert api.get(BASE).json()["data"][0]["consents"] == expected
    api.patch(f"{BASE}/{anna.public_id}", json={"phone": "+15550000002"})
    assert api.get(f"{BASE}/{anna.public_id}").json()["consents"]["whatsapp"] == SILENT["whatsapp"]


def test_an_erased_customer_is_gone_and_the_erasure_is_noted(api, anna):
    path = f"{BASE}/{anna.public_id}"

    assert api.delete(path, headers={"if-match": '"old"'}).status_code == 412
    assert api.delete(path).status_code == 204

    assert [api.get(path).status_code, api.patch(path, json={}).status_code, api.delete(path).status_code] == [404] * 3
    assert ids(api.get(BASE)) == []
    note = AuditEntry.objects.get(action="customer.erase")
    assert (note.actor, note.target) == (api.user, anna.public_id)
    assert api.post(BASE, json={"email": "anna@example.test", "phone": "+15550000001"}).status_code == 201


def test_the_least_of_the_roles_may_write(anna):
    writer = caller("marketing", account=anna.account)

    assert writer.patch(f"{BASE}/{anna.public_id}", json={"first_name": "Anne"}).json()["first_name"] == "Anne"


def test_a_list_shows_each_customer_as_they_are_shown_alone(api):
    plain = CustomerFactory(account=api.account, phone="", external_id='"\\ü')
    rich = CustomerFactory(
        account=api.account, email="Anna@example.test", tags=["a", '"'], attributes={"n": 1.5, "t": None},
        last_order_at=timezone.now(), total_spent_minor=4680, first_name="Zoë \u2028",
    )  # fmt: skip
    consent.grant(api.account, channel="email", address=rich.email, source="form")
    consent.grant(api.account, channel="email", address=rich.email, source="form", purpose="profiling")
    for channel, address in (("sms", rich.phone), ("push", rich.public_id), ("mail", plain.public_id)):
        consent.withdraw(api.account, channel=channel, address=address, source="form")

    listed = api.get(BASE).json()["data"]

    assert listed == [api.get(f"{BASE}/{each.public_id}").json() for each in (rich, plain)]
    assert [list(each) for each in listed] == [list(api.get(f"{BASE}/{rich.public_id}").json())] * 2


def test_a_walk_by_cursor_counts_once(api):
    for _ in range(3):
        CustomerFactory(account=api.account)
    assert api.get(f"{BASE}?page=2").json()["data"] == []
    first = api.get(f"{BASE}?limit=1").json()["pagination"]
    CustomerFactory(account=api.account)

    second = api.get(f"{BASE}?limit=1&cursor={first['next_cursor']}").json()["pagination"]

    assert (second["page"], second["total"], second["total_pages"]) == (2, 3, 3)


MANY = """
INSERT INTO crm_customer (account_id, public_id, external_id, email, phone, first_name, last_name, country, language,
    time_zone, loyalty_tier, tags, attributes, email_hash, phone_hash, own_hash, updated_at)
SELECT %s, 'cust_' || n, 'b-' || n, n || '@example.test', '+1555' || n, 'Anna' || n, 'Berg' || n, '', '', '', '', '{}',
    '{}', md5('e' || n), md5('p' || n), md5('o' || n), now() FROM generate_series(1, 3000) n
"""


def test_a_search_is_served_by_an_index_for_each_thing_it_looks_at(api):
    with connection.cursor() as cursor:
        cursor.execute(MANY, [api.account.pk])
        cursor.execute("ANALYZE crm_customer")
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = Customer.objects.for_account(api.account).filter(people.beginning("zoe")).explain()

    assert set(re.findall(r"Bitmap Index Scan on (\w+)", plan)) == {
        *("customer_by_first_name", "customer_by_last_name", "customer_email_once"),
        *("customer_phone_once", "customer_external_id_once", "customer_public_id"),
    }


def test_of_more_than_are_counted_a_search_still_shows_the_newest(api, anna, monkeypatch):
    monkeypatch.setattr(people, "COUNTED", 1)
    later = CustomerFactory(account=api.account, first_name="Annika")

    assert ids(api.get(f"{BASE}?search=Ann")) == [later.public_id, anna.public_id]
