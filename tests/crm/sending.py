"""A marketing campaign that is on its way, for tests: everybody where it is noon, so that nobody sleeps."""

from uuid import uuid4

from django.utils import timezone

from crm.customers import consent
from crm.models import Delivery, DeliveryAttempt
from lifecycle import leases
from tests.factories import (
    AccountFactory,
    ConnectionFactory,
    CustomerFactory,
    DeliveryFactory,
    MarketingCampaignFactory,
    in_state,
)
from tests.gate import asked


def where_it_is(hour):
    """A time zone where it is now that hour of the day, to the hour."""
    ahead = (hour - timezone.now().hour + 12) % 24 - 12
    return f"Etc/GMT{-ahead:+d}" if ahead else "UTC"


class Sent:
    """An active SMS campaign to so many people who agreed."""

    def __init__(self, people, *, channel="sms", account=None, **fields):
        self.account = account or AccountFactory()
        self.campaign = MarketingCampaignFactory(account=self.account, channels=[channel], **fields)
        self.customers = [self.person(channel) for _ in range(people)]
        self.rows = [self.row(customer) for customer in self.customers]
        in_state(self.campaign, "active")
        self.lease()

    def person(self, channel, **fields):
        customer = CustomerFactory(account=self.account, **{"email": f"{uuid4().hex}@example.test", **fields})
        consent.grant(
            self.account,
            channel=channel,
            address=consent.address_of(customer, channel),
            source="test",
            customer=customer,
        )
        return customer

    def row(self, customer, zone=None):
        return DeliveryFactory(campaign=self.campaign, customer=customer, time_zone=zone or where_it_is(12))

    def lease(self):
        channel = self.campaign.channels[0]
        leases.make(
            f"crm_{channel}", account_id=self.account.pk, scope_id=self.campaign.pk, table=Delivery._meta.db_table,
            where_sql="campaign_id = %(campaign)s", params={"campaign": self.campaign.pk},
        )  # fmt: skip

    def statuses(self):
        rows = Delivery.objects.of(self.campaign).order_by("id")
        return [(row.status, row.skip_reason or row.error_code) for row in rows]

    def attempts(self):
        rows = DeliveryAttempt.objects.filter(row__campaign=self.campaign).order_by("id")
        return list(rows.values_list("state", flat=True))


def connect_twilio(account):
    return ConnectionFactory(account=account, rate_per_second=0, sms_sender=f"+1777{account.pk % 10**7:07d}")


def verdicts(*campaigns):
    """What the gate says of every row now, in the order of rows; nothing is kept."""
    return asked("crm_sms", Delivery.objects.filter(campaign__in=[each.campaign for each in campaigns]))
