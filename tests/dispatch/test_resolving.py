"""An operator settles an open question, once, by the same statement as everybody else."""

import datetime as dt

import pytest
from django.utils import timezone

from campaigns.models import CampaignLeadMessage, Message, MessageAttempt, SubmissionAttempt
from campaigns_project.models import AuditEntry
from lifecycle.models import Lease
from lifecycle.moving import rows_moved
from tests.factories import CampaignFactory, CampaignLeadMessageFactory
from tests.operators_world import address, attempt, operator

pytestmark = pytest.mark.django_db
LONG_AGO = timezone.now() - dt.timedelta(hours=1)


@pytest.fixture
def unknown():
    return attempt(MessageAttempt, CampaignLeadMessageFactory(status="sending"), called_at=LONG_AGO)


@pytest.fixture
def staff(client):
    return operator(client)


def resolve(client, row, outcome, provider_id=""):
    data = {"reason": "seen in the console", "outcome": outcome, "provider_id": provider_id}
    return client.post(address(row, "act", "resolve"), data, follow=True)


def told(answer):
    """What the operator reads: a flash, or why the form was refused."""
    form = answer.context.get("form")
    refused = [str(fault) for faults in form.errors.values() for fault in faults] if form else []
    return [*map(str, answer.context["messages"]), *refused]


def test_what_the_provider_has_is_sent_and_said(staff, unknown):
    answer = resolve(staff, unknown, "accepted", "SMfake1")
    unknown.refresh_from_db()
    row = CampaignLeadMessage.objects.get()

    assert told(answer) == ["Recorded as accepted."]
    assert (unknown.state, row.status, row.provider_id) == ("accepted", "sent", "SMfake1")
    assert (Message.objects.get().provider_id, rows_moved(type(row), row.pk).last().verb) == ("SMfake1", "sent")
    assert set(AuditEntry.objects.values_list("action", flat=True)) == {"attempt.resolved", "messageattempt.resolve"}


def test_what_was_not_sent_is_due_again(staff, unknown):
    assert told(resolve(staff, unknown, "not_sent")) == ["Recorded as not sent: it is due again."]
    row = CampaignLeadMessage.objects.get()

    assert (row.attempts.get().state, row.status, row.tries) == ("released", "queued", 0)
    assert Lease.objects.get(queue="whatsapp").ids == [row.pk]


def test_a_submission_is_settled_in_its_own_lane(staff):
    campaign = CampaignFactory(content_sid=None, submitted_at=LONG_AGO)

    resolve(staff, attempt(SubmissionAttempt, campaign), "accepted", "HXfake1")
    campaign.refresh_from_db()

    assert (campaign.status, campaign.content_sid) == ("received", "HXfake1")


@pytest.mark.parametrize("provider_id", ["", "SM", "SM fake", "S" * 81, "SM\x00fake"])
def test_what_is_no_id_is_refused(staff, unknown, provider_id):
    assert len(told(resolve(staff, unknown, "accepted", provider_id))) == 1
    assert CampaignLeadMessage.objects.get().status == "sending"


def test_absence_counts_only_when_the_quiet_time_is_over(staff, unknown):
    MessageAttempt.objects.update(called_at=timezone.now())

    assert told(resolve(staff, unknown, "not_sent"))[0].startswith("It may still turn up")
    assert (CampaignLeadMessage.objects.get().status, AuditEntry.objects.count()) == ("sending", 0)


@pytest.mark.parametrize("state", ["accepted", "calling", "released", "rejected"])
def test_what_is_settled_stays(unknown, state):
    from dispatch import resolving

    MessageAttempt.objects.update(state=state)

    with pytest.raises(resolving.AlreadySettled):
        resolving.not_sent(unknown, by=None, reason="late")


def test_an_id_of_another_attempt_or_message_is_refused(staff, unknown):
    other = CampaignLeadMessageFactory(account=unknown.account, status="sending")
    attempt(MessageAttempt, other, 1, state="accepted", provider_id="SMfake1")
    Message.objects.create(account=other.account, conversation_user=other.conversation_user, provider_id="SMfake2")

    for taken in ("SMfake1", "SMfake2"):
        assert told(resolve(staff, unknown, "accepted", taken))[0].startswith("This provider id belongs")
    unknown.refresh_from_db()
    assert (unknown.state, unknown.row.status) == ("unknown", "sending")
