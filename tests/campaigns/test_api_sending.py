"""Leads, previews and broadcasts as integrators see them."""

import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts.models import Approval
from campaigns.models import Broadcast, CampaignLead, CampaignLeadMessage
from campaigns_project import jobs
from crm.customers import consent
from tests.factories import (
    BroadcastFactory,
    CampaignFactory,
    CampaignLeadFactory,
    CampaignLeadMessageFactory,
    ConnectionFactory,
    ConversationUserFactory,
    MessageAttemptFactory,
)

pytestmark = pytest.mark.django_db
BASE = "/api/v1/campaign"


def refusal(answer):
    return answer.status_code, answer.json()["code"]


@pytest.fixture
def template(api):
    """Approved, switched on, with a connection to send through."""
    ConnectionFactory(account=api.account)
    return CampaignFactory(account=api.account, status="approved")


def add(api, campaign, *rows):
    return api.post(f"{BASE}/add-leads", json={"campaign_id": campaign.pk, "leads": list(rows)})


def drafted(api, template, people=2, **said):
    CampaignLeadFactory.create_batch(people, campaign=template)
    answer = api.post(f"{BASE}/broadcasts", json={"campaign_id": template.pk, **said})
    assert answer.status_code == 201, answer.json()
    return answer.json()


def act(api, broadcast, verb, **said):
    return api.post(f"{BASE}/broadcasts/{broadcast['id']}/{verb}", json=said)


def test_leads_are_added_row_by_row(api, template):
    person = ConversationUserFactory(account=api.account)
    rows = [{"phone_number": "+1 555 000 0001"}, {"conversation_user_id": person.pk}, {"phone_number": "nobody"}]

    first, again = add(api, template, *rows), add(api, template, rows[0])

    told = {"index": 2, "code": "invalid"}
    assert (first.status_code, first.json()["created"], first.json()["reactivated"]) == (201, 2, 0)
    assert [{key: row[key] for key in told} for row in first.json()["invalid"]] == [told]
    assert (again.status_code, again.json()) == (
        200,
        {"created": 0, "reactivated": 0, "unchanged": 1, "invalid": []},
    )


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ("+15550000001", "leads.0.lead"),
        ({}, "leads.0.phone_number"),
        ({"phone_number": "+15550000001", "conversation_user_id": 1}, "leads.0.phone_number"),
        ({"phone_number": "+15550000001", "active": True}, "leads.0.active"),
        ({"phone_number": "+15550000001", "custom_variables": []}, "leads.0.custom_variables"),
        ({"phone_number": 15550000001}, "leads.0.phone_number"),
        ({"conversation_user_id": 10**30}, "leads.0.conversation_user_id"),
        ({"conversation_user_id": ["1"]}, "leads.0.conversation_user_id"),
        ({"conversation_user_id": True}, "leads.0.conversation_user_id"),
    ],
)
def test_when_no_row_is_valid_nothing_is_added(api, template, row, path):
    answer = add(api, template, row)

    assert (refusal(answer), list(answer.json()["details"])) == ((400, "VALIDATION_ERROR"), [path])
    assert not CampaignLead.objects.exists()


def test_a_neighbours_person_is_nobody(api, neighbour, template):
    person = ConversationUserFactory(account=neighbour.account)

    foreign = add(api, template, {"conversation_user_id": person.pk}).json()["details"]
    absent = add(api, template, {"conversation_user_id": person.pk + 1000}).json()["details"]

    assert foreign == absent != {}


def test_a_number_that_opted_out_is_taken_in_and_never_written_to(api, template):
    consent.withdraw(api.account, channel="whatsapp", address="+15550000001", source="test")

    answer = add(api, template, {"phone_number": "+15550000001"})

    assert (answer.status_code, answer.json()["created"]) == (200, 1)
    assert drafted(api, template, people=0)["preflight"]["skips"] == {"opted_out": 1}


def test_leads_of_an_old_version_are_refused(api):
    old = CampaignFactory(account=api.account, next_campaign=CampaignFactory(account=api.account))

    assert refusal(add(api, old, {"phone_number": "+15550000001"})) == (409, "not_the_newest_version")


