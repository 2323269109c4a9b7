import os
import signal
import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from campaigns import broadcasting
from campaigns.models import Campaign, CampaignLeadMessage, MessageAttempt
from crm.customers import consent
from dispatch import lane, owners, sweeping, tasks
from dispatch.models import Owner
from lifecycle.models import Lease
from tests.dispatch.conftest import own_environment, send_until, wait_for
from tests.factories import CampaignFactory, CampaignLeadFactory

pytestmark = pytest.mark.django_db(transaction=True)
HX = f"HX{0:032x}"


def test_everybody_gets_it_once_and_the_broadcast_completes(started, twilio):
    one = started(150)

    send_until(lambda: one.status() == "completed")

    assert one.counts() == {"sent": 150}
    assert sorted(each["to"] for each in twilio.log()) == sorted(
        f"whatsapp:{phone}" for phone in one.messages().values_list("phone", flat=True)
    )


def test_an_accepted_message_stands_in_the_conversation_under_the_providers_id(started, twilio):
    one = started(1)

    send_until(lambda: one.status() == "completed")
    message = one.messages().select_related("message").get()

    assert message.provider_id == message.message.provider_id == twilio.log()[0]["sid"]


def test_each_move_has_its_history_row(started):
    one = started(3)

    send_until(lambda: one.status() == "completed")
    moves = CampaignLeadMessage.machine.moves.objects.order_by("row_id", "id").values_list("verb", flat=True)

    assert list(moves) == ["begin", "sent"] * 3


def test_a_lost_answer_is_found_in_the_list_and_not_sent_again(started, twilio):
    twilio.settings(lose_response=1.0)
    one = started(5)

    send_until(lambda: one.counts() == {"sent": 5})

    assert (len(twilio.log()), one.attempts()) == (5, ["accepted"] * 5)


def test_what_is_absent_twice_after_quiet_is_sent_again(started, twilio):
    twilio.settings(status_500=1.0)
    one = started(2)

    send_until(lambda: "unknown" in one.attempts())
    twilio.settings(status_500=0.0)
    send_until(lambda: one.counts() == {"sent": 2})

    assert (len(twilio.log()), sorted(set(one.attempts()))) == (2, ["accepted", "released"])


def test_a_refusal_for_now_goes_back_in_line_and_counts_a_try(started, twilio):
    twilio.settings(status_429=1.0, retry_after_s=1)
    one = started(1)

    send_until(lambda: one.messages().get().tries == 1)
    twilio.settings(status_429=0.0)
    send_until(lambda: one.counts() == {"sent": 1})

    assert one.attempts() == ["accepted", "rejected"]


