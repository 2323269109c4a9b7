"""The demo: alive at once, and filled in once."""

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Account, Connection, User
from campaigns.models import Broadcast, Campaign, CampaignLeadMessage, CampaignStatus
from campaigns_project import demo, demo_campaigns, demo_coupons, jobs
from coupons.models import Coupon, CouponCampaign, CouponUse
from crm.marketing import metrics
from crm.models import Customer, Delivery, MarketingCampaign
from providers.sandbox.mail.events import PUBLIC_KEY

pytestmark = pytest.mark.django_db


@pytest.fixture
def small(sandbox, settings, monkeypatch):
    settings.TWILIO_CONTENT_URL = settings.TWILIO_API_URL = sandbox.url
    settings.SENDGRID_API_URL = f"{sandbox.url}/v3"
    monkeypatch.setattr(demo, "PEOPLE", 50)
    monkeypatch.setattr(demo_campaigns, "PEOPLE", 40)
    return sandbox


def shop():
    return Account.objects.get(name="Harbor Coffee")


def counted():
    models = (Account, User, Campaign, Broadcast, CampaignLeadMessage, Customer, MarketingCampaign, Delivery)
    models += (CouponCampaign, CouponUse)
    return {model.__name__: model.objects.count() for model in models}


def test_the_demo_shows_every_state_and_is_filled_in_once(small, client):
    call_command("demo")
    first = counted()
    call_command("demo")

    own = Campaign.objects.for_account(shop())
    assert counted() == first
    assert set(own.values_list("status", flat=True)) == set(CampaignStatus.values)
    broadcasts = Broadcast.objects.for_account(shop())
    assert sorted(broadcasts.values_list("status", flat=True)) == ["completed", "paused", "sending"]
    finished = CampaignLeadMessage.objects.of(broadcasts.get(status="completed"))
    assert set(finished.values_list("status", flat=True)) == {
        *("sent", "delivered", "read", "undelivered", "failed"),
        "skipped",
    }
    for email in ("merchant@demo.test", "neighbour@demo.test", "operator@demo.test"):
        assert client.login(username=email, password=demo.PASSWORD)


def test_a_new_broadcast_starts_when_none_is_on_its_way(small):
    call_command("demo")
    for _ in range(2):
        Broadcast.objects.sending().transition("cancel")
        call_command("demo")

    one = Broadcast.objects.sending().get()
    assert (one.campaign.name, one.campaign.campaign_type, one.rate_per_second) == (demo.AGAIN, "service", 20)
    assert CampaignLeadMessage.objects.of(one).queued().count() == 48


def test_the_demo_is_not_filled_in_beside_a_real_provider(settings):
    settings.TWILIO_API_URL = "https://api.twilio.com"

    with pytest.raises(CommandError, match="only filled in where providers are the sandbox"):
        call_command("demo")


@pytest.mark.parametrize(
    ("refused", "said"), [({"status_500": 1.0}, "does not take"), ({"approve_after_ms": 60_000}, "has not approved")]
)
def test_a_sandbox_that_does_not_play_along_is_told(small, monkeypatch, refused, said):
    small.settings(**refused)
    monkeypatch.setattr(demo, "PATIENCE", 0.3)

    with pytest.raises(CommandError, match=said):
        call_command("demo")
    assert not Broadcast.objects.exists()


def test_the_shop_sends_by_every_channel_of_the_sandbox(small):
    call_command("demo")
    connections = {each.provider: each for each in Connection.objects.for_account(shop())}

    assert connections["twilio"].sms_sender == "+14155238886"
    assert connections["sendgrid"].secret["webhook_public_key"] == PUBLIC_KEY


def test_a_marketing_campaign_is_over_with_orders_and_one_is_under_way(small):
    call_command("demo")
    own = {each.name: each for each in MarketingCampaign.objects.for_account(shop())}

    letter = metrics.sums([own[demo_campaigns.LETTER]])[own[demo_campaigns.LETTER].pk]
    assert {name: each.status for name, each in own.items()} == {
        demo_campaigns.LETTER: "completed", demo_campaigns.TASTING: "active",
    }  # fmt: skip
    assert letter["sent"] > letter["delivered"] > letter["opened"] > letter["clicked"] > letter["converted"] > 0
    assert letter["revenue_minor"] == 1_850 * letter["converted"]
    assert set(Delivery.objects.of(own[demo_campaigns.TASTING]).values_list("channel", "status")) >= {
        ("email", "queued"), ("email", "skipped"),
    }  # fmt: skip


def test_coupons_of_every_kind_are_made_and_used(small):
    call_command("demo")
    while jobs.run_due():
        pass
    own = {each.name: each for each in CouponCampaign.objects.for_account(shop())}

    assert {name: (each.kind, each.status) for name, each in own.items()} == {
        demo_coupons.WELCOME: ("single-use", "active"), demo_coupons.MENU: ("group", "active"),
        demo_coupons.LUNCH: ("lightning", "active"), demo_coupons.SUMMER: ("group", "inactive"),
    }  # fmt: skip
    assert Coupon.objects.filter(campaign=own[demo_coupons.WELCOME]).count() == demo_coupons.CODES
    assert own[demo_coupons.MENU].used == demo_coupons.ORDERS[demo_coupons.SHARED]