def test_leads_are_listed_shown_and_taken_out(api):
    first = CampaignLeadFactory(account=api.account, custom_variables={"table": "7"})
    second = CampaignLeadFactory(campaign=first.campaign, active=False)
    address = f"{BASE}/{first.campaign_id}/leads"

    assert [row["id"] for row in api.get(address).json()["data"]] == [second.pk, first.pk]
    assert [row["id"] for row in api.get(f"{address}?active=true").json()["data"]] == [first.pk]
    assert api.get(f"{BASE}/leads/{first.pk}").json()["custom_variables"] == {"table": "7"}
    assert api.delete(f"{BASE}/leads/{first.pk}").json()["active"] is False
    assert api.get(f"{address}?active=true").json()["data"] == []


def test_a_file_of_leads_becomes_a_job(api, template):
    file = SimpleUploadedFile("leads.csv", b"phone,table\n+15550000001,7\nnobody,8\n", "text/csv")

    answer = api.upload(f"{BASE}/add-leads/import", {"campaign_id": template.pk, "file": file})
    jobs.run_due()

    shown = api.get(answer["Location"]).json()
    assert (answer.status_code, answer.json()["href"]) == (202, answer["Location"])
    assert (shown["status"], shown["done"], shown["failed"]) == ("done", 1, 1)
    assert b"".join(api.get(shown["errors_url"])).startswith(b"line,reason,phone,table\r\n3,")


def test_a_preview_uses_the_lead_and_the_values_given(api):
    lead = CampaignLeadFactory(account=api.account, custom_variables={"lead_name": "Anna"})
    address = f"{BASE}/preview/{lead.campaign_id}"
    lead.campaign.variable_defaults = {}
    lead.campaign.save()

    assert api.post(address, json={"lead_id": lead.pk}).json()["body"] == "Hi Anna, we are open again."
    assert api.post(address, json={"values": {"lead_name": "Bo"}}).json()["body"] == "Hi Bo, we are open again."
    assert api.post(address).json()["missing"] == ["lead_name"]
    assert refusal(api.post(address, json={"values": {"x y": "1"}})) == (400, "VALIDATION_ERROR")
    other = CampaignLeadFactory(account=api.account)
    assert refusal(api.post(address, json={"lead_id": other.pk})) == (404, "NOT_FOUND")


def test_a_test_message_goes_to_one_number_outside_the_audience(api, template):
    answer = api.post(f"{BASE}/test-send/{template.pk}", json={"phone_number": "+15550000001"})

    assert (answer.status_code, answer.json()["phone"], answer.json()["status"]) == (202, "+15550000001", "queued")
    assert not CampaignLead.objects.active().exists()
    bad = {"phone_number": "+15550000001", "values": {"1 2": ""}}
    assert refusal(api.post(f"{BASE}/test-send/{template.pk}", json=bad)) == (400, "VALIDATION_ERROR")


def test_a_template_that_is_not_approved_is_not_sent(api, template):
    draft = CampaignFactory(account=api.account)

    answer = api.post(f"{BASE}/test-send/{draft.pk}", json={"phone_number": "+15550000001"})

    assert refusal(answer) == (409, "campaign_not_ready")


def test_a_draft_says_what_it_would_do(api, template):
    shown = drafted(api, template, rate_per_second=20)

    assert shown["counts"]["queued"] == 2
    assert shown["preflight"] == {
        "audience": 2,
        "skips": {},
        "missing_variables": [],
        "template_status": "approved",
        "estimated_cost": {"amount": 14, "currency": "USD"},
        "can_start": True,
    }
    assert (shown["status"], shown["scheduled_at"], shown["rate_per_second"]) == ("draft", None, 20)
    assert api.get(f"{BASE}/broadcasts/{shown['id']}").json() == shown


@pytest.mark.parametrize(
    "said",
    [
        {"scheduled_at": "2020-01-01T00:00:00Z"},
        {"scheduled_at": "2030-01-01T00:00:00"},
        {"rate_per_second": 0},
        {"rate_per_second": "5"},
        {"force": "yes"},
        {"status": "sending"},
    ],
)
def test_what_a_draft_refuses(api, template, said):
    answer = api.post(f"{BASE}/broadcasts", json={"campaign_id": template.pk, **said})

    assert (refusal(answer), list(answer.json()["details"])) == ((400, "VALIDATION_ERROR"), list(said))


