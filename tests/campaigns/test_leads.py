"""Ten thousand leads in a few statements, and what becomes of each row."""

import itertools

import pytest

from campaigns import authoring, leads
from campaigns.models import CampaignLead, ConversationUser
from campaigns_project.refusals import Invalid
from crm.customers.consent import phone_hash, withdraw
from tests.factories import CampaignFactory, CampaignLeadFactory, ConversationUserFactory, CustomerFactory, in_state

pytestmark = pytest.mark.django_db
ANNA, BEA = "+15550000001", "+15550000002"
NOBODY = {"created": 0, "reactivated": 0, "unchanged": 0, "opted_out": 0, "invalid": []}


def row(phone=ANNA, **variables):
    return {"phone_number": phone} | ({"custom_variables": variables} if variables else {})


def active(campaign):
    found = CampaignLead.objects.of(campaign).active().order_by("conversation_user__phone")
    return dict(found.values_list("conversation_user__phone", "custom_variables"))


def test_leads_are_people_known_by_their_number_in_one_form():
    campaign = CampaignFactory()
    customer = CustomerFactory(account=campaign.account, phone=ANNA)

    assert leads.add(campaign, [row("whatsapp:+1 (555) 000-0001"), row(BEA, table=7)]) == NOBODY | {"created": 2}

    assert active(campaign) == {ANNA: {}, BEA: {"table": "7"}}
    person = ConversationUser.objects.get(phone=ANNA)
    assert (person.customer, person.address_hash) == (customer, phone_hash(campaign.account_id, ANNA))


def test_a_person_who_became_a_customer_later_is_linked_then():
    campaign = CampaignFactory()
    leads.add(campaign, [row()])
    customer = CustomerFactory(account=campaign.account, phone=ANNA)
    CustomerFactory(phone=BEA)

    leads.add(campaign, [row(), row(BEA)])

    assert dict(ConversationUser.objects.values_list("phone", "customer")) == {ANNA: customer.pk, BEA: None}


@pytest.mark.parametrize(
    "before, given, outcome",
    [
        ({}, row(), "unchanged"),
        ({"active": False}, row(), "reactivated"),
        ({}, row(table="7"), "reactivated"),
        ({"custom_variables": {"table": "7"}}, row(table="7"), "unchanged"),
    ],
)
def test_somebody_who_is_there_already_is_made_active_again_or_changed(before, given, outcome):
    campaign = CampaignFactory()
    person = ConversationUserFactory(account=campaign.account, phone=ANNA)
    CampaignLeadFactory(campaign=campaign, conversation_user=person, **before)

    assert leads.add(campaign, [given]) == NOBODY | {outcome: 1}
    assert active(campaign) == {ANNA: given.get("custom_variables", {})}


def test_the_same_person_twice_in_one_request_is_one_lead_as_said_last():
    campaign = CampaignFactory()

    found = leads.add(campaign, [row(table="1"), row("1 555 000 0001", table="2")])

    assert found == NOBODY | {"created": 1, "unchanged": 1}
    assert active(campaign) == {ANNA: {"table": "2"}}


def test_a_person_may_be_named_by_our_own_number_for_them():
    campaign = CampaignFactory()
    person = ConversationUserFactory(account=campaign.account, phone=ANNA)
    stranger = ConversationUserFactory()

    found = leads.add(campaign, [{"conversation_user_id": each} for each in (person.pk, stranger.pk, True, "1", None)])

    assert (found["created"], [each["index"] for each in found["invalid"]]) == (1, [1, 2, 3, 4])
    assert active(campaign) == {ANNA: {}}


def test_a_number_that_opted_out_is_taken_in_and_told():
    campaign = CampaignFactory()
    withdraw(campaign.account, channel="whatsapp", address=ANNA, source="inbound")

    assert leads.add(campaign, [row(), row(BEA)]) == NOBODY | {"created": 2, "opted_out": 1}


@pytest.mark.parametrize(
    "bad, message",
    [
        ({"phone_number": "+1555CALLNOW"}, "phone_number: A phone number has only"),
        ({"phone_number": None}, "phone_number: A phone number is text"),
        ({"phone_number": ANNA, "custom_variables": []}, "custom_variables: Give an object"),
        ({"phone_number": ANNA, "custom_variables": {"99": "x"}}, "custom_variables.99: There is no such variable"),
        ({"phone_number": ANNA, "custom_variables": {"1": "a\nb"}}, "custom_variables.1: A value has no line breaks"),
        ({"phone_number": ANNA, "name": "Anna"}, "name: This field is not known"),
        ({"phone_number": ANNA, "conversation_user_id": 1}, "phone_number: Give either"),
        ({}, "phone_number: Give either"),
        ("+15550000001", "lead: A lead is an object"),
    ],
)
def test_a_row_that_cannot_be_is_told_by_its_index_and_the_others_are_taken(bad, message):
    campaign = CampaignFactory()

    found = leads.add(campaign, [row(BEA), bad])

    assert found["created"] == 1
    assert [(each["index"], each["code"]) for each in found["invalid"]] == [(1, "invalid")]
    assert found["invalid"][0]["message"].startswith(message)
    with pytest.raises(Invalid) as refusal:
        leads.add(campaign, [bad, bad])
    path = message.partition(":")[0]
    assert list(refusal.value.details) == [f"leads.0.{path}", f"leads.1.{path}"]


def test_no_rows_are_no_leads():
    assert leads.add(CampaignFactory(), []) == NOBODY


@pytest.mark.parametrize(
    "spoil", [lambda head: authoring.new_version(head, by=None), lambda head: in_state(head, "archived")]
)
def test_an_old_version_takes_no_leads(spoil):
    campaign = CampaignFactory()
    spoil(campaign)

    with pytest.raises(authoring.NotTheNewestVersion):
        leads.add(campaign, [row()])


@pytest.mark.parametrize("count", [1, 500])
def test_many_leads_cost_as_many_statements_as_one(count, django_assert_num_queries):
    campaign = CampaignFactory()
    rows = [row(f"+1555{number:07d}") for number in range(count)]

    with django_assert_num_queries(5):
        assert leads.add(campaign, rows)["created"] == count


@pytest.mark.django_db(transaction=True)
def test_the_same_people_added_by_many_at_once_are_one_lead_each(at_once):
    campaign = CampaignFactory()
    rows = [row(f"+1555{number:07d}") for number in range(300)]

    turn = itertools.count()

    answers = at_once(lambda: leads.add(campaign, rows[:: 1 if next(turn) % 2 else -1]))

    assert sum(answer["created"] for answer in answers) == 300
    assert len(active(campaign)) == 300


def test_a_removed_lead_stays_for_the_record():
    lead = CampaignLeadFactory()

    leads.remove(lead)

    assert (lead.active, CampaignLead.objects.get(pk=lead.pk).active) == (False, False)


def test_a_test_message_hangs_on_a_lead_outside_the_audience():
    campaign = CampaignFactory()

    first, again = (leads.for_test(campaign, ANNA) for _ in range(2))

    assert (first, first.active, first.conversation_user.address_hash) == (
        again,
        False,
        phone_hash(campaign.account_id, ANNA),
    )
