"""From one second after somebody opted out, however they did it, no call to them starts on that channel."""

import json
import time

import pytest
import requests
from django.conf import settings
from django.utils import timezone

from accounts.models import Connection
from accounts.roles import Role
from accounts.tokens import issue
from crm.marketing import links
from tests.crash.channels import SANDBOXED, connected, sender_of, subscribe
from tests.crm import webhook_world
from tests.crm.sending import Sent
from tests.factories import MembershipFactory

pytestmark = pytest.mark.crash
PEOPLE, LEAVING, RATE = 320, 12, 40
GRACE_SECONDS, WATCHED_SECONDS = 1.0, 2.5


@pytest.fixture(scope="module")
def world(worlds):
    # A push service knows no rate: few connections and a slow answer make 40 a second.
    with worlds(durable=False, PUSH_CONNECTIONS="4") as world:
        world.keep_web()
        yield world


def by_the_api(world, sent, channel, customers):
    token = issue(MembershipFactory(account=sent.account, role=Role.TENANT_ADMIN))
    said = {"channel": channel, "purpose": "marketing", "granted": False, "source": "call"}
    for customer in customers:
        where = f"{world.web}/api/v1/customers/{customer.public_id}/consent"
        answer = requests.put(where, json=said, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        assert answer.status_code == 200, answer.text
        yield customer, time.time()


def by_stop(world, sent, _channel, customers):
    twilio = Connection.objects.get(account=sent.account)
    for customer in customers:
        answer = world.write(sender=customer.phone, to=twilio.sms_sender, body="STOP", account_sid=twilio.external_id)
        assert answer["status"] == 200, world.last_words()
        yield customer, time.time()


def by_the_link(world, sent, _channel, customers):
    for customer in customers:
        # As a mail program does it (RFC 8058), on the address of this world.
        link = links.out_url(sent.campaign.deliveries.get(customer=customer).pk)
        where = link.replace(settings.PUBLIC_BASE_URL, world.web)
        answer = requests.post(where, data={"List-Unsubscribe": "One-Click"}, timeout=30)
        assert answer.status_code == 200, answer.text
        yield customer, time.time()


def by_the_provider(world, sent, _channel, customers):
    secret = f"a secret of account {sent.account.pk}"
    where = f"{world.web}{webhook_world.path_of(webhook_world.connected(account=sent.account, secret=secret))}"
    for customer in customers:
        event = {"event_type": "email.unsubscribed", "email": customer.email, "campaign_id": sent.campaign.public_id}
        body = json.dumps(event | {"timestamp": timezone.now().isoformat()}).encode()
        headers = webhook_world.stamped(body, secret=secret) | {"Content-Type": "application/json"}
        answer = requests.post(where, data=body, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        yield customer, time.time()


def address_of(customer, channel):
    """As the sandbox's record of calls has it."""
    if channel == "push":
        return customer.push_subscriptions.get().endpoint.rpartition("/")[2]
    return customer.phone if channel == "sms" else customer.email


@pytest.mark.parametrize(
    "channel, leave",
    [
        ("sms", by_the_api),
        ("sms", by_stop),
        ("email", by_the_api),
        ("email", by_the_link),
        ("email", by_the_provider),
        ("push", by_the_api),
    ],
)
def test_no_call_to_whoever_opted_out_starts_a_second_later(world, channel, leave):
    provider = SANDBOXED[channel]
    world.reset()
    world.settings(provider, latency_ms=100)
    sent = Sent(PEOPLE, channel=channel, account=connected(channel, RATE))
    if channel == "push":
        subscribe(world, sent.customers)
    if f"send {channel}" not in world.children:
        world.keep(f"send {channel}", sender_of(channel))
    world.until(lambda: world.summary(provider)["people"] >= PEOPLE // 10, what="the first people")

    left = dict(leave(world, sent, channel, sent.customers[-LEAVING:]))
    world.until(lambda: world.summary(provider)["people"] >= PEOPLE - LEAVING, what="the rest")
    world.wait(WATCHED_SECONDS)

    starts = {address_of(customer, channel): at + GRACE_SECONDS for customer, at in left.items()}
    calls = [each for each in world.calls(provider=provider) if each["to"] in starts]
    assert [each for each in calls if each["arrived_at"] > starts[each["to"]]] == []
    # They were not simply reached before they left.
    assert len(calls) < LEAVING
    assert world.summary(provider)["doubled"] == 0
