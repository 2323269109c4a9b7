"""Operators' work on templates, broadcasts, leads and messages: through the processes, with all that belongs to it."""

import pytest

from accounts.roles import Role
from campaigns.models import Broadcast, CampaignLead
from campaigns_project.models import AuditEntry
from lifecycle.moving import rows_moved
from tests.canned import Canned, http
from tests.factories import (
    BroadcastFactory,
    CampaignFactory,
    CampaignLeadFactory,
    CampaignLeadMessageFactory,
    ConnectionFactory,
)
from tests.operators_world import address, attempt, operator, said

pytestmark = pytest.mark.django_db
WORD = {"url": "x", "account_sid": "AC", "sid": "HX", "whatsapp": {"status": "approved", "rejection_reason": ""}}


@pytest.fixture
def staff(client):
    return operator(client)


def do(client, row, name, reason="asked to", **fields):
    answer = client.post(address(row, "act", name), {"reason": reason, **fields}, follow=True)
    row.refresh_from_db()
    return said(answer)


def move(client, row, verb, reason="asked to"):
    data = {"reason": reason, "seen": row.status}
    answer = client.post(address(row, "transition", verb), data, follow=True)
    row.refresh_from_db()
    return answer


def shown(client, row):
    return client.get(address(row, "change")).content.decode()


def test_a_broadcast_is_cancelled_with_everything_that_belongs_to_it(staff):
    message = CampaignLeadMessageFactory(broadcast=BroadcastFactory(status="sending"))

    move(staff, message.broadcast, "cancel", "the shop is closed")
    message.refresh_from_db()

    assert (message.broadcast.status, message.status, message.skip_reason) == ("cancelled", "skipped", "cancelled")
    assert CampaignLead.objects.get().active
    assert rows_moved(Broadcast, message.broadcast.pk).last().reason == "the shop is closed"
    assert AuditEntry.objects.get().action == "broadcast.cancel"
    assert "sending → cancelled, by" in shown(staff, message.broadcast)


def test_a_broadcast_is_paused_and_resumed_but_not_started_by_operators(staff):
    broadcast, draft = BroadcastFactory(status="sending"), BroadcastFactory()

    for verb, status in (("pause", "paused"), ("resume", "sending")):
        move(staff, broadcast, verb)
        assert broadcast.status == status
    assert move(staff, draft, "schedule").status_code == 403
    assert "/transition/schedule/" not in shown(staff, draft)


def test_a_group_may_look_and_not_move(client):
    viewer, broadcast = operator(client, "viewer"), BroadcastFactory(status="sending")

    assert "/transition/" not in shown(viewer, broadcast)
    assert move(viewer, broadcast, "pause").status_code == 403


def test_a_stuck_broadcast_is_found(staff):
    from lifecycle.models import Lease

    stuck, _ = BroadcastFactory(status="sending"), BroadcastFactory(status="sending")
    Lease.objects.create(
        account_id=1, queue="whatsapp", scope_id=stuck.pk, lo=1, hi=2, due_at="2020-01-01T00:00Z", owner=None
    )

    assert list(staff.get(address(Broadcast), {"stuck": "yes"}).context["cl"].queryset) == [stuck]


def test_a_template_in_use_is_not_archived_and_the_operator_reads_why(staff):
    broadcast = BroadcastFactory(status="sending")

    answer = move(staff, broadcast.campaign, "archive")

    assert "is scheduled, sending or paused" in str(answer.context["form"].errors)
    assert broadcast.campaign.status == "approved"


def test_templates_are_archived_in_bulk_but_for_those_in_use(staff):
    used, free = BroadcastFactory(status="sending").campaign, CampaignFactory()
    data = {"action": "transition_archive", "_selected_action": [used.pk, free.pk], "reason": "old ones"}

    answer = staff.post(address(free.__class__), {**data, "chosen": f"{used.pk},{free.pk}"}, follow=True)

    assert said(answer) == ["1 moved, 1 refused: 1 approved."]


