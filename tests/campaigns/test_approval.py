"""Templates at WhatsApp: one content and one review each, whatever goes wrong; and every word walks the drawn edges."""

import datetime as dt
import itertools
import time
import uuid

import pytest
import requests
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Connection
from campaigns import approval, tasks
from campaigns.models import Campaign, SubmissionAttempt
from dispatch import lane
from dispatch.lane import OpenQuestion
from lifecycle.models import Lease
from lifecycle.moving import rows_moved
from lifecycle.transition import TransitionNotAllowed
from providers.base import ApprovalState, Refused, Unknown, Unreachable
from tests.canned import Canned, http
from tests.dispatch.conftest import send_until
from tests.factories import CampaignFactory, ConnectionFactory, UserFactory
from tests.sandbox_process import TOKEN

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = {"content_context": {"body": "Hi {{1}}, we are open again."}, "content_sid": None}
SID = f"HX{'0f' * 16}"
MADE, TAKEN = http(201, {"sid": SID}), {"status": "received", "category": "MARKETING", "rejection_reason": ""}
REFUSED = http(400, {"code": 20001, "message": "name: no", "more_info": "", "status": 400})
BUSY = http(429, {"code": 20429, "message": "too many", "more_info": "", "status": 429})
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.fixture
def twilio(sandbox, settings):
    settings.TWILIO_CONTENT_URL = settings.TWILIO_API_URL = sandbox.url
    settings.TWILIO_TIMEOUT_SECONDS, settings.TWILIO_QUIET_SECONDS = 1, 1.0
    settings.TEMPLATE_POLL_SECONDS = 0.2
    lane.register(approval.LANE, approval.template_lane)
    yield sandbox
    lane.register(approval.LANE, approval.template_lane)


def template(**fields):
    """An unsubmitted version of an account with a connection."""
    campaign = CampaignFactory(**TEXT | fields)
    ConnectionFactory(account=campaign.account)
    return campaign


def status(campaign):
    campaign.refresh_from_db()
    return campaign.status


def contents(sandbox, campaign):
    """What the provider has of the account: its contents' names, and the names they are in review by."""
    who = (link(campaign).external_id, TOKEN)
    listed = requests.get(f"{sandbox.url}/v1/ContentAndApprovals", auth=who, timeout=5).json()["contents"]
    return [(each["friendly_name"], each["approval_requests"]["name"]) for each in listed]


def link(campaign):
    return Connection.objects.for_account(campaign.account_id).get()


def test_a_submitted_template_is_received_and_then_approved(twilio):
    campaign = approval.submit(template(), by=UserFactory())

    send_until(lambda: status(campaign) == "approved")

    assert (campaign.enabled_at is not None, campaign.content_sid[:2]) == (True, "HX")
    assert contents(twilio, campaign) == [(approval.friendly_name(campaign), campaign.template_name)]
    assert [move.target for move in rows_moved(Campaign, campaign.pk)][-1] == "approved"


def test_a_rejected_template_says_why(twilio):
    campaign = approval.submit(template(name="reject me"), by=None)

    send_until(lambda: status(campaign) == "rejected")

    assert campaign.rejection_reason.startswith("INVALID_FORMAT")


@pytest.mark.parametrize("fault", ["lose_response", "garbage", "status_500_accepted", "status_500", "status_429"])
def test_whatever_is_answered_there_is_one_content_and_one_review(twilio, fault):
    twilio.settings(**{fault: 1.0}, retry_after_s=0)
    campaign = approval.submit(template(), by=None)

    send_until(
        lambda: status(campaign) == "approved", meanwhile=lambda: (time.sleep(1), twilio.settings(**{fault: 0.0}))
    )

    assert contents(twilio, campaign) == [(approval.friendly_name(campaign), campaign.template_name)]
    live = SubmissionAttempt.objects.filter(row=campaign, state__in=["calling", "unknown", "accepted"])
    assert [attempt.state for attempt in live] == ["accepted"]


def test_a_template_that_is_refused_for_good_can_be_submitted_again(twilio, settings):
    campaign = template()
    with Canned(MADE, REFUSED, NO_CONTENT, keep=True).open() as canned:
        settings.TWILIO_CONTENT_URL = canned.url
        approval.submit(campaign, by=None)
        send_until(lambda: status(campaign) and campaign.submitted_at is None)

    assert (campaign.status, campaign.rejection_reason, campaign.content_sid) == ("unsubmitted", "name: no", None)
    assert [asked.method for asked in canned.asked] == ["POST", "POST", "DELETE"]
    settings.TWILIO_CONTENT_URL = twilio.url
    approval.submit(campaign, by=None)
    assert campaign.rejection_reason is None
    send_until(lambda: status(campaign) == "approved")


