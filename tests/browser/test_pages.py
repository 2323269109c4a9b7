"""Every page of the merchant's, in every look: the world is made once, each page is a test."""

import pytest
from django.core.management import call_command
from playwright.sync_api import expect

from campaigns.models import Message
from campaigns_project.models import Job
from crm import events
from crm.audiences import refreshing
from crm.customers import consent
from crm.offers import redeeming
from tests.browser.checks import assert_well_made
from tests.campaigns.pages_world import draft, running
from tests.crm import marketing_world
from tests.crm.catalogue_world import ProductFactory, VariantFactory
from tests.factories import (
    BroadcastFactory,
    CampaignFactory,
    CustomerFactory,
    PromoFactory,
    SegmentFactory,
    WebhookDeliveryFactory,
    WebhookEndpointFactory,
)
from tests.fixtures_http import caller

pytestmark = pytest.mark.browser
PLANNED = {"audience": 5, "skips": {"opted_out": 2}, "estimated_cost": {"amount": 35, "currency": "USD"}}
STATUSES = ("read", "delivered", "sent", "sending", "queued", "skipped", "failed", "undelivered")
# Without a name of its own a page could be shown for another.
PAGES = {
    "/": "Merchant",
    "/campaigns": "Campaigns",
    "/campaigns/new": "What do you want to send?",
    "/campaigns/wa_{moving}": "autumn",
    "/campaigns/wa_{moving}/people": "People",
    "/campaigns/wa_{moving}/people/{message}": "Lead",
    "/campaigns/wa_{moving}/confirm/cancel": "Stop for good?",
    "/campaigns/wa_{paused}": "autumn",
    "/campaigns/wa_{paused}/confirm/resume": "Send 1 message?",
    "/campaigns/wa_{scheduled}": "autumn",
    "/campaigns/wa_{draft}/edit/audience": "Who gets it?",
    "/campaigns/wa_{draft}/edit/template": "What do they get?",
    "/campaigns/wa_{draft}/edit/personalise": "Make it theirs",
    "/campaigns/wa_{draft}/edit/review": "Review and send",
    "/templates": "Templates",
    "/templates/new": "New template",
    "/templates/{template}": "autumn",
    "/templates/{rejected}": "autumn",
    "/templates/{template}/people": "On the list of autumn",
    "/templates/{template}/confirm/archive": "Archive?",
    "/people": "People",
    "/people/{person}": "Lead",
    "/people/customers": "Customers",
    "/people/{customer}": "Anna",
    "/funnels": "Onboarding funnel",
    "/audiences": "Audiences",
    "/audiences/new": "Who is it for?",
    "/audiences/new?by=hand": "Who is in it is up to you",
    "/audiences/import": "Import an audience",
    "/audiences/limits": "How many at once",
    "/audiences/{segment}": "Gold",
    "/audiences/{segment}/edit": "Change Gold",
    "/products": "Products",
    "/products/new": "New product",
    "/products/orders": "Orders",
    "/products/import": "Import products",
    "/products/{product}": "Yirgacheffe",
    "/promos": "Promos",
    "/promos/new": "New promo",
    "/promos/{promo}": "WELCOME20",
    "/settings/email": "E-mail",
    "/settings/push": "Push",
    "/settings/shopify": "Shopify",
    "/integrations": "Integrations",
    "/integrations/sendgrid": "SendGrid",
    "/campaigns/new/marketing": "E-mail, SMS and push",
    "/campaigns/{marketing}": "Flash Sale",
    "/campaigns/{marketing}/people": "People",
    "/campaigns/{marketing}/people/{reached}": "Guest",
    "/campaigns/{marketing}/confirm/pause": "Pause?",
    "/campaigns/{written}/edit/audience": "Who gets it?",
    "/campaigns/{written}/edit/content": "What do they read?",
    "/campaigns/{written}/edit/offer": "When, and with what offer?",
    "/campaigns/{written}/edit/review": "Review and launch",
    "/settings/webhooks": "Webhooks",
    "/settings/webhooks/new": "Where shall we tell it?",
    "/settings/webhooks/{endpoint}": "https://shop.example.com/webhooks",
    "/settings/webhooks/{endpoint}/confirm/secret": "Make another secret?",
    "/jobs/{job}": "Reading your file",
}


@pytest.fixture(scope="module")
def lasting_db(django_db_setup, django_db_blocker):
    """What is written stays to the end of this file: pages are only looked at, and one world does for all."""
    with django_db_blocker.unblock():
        yield
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture
def transactional_db(lasting_db):
    """The pages that are served see the lasting world, and nobody empties it after each."""


