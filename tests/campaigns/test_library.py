import pytest

from campaigns.content import body_of, clean, clean_language, clean_name, warnings
from campaigns.library import (
    DEFAULT_CAMPAIGNS,
    DEFAULT_COMMERCE_CAMPAIGNS,
    CommerceDefaultCampaigns,
    DefaultCampaigns,
)
from campaigns.values import check_values
from campaigns.variables import CampaignVariableType, number, validate
from campaigns_project.refusals import Invalid

EVERY = DEFAULT_CAMPAIGNS + DEFAULT_COMMERCE_CAMPAIGNS


def test_the_names_are_the_seeds_in_its_order():
    assert [definition["name"] for definition in DEFAULT_CAMPAIGNS] == DefaultCampaigns.values
    assert [definition["name"] for definition in DEFAULT_COMMERCE_CAMPAIGNS] == CommerceDefaultCampaigns.values
    assert (len(DEFAULT_CAMPAIGNS), len(EVERY)) == (5, 23)


@pytest.mark.parametrize("definition", EVERY, ids=lambda definition: definition["name"])
def test_a_built_in_template_keeps_every_rule(definition):
    content = clean(definition["content_type"], definition["content_context"])
    numbered, variables = number(content)

    validate(numbered, variables, campaign_type=definition["campaign_type"])
    assert warnings(content) == []
    assert content == definition["content_context"]
    assert body_of(definition["content_type"], content)
    assert clean_name(definition["name"]) == definition["name"]
    assert clean_language(definition["language"]) == "en"
    assert set(variables.values()) <= set(CampaignVariableType.values)
    assert check_values(definition["variable_defaults"], variables={}, allowed=variables.values())


def test_the_basic_ones_need_no_shop():
    names = {name for each in DEFAULT_CAMPAIGNS for name in number(each["content_context"])[1].values()}

    assert names.isdisjoint(CampaignVariableType.COMMERCE)


def test_a_template_about_orders_may_not_be_marketing():
    with pytest.raises(Invalid):
        validate(*number(DEFAULT_COMMERCE_CAMPAIGNS[4]["content_context"]), campaign_type="marketing")
