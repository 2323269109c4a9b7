"""What marketing campaigns hold of an erased person, and what their timeline tells before that."""

import pytest

from crm.customers import erasing, timeline
from crm.marketing import zones
from crm.marketing.forgetting import DeliveryOnItsWay
from crm.models import DeliveryAttempt
from tests.factories import (
    DeliveryAttemptFactory,
    DeliveryFactory,
    MarketingCampaignFactory,
    UserFactory,
    in_state,
)

pytestmark = pytest.mark.django_db


def erased(row):
    erasing.erase(row.customer, by=UserFactory())
    row.refresh_from_db()
    return row


def test_what_waits_for_an_erased_person_is_not_sent_and_no_address_stays():
    waiting = DeliveryFactory()
    reached = DeliveryFactory(account=waiting.account, customer=waiting.customer, status="delivered")
    DeliveryAttemptFactory(row=reached, state="accepted", detail="anna@example.test took it")

    erased(waiting)

    reached.refresh_from_db()
    assert (waiting.status, waiting.skip_reason, waiting.address) == ("skipped", "erased", "")
    assert (reached.status, reached.address) == ("delivered", "")
    assert list(DeliveryAttempt.objects.values_list("address", "detail")) == [("", "")]


@pytest.mark.parametrize(("channel", "state"), [("email", "calling"), ("sms", "unknown")])
def test_a_message_on_its_way_holds_an_erasure_up(channel, state):
    campaign = MarketingCampaignFactory(channels=[channel])
    row = DeliveryAttemptFactory(row=in_state(DeliveryFactory(campaign=campaign), "sending"), state=state).row

    with pytest.raises(DeliveryOnItsWay):
        erased(row)


def test_an_email_that_nobody_can_be_asked_about_does_not():
    row = DeliveryAttemptFactory().row

    assert erased(row).address == ""


def test_a_timeline_tells_what_was_sent_and_why_not():
    row = DeliveryFactory(status="skipped")
    in_state(DeliveryFactory(account=row.account, customer=row.customer), "sent")

    told = [each for each in timeline.entries(row.customer, limit=5)["data"] if each["kind"] == "message"]

    assert [(each["type"], each["properties"]["status"], each["properties"].get("reason")) for each in told] == [
        ("email.message", "sent", None), ("email.message", "skipped", "no_consent"),
    ]  # fmt: skip
    assert told[1]["properties"]["campaign_id"] == row.campaign.public_id


def test_a_zone_that_is_none_is_utc():
    assert (zones.known("Mars/Olympus"), zones.known(zones.MAIN["PT"])) == ("UTC", "Europe/Lisbon")
