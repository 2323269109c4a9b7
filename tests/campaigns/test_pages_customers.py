import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from campaigns.pages import customers
from crm import events
from crm.customers import consent
from crm.models import ConsentEntry
from tests.campaigns.pages_world import role_page, running, said
from tests.factories import ConversationUserFactory, CustomerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(api):
    return CustomerFactory(
        account=api.account, first_name="Anna", email="anna@example.test", phone="+15550000001", loyalty_tier="gold",
        tags=["regular"], attributes={"table": 7},
    )  # fmt: skip


@pytest.mark.parametrize("role", Role.values)
def test_everybody_of_the_account_may_look(anna, role):
    theirs = role_page(anna.account, role)

    assert "Anna" in theirs.get("/people/customers").content.decode()
    assert theirs.get(f"/people/{anna.public_id}").status_code == 200


@pytest.mark.parametrize(("query", "found"), [("", 2), ("?q=ann", 1), ("?q=%2B1555", 1), ("?q=b-", 1), ("?q=zzz", 0)])
def test_customers_are_found_by_how_they_begin(page, api, neighbour, anna, query, found):
    CustomerFactory(account=api.account, external_id="b-1")
    CustomerFactory(account=neighbour.account, first_name="Anna")

    assert len(page.get(f"/people/customers{query}").context["page"].rows) == found


def test_nobody_yet_leads_to_the_api(page):
    assert "No customers yet" in page.get("/people/customers").content.decode()


def test_a_neighbours_or_an_erased_customer_is_not_there(page, neighbour):
    theirs = CustomerFactory(account=neighbour.account)
    answers = [page.get(f"/people/{each}") for each in (theirs.public_id, "cust_nobody")]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert page.post(f"/people/{theirs.public_id}", {"act": "grant:email", "proof": "x"}).status_code == 404


def test_a_customer_is_shown_with_all_that_happened(page, api, anna):
    person = running(api.account, "read").rows[0].conversation_user
    person.customer = anna
    person.save()
    consent.withdraw(api.account, channel="sms", address=anna.phone, source="form")
    for number, (kind, properties) in enumerate([("order.completed", {"order_id": "o1"}), ("loyalty.joined", {})]):
        events.record(
            api.account, type=kind, event_id=str(number), phone=anna.phone, properties=properties,
            value_minor=4680 if number == 0 else None, currency="USD",
        )  # fmt: skip

    html = page.get(f"/people/{anna.public_id}").content.decode()

    for told in ("anna@example.test", "Gold", "regular", "table", "Ordered", "o1 · $46.80", "Loyalty joined",
                 "SMS · marketing · form", ": read", f"/people/{person.pk}", "$46.80"):  # fmt: skip
        assert told.lower() in html.lower(), told


def test_a_long_timeline_goes_on_and_a_strange_cursor_starts_anew(page, api, anna, monkeypatch):
    monkeypatch.setattr(customers, "SHOWN", 2)
    for number in range(3):
        events.record(api.account, type=f"visit.n{number}", event_id=str(number), phone=anna.phone)
    path = f"/people/{anna.public_id}"

    first = page.get(path)
    then = page.get(f"{path}?cursor={first.context['earlier']}")
    strange = page.get(f"{path}?cursor=x")

    titles = [[entry["title"] for entry in each.context["timeline"]] for each in (first, then, strange)]
    assert titles == [["Visit n2", "Visit n1"], ["Visit n0"], ["Visit n2", "Visit n1"]]


def test_the_page_costs_the_same_for_any_history(page, api, anna):
    spent = []
    for number in range(2):
        events.record(api.account, type="page.viewed", event_id=str(number), phone=anna.phone)
        ConversationUserFactory(account=api.account, customer=anna)
        with CaptureQueriesContext(connection) as queries:
            page.get(f"/people/{anna.public_id}")
        spent.append(len(queries))

    assert spent[0] == spent[1] <= 14


def test_consent_is_switched_with_a_proof(page, api, anna):
    path = f"/people/{anna.public_id}"

    assert said(page.post(path, {"act": "withdraw:email", "proof": "asked in the shop"}, follow=True)) == [
        "Nothing is sent to them by E-mail any more."
    ]
    assert consent.is_suppressed(api.account, channel="email", address=anna.email)
    assert said(page.post(path, {"act": "grant:email", "proof": "signed up"}, follow=True)) == [
        "They can get messages by E-mail."
    ]
    assert not consent.is_suppressed(api.account, channel="email", address=anna.email)
    assert ConsentEntry.objects.first().proof == {"said": "asked in the shop", "by": api.user.pk}


@pytest.mark.parametrize("form", [{"act": "withdraw:email"}, {"act": "withdraw:fax", "proof": "x"}, {"proof": "x"}])
def test_without_a_proof_or_a_channel_nothing_changes(page, anna, form):
    assert page.post(f"/people/{anna.public_id}", form).status_code == 400
    assert not ConsentEntry.objects.exists()


def test_who_may_not_block_sees_no_switch(anna):
    theirs = role_page(anna.account, Role.MARKETING_MANAGER)

    assert "How do you know?" not in theirs.get(f"/people/{anna.public_id}").content.decode()
    assert theirs.post(f"/people/{anna.public_id}", {"act": "withdraw:email", "proof": "x"}).status_code == 403
