"""An account with an audience of real names, and marketing campaigns in every state, for tests of pages."""

from accounts.connections import connect
from accounts.models import Connection
from crm.audiences import segments
from crm.customers import consent
from crm.marketing import launching
from crm.models import Delivery, MarketingCampaign
from tests.crm.sending import connect_twilio
from tests.factories import CustomerFactory, DeliveryAttemptFactory, MarketingCampaignFactory, SegmentFactory, in_state

WORDS = {
    "subject": "25% off, {{first_name|friend}}",
    "body": "Today only, {{first_name|friend}}, with {{promo_code|no code}}.",
    "cta_text": "Shop now",
    "cta_url": "https://order.example.com/?promo=FLASH25",
}
LONGEST = "Wilhelmina-Alexandra Theodora"


def connected(account):
    """It may send e-mail and SMS."""
    if not Connection.objects.for_account(account).filter(provider="twilio").exists():
        connect_twilio(account)
    secret = {"api_key": "SG.fake-key"}
    connect(account, "sendgrid", external_id=f"key{account.pk}", sender="shop@example.com", secret=secret, by=None)
    return account


def audience(account, people=3, *, name="Regulars"):
    """People who agreed to e-mail and SMS, the second with the longest name, and one who agreed to nothing."""
    segment = SegmentFactory(account=account, name=name)
    for number in range(people):
        first = LONGEST if number == 1 else f"Guest {number}"
        customer = CustomerFactory(account=account, first_name=first, email=f"g{number}.{segment.pk}@example.test")
        for channel in ("email", "sms"):
            address = consent.address_of(customer, channel)
            consent.grant(account, channel=channel, address=address, source="test", customer=customer)
        segments.add_known(segment, [customer.pk])
    silent = CustomerFactory(account=account, first_name="Silent", email=f"s.{segment.pk}@example.test")
    segments.add_known(segment, [silent.pk])
    segment.refresh_from_db()
    return segment


def draft(account, **fields):
    """Ready to be launched, unless a fact says otherwise."""
    fields = {"name": "Flash Sale", "channels": ["sms", "email"], "content": WORDS, **fields}
    fields.setdefault("segment", audience(account) if fields.get("segment", 1) else None)
    return MarketingCampaignFactory(account=account, **fields)


def launched(account, *statuses, **fields):
    """Active, with people in these states."""
    campaign = draft(connected(account), **{"segment": audience(account, max(len(statuses), 1)), **fields})
    launching.launch(campaign, by=None)
    rows = list(Delivery.objects.of(campaign).queued().order_by("pk"))
    for row, status in zip(rows, statuses, strict=False):
        in_state(row, status)
    campaign.rows = list(Delivery.objects.of(campaign).order_by("pk"))
    return campaign


def in_doubt(row):
    """Nobody knows whether it was sent."""
    return DeliveryAttemptFactory(row=row, state="unknown")


def stands(campaign):
    return MarketingCampaign.objects.get(pk=campaign.pk).status