@pytest.fixture(scope="module")
def api(lasting_db):
    return caller()


@pytest.fixture(scope="module")
def world(api):
    """An account in which everything is alive; the ids that the addresses of PAGES name."""
    being_written = draft(api.account, people=30)
    moving = running(api.account, *STATUSES * 13)
    paused = running(api.account, "queued", "sending")
    paused.pause(by=None, reason="refused by Twilio: 63001")
    scheduled = BroadcastFactory(account=api.account, status="scheduled", preflight=PLANNED)
    rejected = CampaignFactory(account=api.account, status="rejected")
    type(rejected).objects.filter(pk=rejected.pk).update(rejection_reason="The body ends in a variable.")
    person = moving.rows[0].conversation_user
    for direction in ("outbound", "inbound"):
        Message.objects.create(account=api.account, conversation_user=person, direction=direction, body="Hello")
    job = Job.objects.create(account=api.account, kind="x", status="done", total=9, done=8, failed=1, errors_file="x")
    return {
        "draft": being_written.pk, "moving": moving.pk, "paused": paused.pk, "scheduled": scheduled.pk,
        "message": moving.rows[0].pk, "template": being_written.campaign_id, "rejected": rejected.pk,
        "person": person.pk, "customer": known(api.account).public_id, "job": job.public_id,
        "segment": gold(api.account).public_id, "promo": used_promo(api.account).code,
        "endpoint": told(api.account).public_id,
        **marketing(api.account), "product": sold(api.account).public_id,
    }  # fmt: skip


def marketing(account):
    """A marketing campaign under way with somebody in doubt, and one that is being written."""
    moving = marketing_world.launched(account, *STATUSES[:5], "failed", channels=["email"])
    marketing_world.in_doubt(next(row for row in moving.rows if row.status == "sent"))
    written = marketing_world.draft(account, segment=moving.segment, content=marketing_world.WORDS)
    return {"marketing": moving.public_id, "reached": moving.rows[0].pk, "written": written.public_id}


def known(account):
    """A customer of whom everything is known."""
    anna = CustomerFactory(
        account=account, first_name="Anna", email="anna@example.test", loyalty_tier="gold", tags=["regular"],
        attributes={"table": 7},
    )  # fmt: skip
    consent.grant(account, channel="email", address=anna.email, source="form")
    consent.withdraw(account, channel="sms", address=anna.phone, source="form")
    events.record(
        account, type="order.completed", event_id="o-1", customer_id=anna.pk, value_minor=4680, currency="USD"
    )
    return anna


def gold(account):
    """An audience with somebody in it, for whom there is a code."""
    segment = SegmentFactory(account=account, type="dynamic", name="Gold")
    PromoFactory(account=account, code="GOLD", segment=segment)
    refreshing.refresh(segment)
    return segment


def sold(account):
    """A product with a variant."""
    product = ProductFactory(account=account, external_id="coffee", name="Yirgacheffe")
    VariantFactory(product=product)
    return product


def used_promo(account):
    """A promo with an order of each kind."""
    promo = PromoFactory(account=account, code="WELCOME20", value=2000, usage_limit=100, budget=500_00)
    for order in ("o-1", "o-2"):
        redeeming.redeem(account, promo.code, redeeming.Basket("anna", 46_80, order))
    redeeming.reserve(account, promo.code, redeeming.Basket("bert", 20_00, "o-3"), seconds=900)
    redeeming.rollback(account, promo.uses.get(order_id="o-2").public_id)
    return promo


def told(account):
    """An address of the merchant's that fails, with a message of each kind."""
    endpoint = WebhookEndpointFactory(account=account, failing_since="2026-11-20T10:00Z", description="The shop")
    ended = {"next_try_at": None, "duration_ms": 87}
    WebhookDeliveryFactory(endpoint=endpoint, **ended, response_code=204, delivered_at="2026-11-20T10:00Z", tries=1)
    WebhookDeliveryFactory(endpoint=endpoint, **ended, response_code=500, response_body="<h1>Oops</h1> " * 40, tries=12)
    WebhookDeliveryFactory(endpoint=endpoint, type="consent.withdrawn", tries=3, error="No connection: OSError.")
    return endpoint


@pytest.mark.parametrize(("path", "heading"), PAGES.items(), ids=PAGES)
def test_a_page_is_well_made(merchant_page, world, path, heading):
    page = merchant_page(path.format(**world))

    expect(page.locator("h1").first).to_contain_text(heading)
    assert_well_made(page)