def test_sends_of_a_template_are_paused_and_allowed_again(staff):
    campaign = CampaignFactory(status="approved")

    assert (do(staff, campaign, "pause_sends"), campaign.enabled_at) == (["Pause sends: done."], None)
    assert "/act/pause_sends/" not in shown(staff, campaign)
    do(staff, campaign, "allow_sends")
    assert campaign.enabled_at is not None


def test_a_template_is_submitted_once_there_is_a_connection(staff):
    campaign = CampaignFactory()

    refused = staff.post(address(campaign, "act", "submit"), {"reason": "asked to"})
    ConnectionFactory(account=campaign.account)

    assert "connect Twilio first" in str(refused.context["form"].errors)
    assert do(staff, campaign, "submit") == ["Submit: done."]
    assert campaign.submitted_at is not None


@pytest.mark.parametrize(("answers", "told"), [(1, "Now approved."), (2, "Nothing new.")])
def test_a_template_is_asked_about_at_once(staff, settings, answers, told):
    campaign = CampaignFactory(status="pending")
    ConnectionFactory(account=campaign.account)

    with Canned(http(200, WORD), keep=True).open() as twilio:
        settings.TWILIO_CONTENT_URL = twilio.url
        for _ in range(answers):
            last = do(staff, campaign, "resync")

    assert last == [told]


def test_a_silent_twilio_is_told_and_changes_nothing(staff, settings):
    campaign = CampaignFactory(status="pending")
    ConnectionFactory(account=campaign.account)
    settings.TWILIO_CONTENT_URL = "http://127.0.0.1:1"

    answer = staff.post(address(campaign, "act", "resync"), {"reason": "asked to"})

    assert "Twilio gave no answer" in str(answer.context["form"].errors)


def test_a_template_shows_its_words_its_refusal_and_its_versions(staff, settings):
    settings.PROVIDER_CONSOLES = {"content": "https://console.example/{id}"}
    new = CampaignFactory()
    old = CampaignFactory(
        account=new.account, status="rejected", rejection_reason="No promises.", next_campaign=new, content_sid="HX1"
    )

    page = shown(staff, old)

    assert all(part in page for part in ("No promises.", "https://console.example/HX1", str(new), 'class="bubble"'))


def test_a_lead_is_taken_out(staff):
    lead = CampaignLeadFactory()

    assert (do(staff, lead, "deactivate"), lead.active) == (["Deactivate: done."], False)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"status": "skipped"}, "Left out: this person opted out."),
        ({"status": "sent"}, "Sent."),
        ({"status": "failed", "error_code": "63016"}, "Failed: Twilio said 63016."),
    ],
)
def test_a_message_tells_why(staff, fields, why):
    assert f'<div class="readonly">{why}</div>' in shown(staff, CampaignLeadMessageFactory(**fields))


def test_an_open_question_is_told_and_no_verb_is_offered(staff):
    message = CampaignLeadMessageFactory(status="sending")
    tried = attempt(message.attempts.model, message, detail="timeout")
    message.clicks.create(account=message.account, url="https://shop.example/autumn")

    page = shown(staff, message)

    assert all(part in page for part in ("nobody knows yet", "Not known yet", "timeout", "https://shop.example/autumn"))
    assert address(tried, "change") in page
    assert "/transition/" not in page
    assert "/act/" not in page


def test_messages_are_listed_by_broadcast(staff):
    message, _ = CampaignLeadMessageFactory(), CampaignLeadMessageFactory()

    answer = staff.get(address(message.__class__), {"broadcast__id__exact": message.broadcast_id, "status": "queued"})

    assert list(answer.context["cl"].queryset) == [message]


def test_a_role_is_asked_for_as_well_as_a_group(client):
    author, campaign = operator(client, "campaign ops", role=Role.MARKETING), None
    campaign = CampaignFactory(account=author.user.membership.account, status="approved")

    assert "/transition/archive/" in shown(author, campaign)
    assert "/act/pause_sends/" not in shown(author, campaign)
