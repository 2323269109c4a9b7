import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts import approvals
from accounts.models import Connection
from campaigns import broadcasting
from campaigns.models import Broadcast, CampaignLead, CampaignLeadMessage
from campaigns_project.refusals import Forbidden
from crm.customers import consent
from lifecycle.models import Lease
from lifecycle.transition import TransitionNotAllowed
from tests.factories import (
    BroadcastFactory,
    CampaignFactory,
    CampaignLeadFactory,
    ConnectionFactory,
    MembershipFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    campaign = CampaignFactory(
        status="approved",
        content_context={"body": "Hi {{1}}, {{2}} is back. Bye {{1}}"},
        variables={"1": "lead_name", "2": "dish"},
        variable_defaults={},
    )
    ConnectionFactory(account=campaign.account)
    return campaign


@pytest.fixture
def user(campaign):
    return MembershipFactory(account=campaign.account).user


def lead(campaign, **fields):
    return CampaignLeadFactory(
        campaign=campaign, custom_variables={"dish": "soup"} | fields.pop("values", {}), **fields
    )


def opted_out(campaign):
    person = lead(campaign).conversation_user
    person.address_hash = consent.phone_hash(campaign.account_id, person.phone)
    person.save()
    consent.withdraw(campaign.account, channel="whatsapp", address=person.phone, source="test")
    return person


def test_the_preflight_counts_the_audience_and_says_why_others_are_left_out(campaign):
    lead(campaign)
    lead(campaign, values={"dish": "  "})
    opted_out(campaign)

    found = broadcasting.draft(campaign, by=None).preflight

    assert found == {
        "audience": 1,
        "skips": {"missing_variable": 1, "opted_out": 1},
        "missing_variables": ["dish"],
        "template_status": "approved",
        "estimated_cost": {"amount": 7, "currency": "USD"},
        "can_start": True,
    }


def test_a_draft_counts_what_it_would_do(campaign):
    lead(campaign)
    opted_out(campaign)

    counted = broadcasting.counts(broadcasting.draft(campaign, by=None))

    assert (counted["queued"], counted["skipped"], counted["sent"]) == (1, 1, 0)


def test_a_start_bears_a_message_for_each_lead_and_puts_the_leads_to_rest(campaign):
    person = lead(campaign).conversation_user
    opted_out(campaign)
    broadcast = broadcasting.draft(campaign, by=None)

    broadcasting.start(broadcast, by=None)
    messages = CampaignLeadMessage.objects.of(broadcast)

    assert broadcast.status == "sending"
    assert sorted(messages.values_list("status", "skip_reason")) == [("queued", ""), ("skipped", "opted_out")]
    assert messages.get(status="queued").context == {
        "content_variables": {"1": person.name, "2": "soup"},
        "body": f"Hi {person.name}, soup is back. Bye {person.name}",
    }
    assert not CampaignLead.objects.active().exists()


def test_marketing_is_not_sent_twice_under_any_version_of_its_name(campaign):
    first = broadcasting.draft(campaign, by=None)
    person = lead(campaign).conversation_user
    broadcasting.start(first, by=None)
    later = CampaignFactory(
        account=campaign.account,
        name=campaign.name,
        language="de",
        status="approved",
        content_context=campaign.content_context,
        variables=campaign.variables,
    )
    lead(later, conversation_user=person)

    assert broadcasting.draft(later, by=None).preflight["skips"] == {"already_sent": 1}
    assert broadcasting.draft(later, by=None, force=True).preflight["skips"] == {}


def test_a_value_that_looks_like_a_variable_stays_what_it_is(campaign):
    lead(campaign, values={"dish": "{{1}}"})
    broadcast = broadcasting.draft(campaign, by=None)

    broadcasting.start(broadcast, by=None)

    assert "{{1}} is back" in CampaignLeadMessage.objects.get().context["body"]


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (lambda c: c.pause(rejection_reason="quality"), "template_status"),
        (lambda c: type(c).objects.update(enabled_at=None), "enabled"),
        (lambda c: type(c.account).objects.get().suspend(reason="unpaid"), "account"),
        (lambda _: Connection.objects.update(refused_at=timezone.now()), "connection"),
    ],
)
def test_what_stands_in_the_way_is_named_and_nothing_changes(campaign, spoil, field):
    lead(campaign)
    broadcast = broadcasting.draft(campaign, by=None)
    spoil(campaign)
    broadcast = Broadcast.objects.get(pk=broadcast.pk)

    with pytest.raises(broadcasting.CampaignNotReady) as no:
        broadcasting.start(broadcast, by=None)

    assert list(no.value.details) == [field]
    assert (broadcast.status, CampaignLeadMessage.objects.count()) == ("draft", 0)


def test_what_is_not_ready_is_not_scheduled(campaign):
    broadcast = broadcasting.draft(campaign, by=None)
    campaign.pause(rejection_reason="quality")

    with pytest.raises(broadcasting.CampaignNotReady):
        broadcasting.schedule(broadcast, timezone.now() + timedelta(days=1), by=None)


