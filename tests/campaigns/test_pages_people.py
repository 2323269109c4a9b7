import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from campaigns.models import Message
from campaigns.pages.people import newest_first
from crm import events
from crm.customers import consent
from crm.models import ConsentEntry
from tests.campaigns.pages_world import NOBODYS, role_page, running, said
from tests.factories import ConversationUserFactory, CustomerFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("path", ["/people", "/people/{}"])
def test_everybody_of_the_account_may_look(api, role, path):
    person = ConversationUserFactory(account=api.account)

    assert role_page(api.account, role).get(path.format(person.pk)).status_code == 200


def test_a_neighbours_person_is_not_there(page, neighbour):
    person = ConversationUserFactory(account=neighbour.account)
    answers = [page.get(f"/people/{pk}") for pk in (person.pk, NOBODYS)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content
    assert page.post(f"/people/{person.pk}", {"act": "withdraw", "proof": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("query", "found"), [("", ["Amira", "Jonas"]), ("?q=ami", ["Amira"]), ("?q=%2B49 30", ["Jonas"]), ("?q=zzz", [])]
)
def test_people_are_found_by_how_they_begin(page, api, query, found):
    ConversationUserFactory(account=api.account, name="Amira", phone="+14155550101")
    ConversationUserFactory(account=api.account, name="Jonas", phone="+4930555")

    assert [row.name for row in page.get(f"/people{query}").context["page"].rows] == found


def test_a_person_is_shown_with_all_that_happened(page, api):
    person = running(api.account, "read").rows[0].conversation_user
    person.customer = CustomerFactory(account=api.account, first_name="Amira")
    person.save()
    Message.objects.create(account=api.account, conversation_user=person, direction="inbound", body="Is it open?")
    for kind, properties in (("message.clicked", {"url": "https://example.com/o"}), ("loyalty.joined", {})):
        events.record(api.account, type=kind, event_id=kind, phone=person.phone, properties=properties)
    consent.withdraw(api.account, channel="whatsapp", address=person.phone, source="inbound")
    consent.grant(api.account, channel="whatsapp", address=person.phone, source="import")

    html = page.get(f"/people/{person.pk}").content.decode()

    for told in ("Is it open?", "Followed a link", "https://example.com/o", "loyalty.joined", "Agreed",
                 "They wrote it themselves", "import", ": opened", "Amira", "Can get messages"):  # fmt: skip
        assert told in html


def test_the_page_costs_the_same_for_any_history(page, api):
    spent = []
    for messages in (1, 3):
        person = ConversationUserFactory(account=api.account)
        for number in range(messages):
            Message.objects.create(account=api.account, conversation_user=person, direction="inbound", body=str(number))
        with CaptureQueriesContext(connection) as queries:
            page.get(f"/people/{person.pk}")
        spent.append(len(queries))

    assert spent[0] == spent[1] <= 12


def test_a_person_is_opted_out_and_in_with_a_proof(page, api):
    person = ConversationUserFactory(account=api.account)
    address = f"/people/{person.pk}"

    assert said(page.post(address, {"act": "withdraw", "proof": "asked in the shop"}, follow=True)) == [
        "Nothing is sent to them any more."
    ]
    assert consent.is_suppressed(api.account, channel="whatsapp", address=person.phone)
    html = page.get(address).content.decode()
    assert f"By {api.user.name} · asked in the shop" in html
    assert said(page.post(address, {"act": "grant", "proof": "signed up"}, follow=True)) == [
        "They can get messages again."
    ]
    assert not consent.is_suppressed(api.account, channel="whatsapp", address=person.phone)


def test_without_a_proof_nothing_changes(page, api):
    person = ConversationUserFactory(account=api.account)

    assert page.post(f"/people/{person.pk}", {"act": "withdraw"}).status_code == 400
    assert not ConsentEntry.objects.exists()


def test_who_may_not_block_sees_no_form(api):
    person = ConversationUserFactory(account=api.account)
    theirs = role_page(api.account, Role.MARKETING_MANAGER)

    assert "How do you know?" not in theirs.get(f"/people/{person.pk}").content.decode()
    assert theirs.post(f"/people/{person.pk}", {"act": "withdraw", "proof": "x"}).status_code == 403


def test_what_happened_in_one_moment_stays_in_its_order():
    assert newest_first([{"at": 1, "n": "a"}, {"at": 2, "n": "b"}, {"at": 2, "n": "c"}]) == [
        {"at": 2, "n": "c"}, {"at": 2, "n": "b"}, {"at": 1, "n": "a"},
    ]  # fmt: skip
