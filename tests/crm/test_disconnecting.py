"""A provider let go: nothing of it is kept, what needs it pauses and says why, and its webhooks are refused."""

import pytest

from accounts.models import Connection
from accounts.roles import Role
from campaigns_project.models import AuditEntry
from crm.marketing.calling import callback_mac
from crm.models import MarketingCampaign
from dispatch.models import WebhookConnection, WebhookSecret
from tests.crm.marketing_world import connected, launched, stands
from tests.crm.sending import connect_twilio
from tests.crm.webhook_world import OPENED, says
from tests.crm.webhook_world import connected as heard
from tests.factories import AccountFactory, BroadcastFactory, DeliveryAttemptFactory
from tests.fixtures_http import caller
from tests.operators_world import address, operator

pytestmark = pytest.mark.django_db
PREFIX = "/api/v1/marketing/webhooks"


def drop(api, provider="sendgrid"):
    return api.delete(f"{PREFIX}/{provider}/secret")


def test_its_credentials_are_forgotten_and_its_webhooks_refused(api, client):
    hears, other = heard(account=api.account), AccountFactory()
    connected(api.account)
    connect_twilio(other)

    assert says(client, hears, OPENED).status_code == 200
    assert drop(api).status_code == 204
    assert drop(api).status_code == 204

    assert says(client, hears, OPENED).status_code == 401
    assert (WebhookConnection.objects.count(), WebhookSecret.objects.count()) == (0, 0)
    assert sorted(Connection.objects.values_list("provider", flat=True)) == ["twilio", "twilio"]
    listed = api.get(PREFIX).json()["providers"]
    assert listed[0] == {"id": "sendgrid", "name": "SendGrid", "status": "disconnected"}
    assert AuditEntry.objects.filter(action="disconnect", actor=api.user).count() == 2


def test_what_is_sent_through_it_pauses_and_says_why(api):
    by_mail = launched(api.account, channels=["email", "sms"])
    by_sms = launched(api.account, channels=["sms"], name="SMS")
    broadcast = BroadcastFactory(account=api.account, status="sending")

    drop(api)

    assert (stands(by_mail), stands(by_sms)) == ("paused", "active")
    last = MarketingCampaign.machine.moves.objects.filter(row_id=by_mail.pk).order_by("-id").first()
    assert (last.reason, last.by_id) == ("SendGrid was disconnected", api.user.pk)
    broadcast.refresh_from_db()
    assert broadcast.status == "sending"

    drop(api, "twilio")
    broadcast.refresh_from_db()
    assert (stands(by_sms), broadcast.status) == ("paused", "paused")


def test_it_goes_on_only_when_it_is_connected_again(api):
    campaign = launched(api.account, channels=["email"])
    drop(api)
    status = f"/api/v1/marketing/campaigns/{campaign.public_id}/status"

    refused = api.patch(status, json={"status": "active"})
    assert (refused.status_code, refused.json()["code"]) == (409, "campaign_not_ready")
    assert list(refused.json()["details"]) == ["connection.email"]

    connected(api.account)
    assert api.patch(status, json={"status": "active"}).json()["status"] == "active"
    assert api.put(f"{PREFIX}/sendgrid/secret", json={}).status_code == 200


def test_a_late_report_of_a_provider_that_is_gone_does_not_bring_it_back(api, client):
    attempt = DeliveryAttemptFactory(row__account=api.account, state="accepted")
    query = f"attempt={attempt.uuid}&m={callback_mac(attempt.uuid)}"

    answer = client.post(f"{PREFIX}/twilio?{query}", {"MessageSid": "SM1", "MessageStatus": "delivered"})

    assert (answer.status_code, WebhookConnection.objects.count()) == (401, 0)


@pytest.mark.parametrize(
    ("role", "provider", "status"), [(Role.MANAGER, "sendgrid", 403), (Role.TENANT_ADMIN, "acme", 404)]
)
def test_who_may_not_and_what_is_none_change_nothing(api, role, provider, status):
    connected(api.account)

    assert drop(caller(role, account=api.account), provider).status_code == status
    assert Connection.objects.filter(account=api.account, provider="sendgrid").exists()


def test_the_page_says_what_stops_before_it_does(api, page):
    launched(api.account, channels=["email"], name="Winter sale")
    at = "/integrations/sendgrid"

    assert f'href="{at}/disconnect"' in page.get(at).content.decode()
    asked = page.get(f"{at}/disconnect").content.decode()
    assert ("Winter sale" in asked, "WhatsApp broadcasts" in asked) == (True, False)
    done = page.post(f"{at}/disconnect", follow=True).content.decode()

    assert "SendGrid is disconnected." in done
    assert f"{at}/disconnect" not in done
    assert "No marketing campaign" not in page.get(f"{at}/disconnect").content.decode()


@pytest.mark.parametrize("model", ["accounts_connection", "dispatch_webhookconnection"])
def test_an_operator_lets_it_go_with_a_reason(client, model):
    account = connected(AccountFactory())
    hears = heard("twilio", account=account)
    row = hears if model.startswith("dispatch") else Connection.objects.get(account=account, provider="twilio")

    operator(client).post(address(row, "act", "disconnect"), {"reason": "stolen"})

    assert not Connection.objects.filter(account=account, provider="twilio").exists()
    assert not WebhookConnection.objects.exists()
    assert AuditEntry.objects.filter(action="disconnect", reason="stolen").exists()
