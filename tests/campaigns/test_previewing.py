"""The same rule in Python for one person and in SQL for a million."""

import json

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.models import CampaignLead
from campaigns.previewing import model_values, preview, values_sql
from campaigns.values import by_number
from campaigns_project.refusals import Invalid
from tests.factories import AccountFactory, CampaignFactory, CampaignLeadFactory, ConversationUserFactory

pytestmark = pytest.mark.django_db

ASKED = """
SELECT {numbered}, {body}, {missing}, ARRAY[{each}]::boolean[] FROM campaigns_campaignlead lead
JOIN campaigns_conversationuser person ON person.id = lead.conversation_user_id
JOIN accounts_account merchant ON merchant.id = lead.account_id WHERE lead.id = %(lead)s
"""


def template(body="Hi {{1}}, {{2}} is open.", names=("lead_name", "merchant_name"), **fields):
    variables = {str(number): name for number, name in enumerate(names, start=1)}
    return CampaignFactory(content_context={"body": body}, variables=variables, **{"variable_defaults": {}} | fields)


def by_sql(lead, call=None):
    """(numbered values, body, missing names) as a broadcast would plan them."""
    values = values_sql(lead.campaign, lead="lead", person="person", merchant="merchant", call=call)
    each = ", ".join(values.missing_by_name.values())
    statement = ASKED.format(numbered=values.numbered, body=values.body, missing=values.missing, each=each)
    with connection.cursor() as cursor:
        cursor.execute(statement, {**values.params, "lead": lead.pk})
        numbered, body, missing, lacking = cursor.fetchone()
    names = [name for name, lacks in zip(values.missing_by_name, lacking, strict=True) if lacks]
    assert missing is bool(names)
    return json.loads(numbered), body, names


SOURCES = {"lead": "Anna", "call": "Bea", "model": "Cleo", "default": "you"}


@pytest.mark.parametrize("best", range(5))
@pytest.mark.parametrize("blank", [None, " "])
def test_the_first_source_with_a_value_wins(best, blank):
    given_by = {source: value if index >= best else blank for index, (source, value) in enumerate(SOURCES.items())}
    campaign = template("Hi {{1}}, welcome.", ["lead_name"], variable_defaults=some(given_by["default"]))
    person = ConversationUserFactory(account=campaign.account, name=given_by["model"] or "")
    lead = CampaignLeadFactory(campaign=campaign, conversation_user=person, custom_variables=some(given_by["lead"]))

    found = preview(campaign, lead=lead, values=some(given_by["call"]))

    expected = [*SOURCES.values(), None][best]
    assert found["variables"].get("lead_name") == expected
    assert found["missing"] == ([] if expected else ["lead_name"])
    assert by_sql(lead, some(given_by["call"]))[2] == found["missing"]


def some(value):
    return {} if value is None else {"lead_name": value}


def test_a_preview_shows_the_content_as_the_person_reads_it():
    campaign = CampaignFactory(
        account__name="Harbor Coffee",
        content_type="twilio/card",
        variables={"1": "lead_name", "2": "merchant_name"},
        content_context={"title": "Hi {{1}}, it is {{2}}.", "subtitle": "Reply STOP"},
    )

    assert preview(campaign, values={"1": "Anna"}) == {
        "content": {"title": "Hi Anna, it is Harbor Coffee.", "subtitle": "Reply STOP"},
        "body": "Hi Anna, it is Harbor Coffee.",
        "variables": {"lead_name": "Anna", "merchant_name": "Harbor Coffee"},
        "missing": [],
    }


def test_a_value_nobody_has_stays_visible_and_is_named():
    found = preview(template(account__name=""), values={"lead_name": "Anna"})

    assert (found["body"], found["missing"]) == ("Hi Anna, {{merchant_name}} is open.", ["merchant_name"])


def test_a_value_that_whatsapp_refuses_is_refused_by_name():
    with pytest.raises(Invalid) as refusal:
        preview(template(), values={"lead_name": "a\nb"})

    assert list(refusal.value.details) == ["values.lead_name"]


def test_model_values_are_what_we_know_of_merchant_and_person():
    account = AccountFactory(name="Harbor Coffee", phone="+15550000100")
    person = ConversationUserFactory(account=account, name="Anna", phone="+15550000001")
    merchant = {"merchant_name": "Harbor Coffee", "merchant_phone": "+15550000100"}

    assert model_values(account, person) == {**merchant, "lead_name": "Anna", "lead_phone": "+15550000001"}
    assert model_values(account, None) == {**merchant, "lead_name": "", "lead_phone": ""}


def test_a_template_without_variables_lacks_nothing():
    lead = CampaignLeadFactory(campaign=template("We are open at 100 %, {really}.", []))

    assert by_sql(lead) == ({}, "We are open at 100 %, {really}.", [])


def test_a_value_that_looks_like_a_variable_stays_what_it_is():
    lead = CampaignLeadFactory(
        campaign=template(names=("lead_name", "first")), custom_variables={"lead_name": "{{2}} %s", "first": "'"}
    )

    assert by_sql(lead) == ({"1": "{{2}} %s", "2": "'"}, "Hi {{2}} %s, ' is open.", [])


NAMES = ("lead_name", "merchant_name", "lead_phone", "colour")
# What is stored was checked, so PostgreSQL can keep it; but names of people and merchants hold anything else.
WORDS = st.one_of(
    st.sampled_from(
        ["", " ", "Anna", "a  b", "a\tb", "x" * 1024, "x" * 1025, "\u00a0", "\u2003é\u3000", "{{1}}", "a\x07"]
    ),
    st.text(
        st.sampled_from(
            "a\t\n\x0b\x1c\x1f\x7f\x80\x85\x9f\xa0\xad\u1680\u180e\u2000\u2007\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
        ),
        max_size=4,
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20),
)
VALUES = st.dictionaries(st.sampled_from(NAMES), WORDS)


@pytest.fixture
def lead():
    return CampaignLeadFactory(campaign=template("A {{1}} b {{2}} c {{3}} d {{4}}.", NAMES))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(on_lead=VALUES, in_call=VALUES, defaults=VALUES, name=WORDS, merchant=WORDS)
def test_sql_and_python_resolve_alike(lead, on_lead, in_call, defaults, name, merchant):
    campaign, person = lead.campaign, lead.conversation_user
    campaign.variable_defaults, lead.custom_variables = defaults, on_lead
    CampaignLead.objects.filter(pk=lead.pk).update(custom_variables=on_lead)
    type(person).objects.filter(pk=person.pk).update(name=name[:200])
    type(campaign.account).objects.filter(pk=campaign.account_id).update(name=merchant[:200])
    person.name, campaign.account.name = name[:200], merchant[:200]

    numbered, body, missing = by_sql(lead, in_call)

    found = resolved(lead, in_call)
    assert missing == found["missing"]
    if not missing:
        assert numbered == by_number(campaign.variables, found["variables"])
        assert body == found["body"]


def resolved(lead, call):
    """As `preview`, for values that the door would have refused too."""
    from campaigns.content import body_of
    from campaigns.values import hydrate, resolve

    campaign = lead.campaign
    values, missing = resolve(
        list(campaign.variables.values()),
        lead=lead.custom_variables,
        call=call,
        model=model_values(campaign.account, lead.conversation_user),
        defaults=campaign.variable_defaults,
    )
    content, _ = hydrate(campaign.content_context, campaign.variables, values)
    return {"variables": values, "missing": missing, "body": body_of(campaign.content_type, content)}
