"""Who may be written to right now: what is asked of every row in the instant before its call."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Account
from crm.customers import consent
from crm.models import DeliveryAttempt, MarketingCampaign
from tests.crm.sending import Sent, verdicts, where_it_is
from tests.factories import (
    BroadcastFactory,
    CampaignFactory,
    CampaignLeadFactory,
    CampaignLeadMessageFactory,
    ConversationUserFactory,
    DeliveryAttemptFactory,
    MessageAttemptFactory,
    in_state,
)

pytestmark = pytest.mark.django_db(transaction=True)


def nothing(one):
    pass


def suppress(one):
    customer = one.customers[0]
    consent.withdraw(one.account, channel="sms", address=customer.phone, source="test")


def move_away(one):
    customer = one.customers[0]
    customer.phone = "+15550009999"
    customer.save()


def suspend(one):
    Account.objects.get(pk=one.account.pk).suspend()


def pause(one):
    one.campaign.pause()


def end(one):
    MarketingCampaign.objects.filter(pk=one.campaign.pk).update(ends_at=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (nothing, "opened"),
        (suppress, "skip:suppressed"),
        (move_away, "skip:address_changed"),
        (suspend, "hold"),
        (pause, "hold"),
        (end, "hold"),
    ],
)
def test_the_gate_asks_again_right_before_the_call(sent, change, verdict):
    one = sent(1)

    change(one)

    assert verdicts(one) == [verdict]


@pytest.mark.parametrize(("kind", "verdict"), [("newsletter", "skip:no_consent"), ("transactional", "opened")])
def test_without_a_word_of_consent_only_what_is_transactional_is_sent(sent, kind, verdict):
    one = sent(0, type=kind)
    one.row(one.person("push"))

    assert verdicts(one) == [verdict]


@pytest.mark.parametrize(
    ("hour", "kind", "verdict"),
    [
        (20, "newsletter", "opened"),
        (21, "newsletter", "later"),
        (7, "newsletter", "later"),
        (8, "newsletter", "opened"),
        (3, "transactional", "opened"),
    ],
)
def test_nobody_is_written_to_in_their_night(sent, hour, kind, verdict):
    one = sent(0, type=kind)
    one.row(one.person("sms"), zone=where_it_is(hour))

    said = verdicts(one)[0]

    assert said.partition(":")[0] == verdict
    if verdict == "later":
        minute = timezone.now().minute
        left = ((8 - hour) % 24) * 3600 - minute * 60
        assert left - 120 < int(said.partition(":")[2]) <= left + 60


@pytest.mark.parametrize(
    ("kind", "hours", "state", "verdict"),
    [
        ("newsletter", 23, "accepted", "later"),
        ("newsletter", 25, "accepted", "opened"),
        ("newsletter", 1, "rejected", "opened"),
        ("newsletter", 1, "unknown", "later"),
        ("transactional", 1, "accepted", "opened"),
    ],
)
def test_one_marketing_message_a_person_and_day_on_all_channels(sent, kind, hours, state, verdict):
    one = sent(1)
    earlier = Sent(0, channel="email", account=one.account, type=kind)
    row = earlier.row(one.customers[0])
    called_at = timezone.now() - timedelta(hours=hours)
    DeliveryAttemptFactory(row=in_state(row, "sending"), state=state, called_at=called_at)

    said = verdicts(one)[0]

    assert said.partition(":")[0] == verdict
    if verdict == "later":
        assert abs(int(said.partition(":")[2]) - (24 - hours) * 3600) < 60


@pytest.mark.parametrize(("kind", "verdict"), [("marketing", "later"), ("service", "opened")])
def test_a_marketing_message_by_whatsapp_counts_too(sent, kind, verdict):
    one = sent(1)
    person = ConversationUserFactory(account=one.account, phone=one.customers[0].phone)
    lead = CampaignLeadFactory(
        campaign=CampaignFactory(account=one.account, campaign_type=kind), conversation_user=person
    )
    broadcast = BroadcastFactory(campaign=lead.campaign)
    message = CampaignLeadMessageFactory(broadcast=broadcast, campaign_lead=lead, status="sending")
    MessageAttemptFactory(row=message, state="accepted", address=person.phone)

    assert verdicts(one)[0].partition(":")[0] == verdict


def test_two_campaigns_at_one_moment_write_to_a_person_once(sent):
    one = sent(1)
    two = Sent(0, account=one.account)
    two.row(one.customers[0])

    assert sorted(verdicts(one, two)) == ["open", "opened"]
    assert DeliveryAttempt.objects.count() == 1