def test_a_template_is_not_submitted_without_a_working_connection():
    refused = template()
    Connection.objects.for_account(refused.account_id).update(refused_at=timezone.now())

    for campaign in (CampaignFactory(), refused):
        with pytest.raises(approval.NoConnection):
            approval.submit(campaign, by=None)


@pytest.mark.parametrize("where", ["received", "pending", "approved", "rejected", "archived"])
def test_only_an_unsubmitted_template_is_submitted(where):
    with pytest.raises(TransitionNotAllowed):
        approval.submit(template(status=where), by=None)


def test_of_twenty_parallel_submissions_one_wins(at_once):
    campaign = template()

    answers = at_once(lambda: approval.submit(Campaign.objects.get(pk=campaign.pk), by=None), callers=20)

    assert sorted(type(answer).__name__ for answer in answers) == ["Campaign"] + ["TransitionNotAllowed"] * 19
    assert Lease.objects.filter(queue="template", scope_id=campaign.pk).count() == 1


def test_a_submission_whose_lease_was_lost_gets_one_again(settings):
    settings.TEMPLATE_POLL_SECONDS = 1000
    campaign = approval.submit(template(), by=None)
    Lease.objects.all().delete()

    for _ in range(2):
        approval.tend()

    assert [lease.ids for lease in Lease.objects.filter(queue="template")] == [[campaign.pk]]


# What a call comes to.


def submitted(campaign, settings, *answers):
    with Canned(*answers, keep=True).open() as canned:
        settings.TWILIO_CONTENT_URL = canned.url
        return approval.hand_in(campaign.pk, link(campaign).pk), [asked.method for asked in canned.asked]


@pytest.mark.parametrize(
    "answers, outcome, asked",
    [
        ([REFUSED], Refused, ["POST"]),
        ([MADE, BUSY], Unknown, ["POST", "POST"]),
        ([MADE, REFUSED, NO_CONTENT], Refused, ["POST", "POST", "DELETE"]),
        ([MADE, REFUSED, BUSY], Unknown, ["POST", "POST", "DELETE"]),
        ([MADE, None], Unknown, ["POST", "POST"]),
    ],
)
def test_a_submission_is_certain_or_unknown(settings, answers, outcome, asked):
    found, made = submitted(template(), settings, *answers)

    assert (type(found), made) == (outcome, asked)


def test_a_submission_without_credentials_has_not_happened(settings):
    campaign = template()

    assert isinstance(approval.hand_in(campaign.pk, link(campaign).pk + 1000), Refused)


def found(campaign, settings, *answers):
    named = {"friendly_name": approval.friendly_name(campaign), "sid": SID}
    known = http(200, {"contents": [named], "meta": {"next_page_url": None}})
    question = OpenQuestion(1, uuid.uuid4(), campaign.pk, "x", str(campaign.pk), timezone.now(), campaign.account_id)
    with Canned(known, *answers, keep=True).open() as canned:
        settings.TWILIO_CONTENT_URL = canned.url
        return [each.provider_id for each in approval._find(question)]


def review(state):
    return http(200, {"whatsapp": {"status": state}})


def taken(campaign):
    return http(201, TAKEN | {"name": campaign.template_name})


def test_what_is_under_the_name_counts_once_it_has_a_review(settings):
    campaign = template()

    assert found(campaign, settings, review("pending")) == [SID]
    assert found(campaign, settings, review("unsubmitted"), taken(campaign)) == [SID]
    assert found(campaign, settings, review("unsubmitted"), REFUSED, review("unsubmitted"), NO_CONTENT) == []
    for answers in ([BUSY], [review("unsubmitted"), BUSY], [review("unsubmitted"), REFUSED, review("received")]):
        with pytest.raises(Unreachable):
            found(campaign, settings, *answers)


def test_nothing_is_concluded_without_a_connection(settings):
    campaign = template()
    link(campaign).delete()

    with pytest.raises(Unreachable):
        found(campaign, settings, review("pending"))


def test_credentials_that_no_longer_open_the_door_are_not_tried_again():
    campaign = template()

    approval.react("suppress", campaign.pk, "1")
    assert link(campaign).refused_at is None
    approval.react("pause_connection", campaign.pk, "20003")
    assert link(campaign).refused_at is not None


