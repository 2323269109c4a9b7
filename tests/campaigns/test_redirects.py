"""Signed links lead to what was stored with the message, and nowhere else; clicks are written down."""

import pytest

from campaigns import redirects
from campaigns.models import CampaignLeadMessage, Click
from campaigns_project.refusals import Invalid, NotFound
from crm.models import Event
from tests.factories import AccountFactory, CampaignLeadMessageFactory

pytestmark = pytest.mark.django_db
MENU, SHOP = "https://example.com/menu?a=1", "http://example.com/shop"


def token_of(link):
    return link.rpartition("/")[2]


def test_a_link_leads_to_its_address_and_the_click_is_recorded():
    message = CampaignLeadMessageFactory()
    token = token_of(redirects.link_for(message, MENU))

    assert redirects.follow(token, user_agent="Phone\x00\ud800" + "x" * 400) == MENU

    click = Click.objects.get()
    assert (click.message, click.url, click.user_agent) == (message, MENU, "Phone  " + "x" * 293)
    event = Event.objects.for_account(message.account).get()
    assert (event.type, event.phone, event.properties) == (
        "message.clicked",
        message.phone,
        {"message_id": message.pk, "url": MENU},
    )


def test_the_first_click_is_the_one_the_message_shows():
    message = CampaignLeadMessageFactory()
    token = token_of(redirects.link_for(message, MENU))
    seen = set()

    for _ in range(2):
        redirects.follow(token)
        seen.add(CampaignLeadMessage.objects.get(pk=message.pk).clicked_at)

    assert (len(seen), None in seen, Click.objects.count(), Event.objects.count()) == (1, False, 2, 2)


def test_a_message_keeps_its_links_in_order_and_each_once():
    message = CampaignLeadMessageFactory(context={"body": "Hi"})

    links = [redirects.link_for(message, url) for url in (MENU, SHOP, MENU)]

    assert links[0] == links[2]
    assert message.context == {"body": "Hi", "links": [MENU, SHOP]}
    assert [redirects.follow(token_of(link)) for link in links] == [MENU, SHOP, MENU]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//example.com", "http://127.0.0.1/", SHOP + "/" + "x" * 2000])
def test_only_addresses_of_the_web_are_stored(url):
    with pytest.raises(Invalid):
        redirects.link_for(CampaignLeadMessageFactory(), url)


@pytest.mark.parametrize("spoil", [lambda token: token[:-1], lambda token: "9" + token, lambda token: token + "\u0661"])
def test_a_token_with_one_character_changed_leads_nowhere(spoil):
    token = token_of(redirects.link_for(CampaignLeadMessageFactory(), MENU))

    with pytest.raises(NotFound):
        redirects.follow(spoil(token))
    assert not Click.objects.exists()


@pytest.mark.parametrize("context", [None, {}, {"links": "x"}, {"links": [7, "javascript:alert(1)"]}])
def test_nothing_but_stored_addresses_of_the_web_is_led_to(context):
    message = CampaignLeadMessageFactory()
    token = token_of(redirects.link_for(message, MENU))
    CampaignLeadMessage.objects.filter(pk=message.pk).update(context=context)

    with pytest.raises(NotFound):
        redirects.follow(token)


@pytest.mark.parametrize("allowed", [True, False])
def test_a_bare_number_leads_on_only_where_the_account_allows_it(allowed):
    message = CampaignLeadMessageFactory(account=AccountFactory(numeric_redirects=allowed))
    redirects.link_for(message, MENU)

    if allowed:
        assert redirects.follow(str(message.pk)) == MENU
    else:
        with pytest.raises(NotFound):
            redirects.follow(str(message.pk))


@pytest.mark.parametrize("token", ["", "0", "999999999", "9" * 30, "\u0661", "1-0.x", "../x", "%00", "\x00"])
def test_any_other_token_is_not_found(token):
    with pytest.raises(NotFound):
        redirects.follow(token)
