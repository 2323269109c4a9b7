"""What happened, told over HTTP: kept once, counted once, found again in a person's timeline."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from campaigns.models import SkipReason
from crm import events
from crm.customers import consent
from crm.models import ConsentEntry, Customer, Event
from tests.factories import (
    BroadcastFactory,
    CampaignLeadFactory,
    CampaignLeadMessageFactory,
    ConversationUserFactory,
    CustomerFactory,
)
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
BASE, PEOPLE = "/api/v1/events", "/api/v1/customers"


@pytest.fixture
def anna(api):
    return CustomerFactory(account=api.account, email="Anna@example.test", phone="+15550000001", external_id="c-1")


def order(number, **fields):
    value = {"amount": 100 * number, "currency": "USD"}
    when = f"2026-01-{number:02}T10:00:00Z"
    return {"event_id": f"o-{number}", "type": "order.completed", "occurred_at": when, "value": value, **fields}


def spent(customer):
    customer.refresh_from_db()
    day = customer.last_order_at and customer.last_order_at.day
    return customer.total_spent_minor, customer.order_count, day


@pytest.mark.parametrize(
    "who",
    [
        {"customer_id": "cust_anna"},
        {"external_id": "c-1"},
        {"email": "anna@EXAMPLE.test"},
        {"phone": "+1 555 000-0001"},
        {"customer_id": "cust_anna", "email": "else@example.test", "phone": None},
    ],
)
def test_an_event_finds_its_person(api, anna, who):
    Customer.objects.update(public_id="cust_anna")

    answer = api.post(BASE, json=order(1, **who))

    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "duplicates": 0, "invalid": []})
    assert Event.objects.get().customer == anna
    assert spent(anna) == (100, 1, 1)


def test_orders_are_counted_once_however_often_they_are_told(api, anna):
    told = [order(number, phone=anna.phone) for number in (3, 1, 2, 3)]
    told.append({"event_id": "r-1", "type": "order.refunded", "phone": anna.phone, "value": told[0]["value"]})
    told.append(order(4, phone=anna.phone, value={"amount": 9, "currency": "EUR"}))
    told.append(order(5, phone=anna.phone, value=None))

    counts = [api.post(BASE, json={"events": told}).json() for _ in range(2)]

    assert [(each["accepted"], each["duplicates"]) for each in counts] == [(6, 1), (0, 7)]
    assert spent(anna) == (300, 5, 5)


@pytest.mark.django_db(transaction=True)
def test_orders_are_counted_once_by_however_many_at_once():
    api = caller()
    people = [CustomerFactory(account=api.account, phone=f"+1555000000{n}") for n in range(4)]
    rows = [order(number, phone=people[number % 4].phone) for number in range(1, 21)]

    def send(turn):
        try:
            return api.post(BASE, json={"events": rows[turn:] + rows[:turn]}).json()["accepted"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        accepted = sum(pool.map(send, range(16)))

    assert accepted == 20
    assert [spent(each)[:2] for each in people] == [
        (sum(100 * number for number in range(1, 21) if number % 4 == n), 5) for n in range(4)
    ]


def test_what_came_before_its_person_becomes_theirs(api):
    api.post(BASE, json={"events": [order(1, phone="+15550000001"), order(2, email="Anna@example.test")]})
    assert set(Event.objects.values_list("customer", flat=True)) == {None}

    one = api.post(PEOPLE, json={"phone": "+15550000001"}).json()
    assert (one["total_spent"]["amount"], one["order_count"]) == (100, 1)
    both = api.patch(f"{PEOPLE}/{one['id']}", json={"email": "anna@example.test"}).json()
    assert (both["total_spent"]["amount"], both["order_count"]) == (300, 2)
    assert both["last_order_at"] == "2026-01-02T10:00:00Z"


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ({"customer_id": "cust_nobody"}, "customer_id"), ({"external_id": "nobody"}, "external_id"),
        ({"email": "anna"}, "email"), ({"phone": None}, "customer_id"), ({"type": "Order Completed"}, "type"),
        ({"type": None}, "type"), ({"event_id": "whatsapp:1:sent"}, "event_id"), ({"event_id": ""}, "event_id"),
        ({"occurred_at": "1999-01-01T00:00:00Z"}, "occurred_at"),
        ({"value": {"amount": -1, "currency": "USD"}}, "value"),
        ({"value": {"amount": 1, "currency": "usd"}}, "value"), ({"properties": {"a": "x" * 10_001}}, "properties"),
        ({"later": 1}, "later"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_is_told_and_does_not_refuse_the_rest(api, anna, fault, field):
    wrong = order(1, phone=anna.phone) | fault

    alone = api.post(BASE, json={"events": [wrong]})
    among = api.post(BASE, json={"events": [wrong, order(2, phone=anna.phone)]}).json()

    assert (alone.status_code, [path.split(".")[:3] for path in alone.json()["details"]]) == (
        400,
        [["events", "0", field]],
    )
    assert (among["accepted"], among["invalid"][0]["index"]) == (1, 0)
    assert among["invalid"][0]["message"].startswith(field)
    assert api.post(BASE, json=wrong).status_code == 400


@pytest.mark.parametrize(
    "body", [{}, {"events": []}, {"events": [7]}, {"events": [{}] * 1001}, {"event_id": "e", "events": [order(1)]}]
)
def test_what_is_no_list_of_events_is_refused(api, body):
    assert api.post(BASE, json=body).status_code == 400


def test_a_neighbours_customer_is_nobody(api, neighbour):
    theirs = CustomerFactory(account=neighbour.account, phone="+15550000001", external_id="c-1")

    for who in ({"customer_id": theirs.public_id}, {"external_id": "c-1"}):
        assert api.post(BASE, json=order(1, **who)).status_code == 400
    assert api.post(BASE, json=order(1, phone="+15550000001")).status_code == 202
    assert spent(theirs) == (0, 0, None)


def timeline(api, customer, query=""):
    answer = api.get(f"{PEOPLE}/{customer.public_id}/timeline{query}")
    assert answer.status_code == 200
    return answer.json()


def test_a_timeline_tells_everything_newest_first_and_goes_on_by_cursor(api, anna):
    row = CampaignLeadMessageFactory(
        broadcast=BroadcastFactory(account=api.account), status="skipped", skip_reason=SkipReason.OPTED_OUT,
        campaign_lead=CampaignLeadFactory(
            account=api.account, conversation_user=ConversationUserFactory(account=api.account, phone=anna.phone)
        ),
    )  # fmt: skip
    consent.withdraw(api.account, channel="whatsapp", address=anna.phone, source="inbound")
    api.post(BASE, json={"events": [order(number, phone=anna.phone) for number in (1, 2)]})
    same = "2026-01-02T10:00:00Z"
    events.record(
        api.account, type="page.viewed", event_id="p", phone=anna.phone, occurred_at=same, properties={"a": 1}
    )
    events.record(api.account, type="page.viewed", event_id="other", phone="+15550000009")

    whole = timeline(api, anna)["data"]
    walked, cursor = [], ""
    while cursor is not None:
        page = timeline(api, anna, f"?limit=1{cursor and '&cursor='}{cursor}")
        walked += page["data"]
        cursor = page["pagination"]["next_cursor"]

    assert [entry["type"] for entry in whole[2:]] == ["page.viewed", "order.completed", "order.completed"]
    assert {entry["kind"]: entry["id"] for entry in whole[:2]} == {
        "message": str(row.pk), "consent": str(ConsentEntry.objects.get().pk),
    }  # fmt: skip
    assert whole[3]["properties"] == {"value": {"amount": 200, "currency": "USD"}}
    assert walked == whole


def test_entries_of_one_moment_are_told_once_each_across_pages(api, anna):
    for number in range(3):
        events.record(api.account, type="page.viewed", event_id=f"p{number}", phone=anna.phone)
        consent.withdraw(api.account, channel="sms", address=anna.phone, source="form")
    moment = Event.objects.order_by("pk").first().occurred_at
    Event.objects.update(occurred_at=moment)
    ConsentEntry.objects.update(at=moment)

    walked, cursor = [], ""
    while cursor is not None:
        page = timeline(api, anna, f"?limit=2{cursor and '&cursor='}{cursor}")
        walked += [(entry["kind"], entry["id"]) for entry in page["data"]]
        cursor = page["pagination"]["next_cursor"]

    assert len(walked) == len(set(walked)) == 6


def test_a_cursor_of_somebody_else_is_refused(api, anna):
    other = CustomerFactory(account=api.account, phone="")
    for number in (1, 2):
        events.record(api.account, type="page.viewed", event_id=f"p{number}", phone=anna.phone)
    cursor = timeline(api, anna, "?limit=1")["pagination"]["next_cursor"]

    assert timeline(api, other)["data"] == []
    assert api.get(f"{PEOPLE}/{other.public_id}/timeline?cursor={cursor}").status_code == 400


def say(who, customer, **fields):
    body = {"channel": "email", "granted": True, "source": "checkout", "proof": {"form": "a"}, **fields}
    return who.put(f"{PEOPLE}/{customer.public_id}/consent", json=body)


def test_consent_is_written_once_for_each_state(api, anna):
    answers = [say(api, anna, granted=granted) for granted in (True, True, False, False, True)]

    stood = [answer.json()["consents"]["email"] for answer in answers]
    assert [(each["marketing"], each["suppressed"]) for each in stood] == [
        *[("granted", False)] * 2, *[("withdrawn", True)] * 2, ("granted", False),
    ]  # fmt: skip
    entries = ConsentEntry.objects.order_by("pk")
    assert [entry.act for entry in entries] == ["granted", "withdrawn", "granted"]
    assert (entries[0].source, entries[0].proof, entries[0].customer) == ("checkout", {"form": "a"}, anna)


def test_another_purpose_is_written_down_and_silences_nobody(api, anna):
    consents = say(api, anna, purpose="profiling", granted=False).json()["consents"]

    assert consents["email"] == {"marketing": "none", "suppressed": False}
    assert ConsentEntry.objects.get().purpose == "profiling"
    assert say(api, anna, purpose="profiling", granted=True).json()["consents"] == consents


def test_who_opted_out_is_taken_off_the_list_only_by_who_may(api, anna):
    author = caller("marketing", account=api.account)
    assert say(author, anna, granted=False).status_code == 200

    assert say(author, anna).status_code == 403
    assert say(api, anna).json()["consents"]["email"] == {"marketing": "granted", "suppressed": False}


def test_consent_needs_an_address_and_push_is_known_by_id(api):
    nobody = CustomerFactory(account=api.account, phone="", external_id="x")

    assert say(api, nobody).json()["details"] == {"channel": ["This customer has no address on this channel."]}
    assert say(api, nobody, channel="push").json()["consents"]["push"]["marketing"] == "granted"
    assert say(api, nobody, source="").status_code == 400