def test_a_refusal_for_good_fails_the_row_with_the_providers_code(started, twilio):
    one = started(1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns_campaignleadmessage SET phone = '+15005550001'")

    send_until(lambda: one.status() == "completed")

    assert one.messages().get().error_code == "21211"


def test_a_stop_after_the_start_skips_the_person(started, twilio):
    one = started(2)
    person = one.messages().first()
    consent.withdraw(one.broadcast.account, channel="whatsapp", address=person.phone, source="test")
    one.messages().filter(pk=person.pk).update(address_hash=consent.phone_hash(one.broadcast.account_id, person.phone))

    send_until(lambda: one.status() == "completed")
    person.refresh_from_db()

    assert (person.status, person.skip_reason, len(twilio.log())) == ("skipped", "opted_out", 1)


def test_a_pause_holds_the_rest_and_a_resume_reaches_everybody_once(started, twilio):
    twilio.settings(latency_ms=30)
    one = started(800)
    standing = {}

    send_until(lambda: bool(standing), meanwhile=lambda: standing.update(broadcasting.pause(one.broadcast, by=None)))
    assert standing["status"] == "paused"
    assert 0 < standing["remaining"] < 800

    one.broadcast.resume()
    send_until(lambda: one.counts() == {"sent": 800})

    assert len({each["to"] for each in twilio.log()}) == len(twilio.log()) == 800


def test_a_suspended_account_sends_nothing_and_loses_nothing(started, twilio):
    one = started(3)
    one.broadcast.account.suspend(reason="unpaid")

    send_until(Owner.objects.exists)

    assert (one.counts(), twilio.log()) == ({"queued": 3}, [])


def test_credentials_refused_three_times_hold_the_broadcast_with_every_row_queued(started, twilio):
    one = started(6)
    one.connection.secret = {"auth_token": ""}
    one.connection.save()

    send_until(lambda: one.status() == "paused" and one.counts() == {"queued": 6})
    one.connection.refresh_from_db()

    assert one.connection.refused_at is not None


def test_the_open_calls_of_a_dead_sender_are_unknown_and_its_leases_free(started):
    one = started(1)
    dead = Owner.objects.create(provider="twilio", pid=1, host="elsewhere", seen_at=timezone.now() - timedelta(hours=1))
    row = one.messages().get()
    MessageAttempt.objects.create(
        account=row.account, row=row, sender="+1", address=row.phone, owner=dead.pk, state="calling"
    )
    Lease.objects.update(owner=dead.pk)

    sweeping.sweep()

    assert (one.attempts(), Lease.objects.get().owner) == (["unknown"], None)


def test_an_owner_declared_dead_lets_go_and_begins_anew(started):
    one = started(2)

    send_until(
        lambda: one.status() == "completed" and Owner.objects.count() >= 2,
        meanwhile=lambda: Owner.objects.update(ended_at=timezone.now()),
    )

    assert one.counts() == {"sent": 2}


def test_rows_without_a_lease_get_one_again(started):
    one = started(2)
    Lease.objects.all().delete()

    send_until(lambda: one.status() == "completed")

    assert one.counts() == {"sent": 2}


def test_a_second_sweep_at_the_same_time_leaves_it_to_the_first(started):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(1)")

    assert sweeping.sweep() is True


def test_the_age_of_the_oldest_due_lease_is_told(started):
    started(1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE lifecycle_lease SET due_at = now() - interval '90 seconds'")

    assert sweeping.oldest_due_seconds() == pytest.approx(90, abs=5)


def test_no_lane_sends_through_an_unknown_provider():
    with pytest.raises(CommandError, match="No lane sends through"):
        call_command("send", "nobody")


def test_a_template_that_whatsapp_paused_is_not_sent(started, twilio):
    one = started(2)
    Campaign.objects.filter(pk=one.broadcast.campaign_id).transition("pause", rejection_reason="quality")

    send_until(Owner.objects.exists)

    assert (one.counts(), twilio.log()) == ({"queued": 2}, [])


def test_a_sender_whose_connection_is_cut_begins_anew(started):
    one = started(400)

    def cut():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database() AND query LIKE '%%campaigns_%%'"
            )

    send_until(lambda: one.counts() == {"sent": 400}, meanwhile=cut, seconds=30)

    assert Owner.objects.count() >= 1


def test_a_broadcast_keeps_to_its_own_rate(started, twilio):
    one = started(12, rate_per_second=20)

    send_until(lambda: one.status() == "completed")
    arrived = sorted(call["arrived_at"] for call in twilio.calls())

    assert arrived[-1] - arrived[0] >= 11 / 20 * 0.9


def test_two_messages_to_one_person_are_six_seconds_apart(started, twilio):
    first = started(1)
    person = first.messages().get().conversation_user
    other = CampaignFactory(account=first.broadcast.account, status="approved", content_sid=HX, campaign_type="service")
    CampaignLeadFactory(campaign=other, conversation_user=person)
    broadcasting.start(broadcasting.draft(other, by=None), by=None)

    send_until(lambda: CampaignLeadMessage.objects.filter(status="sent").count() == 2)
    one, two = sorted(call["arrived_at"] for call in twilio.calls())

    assert two - one >= 5.9


def test_a_provider_that_does_not_answer_the_question_leaves_it_open(started, twilio):
    twilio.settings(lose_response=1.0)
    one = started(1)
    one.connection.secret = {"auth_token": ""}

    send_until(lambda: one.attempts() == ["unknown"], meanwhile=one.connection.save)

    assert one.counts() == {"sending": 1}


def test_a_terminated_sender_records_its_calls_and_leaves(started, twilio):
    twilio.settings(latency_ms=100)
    one = started(300)

    def terminate():
        # Whoever has called can be told to end; before that it would be the end of this program.
        try:
            wait_for(twilio.calls, 60)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    teller = threading.Thread(target=terminate)
    teller.start()
    call_command("send", "twilio")
    teller.join()

    assert set(one.attempts()) <= {"accepted", "released"}
    assert sum(one.counts().values()) == 300
    assert (Owner.objects.filter(ended_at=None).count(), Lease.objects.exclude(owner=None).count()) == (0, 0)


def test_a_sender_is_started_where_none_is_alive_and_only_one(started, twilio, settings, tmp_path, monkeypatch):
    settings.DATA_DIR = tmp_path
    for name, value in own_environment(tmp_path, twilio).items():
        monkeypatch.setenv(name, value)

    tasks.keep_senders()
    wait_for(lambda: all(map(owners.alive, lane.providers())), 30)
    tasks.keep_senders()
    pid_files = list((tmp_path / "senders").iterdir())
    for each in pid_files:
        os.kill(int(each.read_text()), signal.SIGTERM)
    wait_for(lambda: not any(each.exists() for each in pid_files))
    wait_for(lambda: {sender.poll() for sender in tasks._started} == {0})

    assert sorted(Owner.objects.values_list("provider", flat=True)) == lane.providers()


def test_the_clock_nudges_sweep_inbox_and_clean_up(started):
    Owner.objects.create(provider="twilio", pid=1, host="elsewhere", seen_at=timezone.now() - timedelta(hours=1))

    tasks.sweep(newer="argument")
    tasks.apply_inbox()
    tasks.forget_old_webhooks()

    assert owners.alive("twilio") == 0