# What WhatsApp says later.

WORDS = ["received", "pending", "approved", "rejected", "paused", "disabled", "unsubmitted", "who knows"]


def say(word):
    return ApprovalState(word, f"because {word}", "MARKETING")


@pytest.mark.parametrize(
    "where, word, path",
    [
        ("received", "pending", ["pending"]),
        ("received", "approved", ["pending", "approved"]),
        ("received", "paused", ["pending", "approved", "paused"]),
        ("received", "disabled", ["pending", "approved", "disabled"]),
        ("pending", "rejected", ["rejected"]),
        ("approved", "paused", ["paused"]),
        ("paused", "approved", ["approved"]),
        ("paused", "disabled", ["disabled"]),
        ("approved", "pending", []),
        ("disabled", "approved", []),
        ("rejected", "approved", []),
        ("archived", "approved", []),
    ],
)
def test_a_word_that_missed_steps_walks_the_drawn_edges(where, word, path):
    campaign = CampaignFactory(status=where)
    before = rows_moved(Campaign, campaign.pk).count()

    assert approval.take(campaign, say(word)) is bool(path)

    assert [move.target for move in rows_moved(Campaign, campaign.pk)[before:]] == path
    assert campaign.status == (path or [where])[-1]
    if word in {"rejected", "paused", "disabled"}:
        assert campaign.rejection_reason == f"because {word}"


def test_what_a_merchant_switched_off_stays_off_when_whatsapp_lets_it_go_on():
    campaign = CampaignFactory(status="paused")
    Campaign.objects.filter(pk=campaign.pk).update(enabled_at=None)

    approval.take(campaign, say("approved"))

    assert (campaign.status, campaign.enabled_at) == ("approved", None)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.permutations(WORDS))
def test_words_in_any_order_move_along_edges_only_and_disabled_is_the_last(words):
    campaign = CampaignFactory(status="received")

    for word in words:
        approval.take(campaign, say(word))

    steps = [(move.source, move.target) for move in rows_moved(Campaign, campaign.pk)]
    assert all(left[1] == right[0] for left, right in itertools.pairwise(steps))
    assert all(step in Campaign.machine.pairs for step in steps)
    assert "disabled" not in [source for source, _ in steps]


# How often it is asked.


@pytest.fixture
def asked(settings):
    """Ask about what is due, of a server that answers so; returns the moves, and how often it was asked."""
    settings.TEMPLATE_POLL_SECONDS = 10

    def poll(*answers):
        with Canned(*answers, keep=True).open() as canned:
            settings.TWILIO_CONTENT_URL = canned.url
            return approval.poll(), len(canned.asked)

    return poll


def polled(campaign, seconds):
    Campaign.objects.filter(pk=campaign.pk).update(polled_at=timezone.now() - dt.timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "where, seconds, times",
    [("pending", 11, 1), ("pending", 9, 0), ("approved", 151, 1), ("approved", 149, 0), ("rejected", 999, 0)],
)
def test_what_is_decided_is_asked_about_more_slowly(asked, where, seconds, times):
    campaign = template(status=where, content_sid=SID)
    polled(campaign, seconds)

    assert asked(review("paused")) == (times, times)
    assert asked(review("paused")) == (0, 0)


def test_a_provider_that_is_away_is_asked_once_and_credentials_that_fail_stop_nobody_else(asked):
    campaigns = [template(status="pending", content_sid=SID) for _ in range(3)]
    denied = http(401, {"code": 20003, "message": "no", "more_info": "", "status": 401})

    assert asked(None) == (0, 1)
    for campaign in campaigns:
        polled(campaign, 60)
    assert asked(denied, review("approved")) == (2, 3)


def test_a_slow_provider_does_not_hold_up_the_housework(asked, monkeypatch):
    monkeypatch.setattr(approval, "ASK_WITHIN_SECONDS", 0.0)
    for _ in range(2):
        template(status="pending", content_sid=SID)

    assert asked(review("approved")) == (1, 1)


def test_nobody_is_asked_without_a_connection(asked):
    CampaignFactory(status="pending")

    assert asked(review("approved")) == (0, 0)


def test_the_clock_asks_too(asked, settings):
    campaign = template(status="pending", content_sid=SID)
    with Canned(review("approved"), keep=True).open() as canned:
        settings.TWILIO_CONTENT_URL = canned.url
        tasks.poll_templates(later="is ignored")

    assert status(campaign) == "approved"
