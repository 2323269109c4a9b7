"""Merchants' worlds for tests of pages: an account that can send, broadcasts on their way, pages as other roles."""

from django.test import Client

from accounts.models import Connection
from campaigns import drafting, leads
from campaigns.models import Broadcast
from tests.factories import (
    BroadcastFactory,
    CampaignFactory,
    CampaignLeadMessageFactory,
    ConnectionFactory,
    MembershipFactory,
)

NOBODYS = 7_654_321


def role_page(account, role):
    """The pages as somebody with this role in the account sees them."""
    return page_of(MembershipFactory(account=account, role=role).user)


def page_of(user):
    client = Client()
    client.force_login(user)
    return client


def ready_template(account, people=3, **fields):
    """An approved template with a working number and people on its list."""
    if not Connection.objects.for_account(account).exists():
        ConnectionFactory(account=account)
    campaign = CampaignFactory(account=account, status="approved", **fields)
    add(campaign, people)
    return campaign


def add(campaign, people, start=1):
    if people:
        number = f"+1666{campaign.pk % 1000:03d}"
        leads.add(campaign, [{"phone_number": f"{number}{n:04d}"} for n in range(start, start + people)])


def draft(account, people=3, **fields):
    """A draft in the wizard."""
    return drafting.begin(ready_template(account, people, **fields), by=None)


def running(account, *statuses, status="sending", **fields):
    """A broadcast with one person in each of these statuses."""
    broadcast = BroadcastFactory(account=account, status=status, **fields)
    Broadcast.objects.filter(pk=broadcast.pk).update(started_at=broadcast.created_at)
    broadcast.rows = [
        CampaignLeadMessageFactory(account=account, broadcast=broadcast, status=each)
        for each in statuses or ("read", "skipped", "failed", "queued")
    ]
    return broadcast


def said(response):
    """What was flashed on the page that the form led to."""
    return [str(message) for message in response.context["messages"]]
