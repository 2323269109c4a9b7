"""A process dies while it submits a template; in the end Twilio has one content and one request for its review."""

import signal

import pytest

from campaigns import approval
from campaigns.models import Campaign
from tests.crash.test_crashpoints import end_of
from tests.crash.world import SENDER
from tests.factories import CampaignFactory, ConnectionFactory

pytestmark = pytest.mark.crash
POINTS = ("call.before", "submission.content_made", "call.answered", "record.before_commit", "open.committed")


def submitted():
    campaign = CampaignFactory(content_sid=None)
    ConnectionFactory(account=campaign.account)
    return approval.submit(campaign, by=None)


def test_a_template_is_submitted_once_wherever_the_process_dies(worlds):
    with worlds(durable=False) as world:
        world.reset()
        ends = {}
        for name in POINTS:
            submitted()
            victim = world.child(name, SENDER, CRASHPOINT=name)
            victim.start()
            ends[name] = end_of(world, victim)
        world.keep("sender", SENDER)
        world.until(lambda: Campaign.objects.filter(status="approved").count() == len(POINTS), what="the reviews")
        found = world.summary()

    assert ends == dict.fromkeys(POINTS, signal.SIGKILL)
    assert (found["contents"], found["approval_requests"]) == (len(POINTS), len(POINTS))