def test_pause_resume_and_cancel_say_where_the_broadcast_stands(campaign, user):
    CampaignLeadFactory.create_batch(3, campaign=campaign, custom_variables={"dish": "soup"})
    broadcast = broadcasting.draft(campaign, by=user)
    broadcasting.start(broadcast, by=user)

    paused = broadcasting.pause(broadcast, by=user, reason="a typo")
    resumed = broadcasting.resume(broadcast, by=user)
    cancelled = broadcasting.cancel(broadcast, by=user)

    assert paused == {"status": "paused", "in_flight": 0, "remaining": 3, "sent": 0}
    assert (resumed["status"], cancelled["status"], cancelled["remaining"]) == ("sending", "cancelled", 0)
    assert (CampaignLead.objects.active().count(), Lease.objects.count()) == (3, 0)


def test_a_paused_broadcast_cannot_be_started_again(campaign):
    lead(campaign)
    broadcast = BroadcastFactory(campaign=campaign, status="paused")

    with pytest.raises(TransitionNotAllowed):
        broadcasting.start(broadcast, by=None)


def test_the_clock_starts_what_is_due_and_completes_what_has_nobody_left(campaign):
    broadcast = broadcasting.draft(campaign, by=None)
    broadcasting.schedule(broadcast, timezone.now() - timedelta(minutes=1), by=None)

    broadcasting.tend()
    broadcast.refresh_from_db()

    assert broadcast.status == "completed"


def test_what_cannot_start_when_it_is_due_waits_as_a_draft(campaign):
    broadcast = broadcasting.draft(campaign, by=None)
    broadcasting.schedule(broadcast, timezone.now() - timedelta(minutes=1), by=None)
    campaign.pause(rejection_reason="quality")

    broadcasting.tend()
    broadcast.refresh_from_db()

    assert (broadcast.status, broadcast.scheduled_at) == ("draft", None)


def test_rows_that_lost_their_lease_get_one_again(campaign):
    lead(campaign)
    broadcast = broadcasting.draft(campaign, by=None)
    broadcasting.start(broadcast, by=None)
    Lease.objects.all().delete()

    broadcasting.tend()
    broadcasting.tend()

    assert Lease.objects.count() == 1


def test_a_test_message_uses_up_no_lead_and_does_not_count_as_sent(campaign, user):
    lead(campaign)

    test = broadcasting.test_send(campaign, phone="+15550009999", values={"dish": "soup", "lead_name": "Me"}, by=user)

    assert CampaignLeadMessage.objects.of(test).get().context["content_variables"] == {"1": "Me", "2": "soup"}
    assert CampaignLead.objects.active().count() == 1
    assert list(broadcasting.of_account(campaign.account)) == []
    assert broadcasting.draft(campaign, by=user).preflight["audience"] == 1


def test_a_test_message_without_a_value_is_refused(campaign, user):
    with pytest.raises(broadcasting.CampaignNotReady) as no:
        broadcasting.test_send(campaign, phone="+15550009999", values={}, by=user)

    assert no.value.details == {"values": ["lead_name", "dish"]}


@pytest.fixture
def large(campaign, settings):
    settings.APPROVAL_PEOPLE = 1
    CampaignLeadFactory.create_batch(2, campaign=campaign, custom_variables={"dish": "soup"})
    return broadcasting.draft(campaign, by=None)


def test_a_large_broadcast_waits_for_a_second_person(large, user):
    asked = broadcasting.launch(large, by=user)
    again = broadcasting.launch(large, by=user)

    with pytest.raises(Forbidden):
        approvals.decide(asked, by=user, granted=True)
    approvals.decide(asked, by=MembershipFactory(account=large.account).user, granted=True)

    assert (asked, large.status) == (again, "draft")
    assert broadcasting.launch(large, by=user) is None
    assert large.status == "sending"


def test_a_word_is_given_once(large, user):
    asked = broadcasting.launch(large, by=user)
    second = MembershipFactory(account=large.account).user
    approvals.decide(asked, by=second, granted=False)

    with pytest.raises(approvals.AlreadyDecided):
        approvals.decide(asked, by=second, granted=True)


def test_a_word_is_good_for_as_many_people_as_it_was_given_for(large, user, campaign):
    approvals.decide(
        broadcasting.launch(large, by=user), by=MembershipFactory(account=large.account).user, granted=True
    )
    lead(campaign)

    asked = broadcasting.launch(large, by=user)
    lead(campaign)

    assert asked.summary["people"] == 3
    assert broadcasting.launch(large, by=user).summary["people"] == 4


def test_a_small_broadcast_is_launched_or_scheduled_by_one_person(campaign, user):
    lead(campaign)
    now, later = broadcasting.draft(campaign, by=user), broadcasting.draft(campaign, by=user)

    broadcasting.launch(later, by=user, at=timezone.now() + timedelta(days=1))
    broadcasting.launch(now, by=user)

    assert (later.status, now.status) == ("scheduled", "sending")


@pytest.mark.django_db(transaction=True)
def test_twenty_starts_at_once_start_it_once(campaign):
    CampaignLeadFactory.create_batch(5, campaign=campaign, custom_variables={"dish": "soup"})
    broadcast = broadcasting.draft(campaign, by=None)
    won = []

    def start():
        try:
            won.append(broadcasting.start(Broadcast.objects.get(pk=broadcast.pk), by=None))
        except TransitionNotAllowed:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=start) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(won), CampaignLeadMessage.objects.count()) == (1, 5)
