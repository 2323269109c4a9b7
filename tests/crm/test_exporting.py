"""A person's own file: everything that any table holds of them, and nothing of anybody else."""

import json

import pytest
from django.conf import settings
from django.core.signing import TimestampSigner

from accounts.roles import Role
from campaigns.models import Click, Message
from campaigns_project import jobs
from campaigns_project.models import AuditEntry
from crm import events
from crm.customers import consent, erasing, exporting
from tests.factories import (
    CampaignLeadFactory,
    CampaignLeadMessageFactory,
    ConversationUserFactory,
    CustomerFactory,
    DeliveryFactory,
    MarketingCampaignFactory,
    PromoFactory,
    PromoUseFactory,
)
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(api):
    return CustomerFactory(
        account=api.account, first_name="Zoë", email="anna@example.test", phone="+15550004711", attributes={"table": 7}
    )


def finished(api, customer):
    answer = api.post(f"/api/v1/customers/{customer.public_id}/export")
    assert answer.status_code == 202
    while jobs.run_due():
        pass
    return api.get(answer["Location"]).json()


def file_of(client, told):
    answer = client.get(told["result"]["download_url"])
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Content-Disposition"].startswith("attachment")
    raw = b"".join(answer.streaming_content)
    return json.loads(raw)


def test_everything_held_of_a_person_is_in_their_file_and_nobody_elses(api, anna, client):
    other = CustomerFactory(account=api.account, first_name="Bea", email="bea@example.test")
    for who in (anna, other):
        consent.withdraw(api.account, channel="email", address=who.email, source="till", proof={"said": who.first_name})
        events.record(api.account, type="page.viewed", event_id=who.first_name, email=who.email)
        PromoUseFactory(
            promo=PromoFactory(account=api.account), person=who.public_id, order_id=f"order-{who.first_name}"
        )
        campaign = MarketingCampaignFactory(account=api.account, name=f"News for {who.first_name}")
        DeliveryFactory(campaign=campaign, customer=who)
        person = ConversationUserFactory(account=api.account, phone=who.phone, customer=who, name=who.first_name)
        lead = CampaignLeadFactory(
            account=api.account, conversation_user=person, custom_variables={"n": who.first_name}
        )
        row = CampaignLeadMessageFactory(account=api.account, campaign_lead=lead, campaign=lead.campaign)
        Message.objects.create(
            account=api.account, conversation_user=person, direction="inbound", body=f"Hi from {who.first_name}"
        )
        Click.objects.create(account=api.account, message=row, url=f"https://e.com/{who.first_name}")

    told = finished(api, anna)
    held = file_of(client, told)

    assert (told["kind"], told["status"], told["done"]) == ("customer_export", "done", 1)
    assert (held["customer"]["first_name"], held["customer"]["attributes"]) == ("Zoë", {"table": 7})
    assert held["consent"][0]["proof"] == {"said": "Zoë"}
    assert [len(held[name]) for name in ("events", "suppressions", "promo_uses", "deliveries")] == [1, 1, 1, 1]
    assert held["whatsapp"][0]["messages"][0]["body"] == "Hi from Zoë"
    assert held["whatsapp"][0]["lists"][0]["custom_variables"] == {"n": "Zoë"}
    assert held["whatsapp"][0]["clicks"][0]["url"] == "https://e.com/Zoë"
    assert "Bea" not in json.dumps(held)
    assert not any(word in json.dumps(held) for word in ("account_id", "_hash"))
    entry = AuditEntry.objects.get(action="customer.export")
    assert (entry.actor, entry.target) == (api.user, anna.public_id)


def test_the_link_holds_for_an_hour_and_only_as_it_is(api, anna, client, monkeypatch):
    link = finished(api, anna)["result"]["download_url"]
    token = link.rpartition("/")[2]
    bad = [f"{exporting.DOWNLOAD}{each}" for each in ("x", token[:-1], TimestampSigner(salt="other").sign("1"))]

    assert {client.get(each).status_code for each in bad} == {404}
    file_of(client, {"result": {"download_url": link}})
    monkeypatch.setattr(exporting, "LINK_SECONDS", -1)
    assert client.get(link).status_code == 404


def test_an_export_goes_with_the_person(api, anna, client):
    link = finished(api, anna)["result"]["download_url"]
    later = exporting.export(anna, by=api.user)

    erasing.erase(anna, by=api.user)
    jobs.run_due()

    later.refresh_from_db()
    assert client.get(link).status_code == 404
    assert later.status == "failed"
    assert api.post(f"/api/v1/customers/{anna.public_id}/export").status_code == 404


def test_a_neighbour_has_nothing_to_export(neighbour, anna):
    assert neighbour.post(f"/api/v1/customers/{anna.public_id}/export").status_code == 404


def test_who_may_write_customers_may_export_them(api, anna):
    marketing = caller(Role.MARKETING, account=api.account)

    assert marketing.post(f"/api/v1/customers/{anna.public_id}/export").status_code == 202
    assert settings.PRIVATE_FILES_DIR