def test_a_broadcast_is_started_paused_resumed_and_cancelled(api, template):
    broadcast = drafted(api, template)

    steps = [act(api, broadcast, verb) for verb in ("start", "pause", "resume", "cancel")]

    standing = {"in_flight": 0, "sent": 0, "remaining": 2}
    assert [step.status_code for step in steps] == [200] * 4
    assert [step.json()["status"] for step in steps] == ["sending", "paused", "sending", "cancelled"]
    assert steps[1].json() == {"status": "paused", **standing}
    assert steps[3].json() == {"status": "cancelled", **standing, "remaining": 0}
    assert refusal(act(api, broadcast, "resume")) == (409, "transition_not_allowed")


def test_a_broadcast_without_a_connection_does_not_start(api):
    broadcast = drafted(api, CampaignFactory(account=api.account, status="approved"))

    answer = act(api, broadcast, "start")

    assert (refusal(answer), list(answer.json()["details"])) == ((409, "campaign_not_ready"), ["connection"])
    assert Broadcast.objects.get().status == "draft"


def test_starting_a_draft_for_later_schedules_it_and_starting_again_sends_it(api, template):
    later = (timezone.now() + dt.timedelta(days=1)).replace(microsecond=0)
    broadcast = drafted(api, template, scheduled_at=later.isoformat())

    assert act(api, broadcast, "start").json()["status"] == "scheduled"
    assert act(api, broadcast, "start").json()["status"] == "sending"


def test_a_broadcast_is_moved_by_its_events(api, template):
    broadcast = drafted(api, template)
    later = "2090-01-01T00:00:00Z"

    def move(**said):
        return act(api, broadcast, "transition", **said).json()

    assert move(event="schedule", scheduled_at=later)["scheduled_at"] == later
    assert move(event="unschedule")["scheduled_at"] is None
    assert act(api, broadcast, "start").status_code == 200
    assert [move(event=event)["status"] for event in ("pause", "resume", "cancel")] == [
        *("paused", "sending"),
        "cancelled",
    ]


def test_a_broadcast_that_changed_since_is_not_paused(api, template):
    broadcast = drafted(api, template)
    address = f"{BASE}/broadcasts/{broadcast['id']}"
    read = {"if-match": api.get(address)["ETag"]}

    assert api.post(f"{address}/start", headers=read).status_code == 200
    assert refusal(api.post(f"{address}/pause", headers=read)) == (412, "PRECONDITION_FAILED")


def test_messages_are_listed_with_their_outcome(api):
    broadcast = BroadcastFactory(account=api.account, status="sending")
    read = CampaignLeadMessageFactory(broadcast=broadcast, status="read")
    asked = CampaignLeadMessageFactory(broadcast=broadcast, status="sending")
    MessageAttemptFactory(row=asked)
    address = f"{BASE}/broadcasts/{broadcast.pk}/messages"

    rows = api.get(address).json()["data"]

    assert [(row["id"], row["status"], row["outcome"]) for row in rows] == [
        (read.pk, "read", "read"),
        (asked.pk, "sending", "unknown"),
    ]
    assert [row["id"] for row in api.get(f"{address}?status=read").json()["data"]] == [read.pk]


def test_the_same_key_starts_once(api, template):
    broadcast = drafted(api, template)

    answers = [
        api.post(f"{BASE}/broadcasts/{broadcast['id']}/start", headers={"idempotency-key": "k"}) for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert "Idempotent-Replayed" in answers[1]
    assert CampaignLeadMessage.objects.count() == 2


def test_a_large_broadcast_answers_that_a_second_person_decides(api, template, settings):
    settings.APPROVAL_PEOPLE = 0
    later = {"event": "schedule", "scheduled_at": "2099-01-01T00:00:00Z"}

    started = api.post(f"{BASE}/broadcasts/{drafted(api, template)['id']}/start")
    scheduled = api.post(f"{BASE}/broadcasts/{drafted(api, template)['id']}/transition", json=later)

    for answer in (started, scheduled):
        assert (answer.status_code, answer.json()["status"]) == (202, "approval_pending")
    assert Approval.objects.filter(decided_at=None).count() == 2
