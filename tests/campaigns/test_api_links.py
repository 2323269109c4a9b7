"""Links and media as people and WhatsApp open them, and Twilio's two doors in their places."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from campaigns import media, redirects
from campaigns.models import Click
from campaigns.sending import callback_mac
from tests.factories import CampaignFactory, CampaignLeadMessageFactory
from tests.providers.test_images import picture

pytestmark = pytest.mark.django_db
BASE = "/api/v1/campaign"


def test_a_link_leads_on_and_the_click_is_recorded(client):
    message = CampaignLeadMessageFactory()
    address = redirects.link_for(message, "https://example.com/menu").partition("8000")[2]

    answer = client.get(address, headers={"user-agent": "Phone"})

    assert (answer.status_code, answer["Location"]) == (302, "https://example.com/menu")
    assert [(click.message_id, click.user_agent) for click in Click.objects.all()] == [(message.pk, "Phone")]
    assert client.get(f"{BASE}/redirect/{message.pk}").status_code == 404
    assert client.get(f"{BASE}/redirect/{message.pk}-0.forged").json()["code"] == "NOT_FOUND"


def test_media_are_for_their_owner_and_for_holders_of_the_signed_address(api, neighbour, client):
    campaign = CampaignFactory(account=api.account)
    path = media.store(api.account, campaign.pk, SimpleUploadedFile("x.png", picture("PNG"), "image/png"))
    address = f"{BASE}/media/{path}"

    owner = api.get(address)

    assert (b"".join(owner)[:4], owner["Content-Type"]) == (b"\x89PNG", "image/png")
    assert neighbour.get(address).status_code == 404
    assert client.get(address).status_code == 401
    assert client.get(f"{address}?signature=forged").status_code == 404
    assert b"".join(client.get(media.address(path).partition("8000")[2]))[:4] == b"\x89PNG"
    assert client.get(f"{BASE}/media/1/{campaign.pk}/../x?signature=a").status_code == 404


@pytest.mark.parametrize("slash", ["", "/"])
def test_twilio_is_answered_outside_the_api(client, slash):
    attempt = "0b6f6a34-2a5c-4f7e-8a55-7d5d3b6a1c11"
    status = f"{BASE}/webhooks/twilio/status/{attempt}{slash}?m={callback_mac(attempt)}"
    form = {"content_type": "application/x-www-form-urlencoded", "data": "AccountSid=AC1"}

    assert client.post(status, **form).json()["code"] == "UNAUTHORIZED"
    assert client.post(f"{BASE}/webhooks/twilio/inbound{slash}", **form).json()["code"] == "UNAUTHORIZED"
    assert client.get(f"{BASE}/webhooks/twilio/inbound{slash}").json()["code"] == "METHOD_NOT_ALLOWED"
