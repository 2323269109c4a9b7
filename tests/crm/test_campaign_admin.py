"""Marketing campaigns as operators see and stop them."""

import pytest

from crm.models import Delivery, DeliveryAttempt, MarketingCampaign
from tests.factories import (
    ConnectionFactory,
    DeliveryAttemptFactory,
    DeliveryFactory,
    MarketingCampaignFactory,
    in_state,
)
from tests.operators_world import address, operator, said

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    return operator(client)


@pytest.mark.parametrize(
    ("before", "verb", "after"),
    [("active", "pause", "paused"), ("paused", "resume", "active"), ("active", "complete", "completed")],
)
def test_an_operator_pauses_resumes_and_completes(staff, before, verb, after):
    campaign = MarketingCampaignFactory(status=before)
    ConnectionFactory(account=campaign.account, provider="sendgrid", secret={"api_key": "SG.fake"})
    waiting = DeliveryFactory(campaign=campaign)

    answer = staff.post(
        address(campaign, "transition", verb), {"reason": "asked by the shop", "seen": before}, follow=True
    )

    campaign.refresh_from_db()
    waiting.refresh_from_db()
    assert (campaign.status, said(answer)) == (after, [f"{campaign}: {before} → {after}."])
    assert (waiting.status, waiting.skip_reason) == (("skipped", "ended") if after == "completed" else ("queued", ""))


def test_nobody_launches_by_hand_here(staff):
    campaign = MarketingCampaignFactory()

    page = staff.get(address(campaign, "change")).content.decode()

    assert "transition/launch" not in page
    assert "transition/schedule" not in page


def test_a_delivery_says_why_and_shows_its_calls(staff):
    row = DeliveryAttemptFactory(detail="no answer").row
    left = DeliveryFactory(campaign=row.campaign, status="skipped")
    in_state(DeliveryFactory(campaign=row.campaign), "sent").not_delivered(error_code="550")

    listed = staff.get(f"{address(Delivery)}?campaign__id__exact={row.campaign_id}").content.decode()
    shown = staff.get(address(row, "change")).content.decode()

    assert "Has not agreed to marketing" in listed
    assert "nobody knows yet" in listed
    assert "Could not be delivered (550)" in listed
    assert "no answer" in shown
    assert left.skip_reason == "no_consent"


def test_a_stuck_campaign_is_found(staff):
    row = DeliveryAttemptFactory().row
    campaign = row.campaign
    MarketingCampaign.objects.filter(pk=campaign.pk).transition("launch")
    DeliveryAttempt.objects.update(called_at="2026-01-01T00:00:00Z")
    MarketingCampaignFactory(status="active", name="goes well")

    listed = staff.get(f"{address(MarketingCampaign)}?stuck=yes").content.decode()

    assert campaign.public_id in listed
    assert "goes well" not in listed
