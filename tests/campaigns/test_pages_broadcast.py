import csv
import datetime as dt
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.merchant_progress import moves_of
from accounts.roles import Role
from campaigns.models import Broadcast, CampaignLeadMessage
from campaigns.pages import progress as standing
from campaigns.pages import words
from campaigns.pages.progress import Progress
from dispatch.models import InboxEntry
from lifecycle.transition import TransitionNotAllowed
from tests.campaigns.pages_world import NOBODYS, page_of, role_page, running, said
from tests.factories import BroadcastFactory, CampaignLeadMessageFactory, MessageAttemptFactory

pytestmark = pytest.mark.django_db
PAGES = ("", "/live", "/people", "/people?status=failed&q=%2B1666", "/export")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("role", Role.values)
def test_everybody_of_the_account_may_look(api, role, path):
    broadcast = running(api.account)

    assert role_page(api.account, role).get(f"/campaigns/wa_{broadcast.pk}{path}").status_code == 200


@pytest.mark.parametrize("path", [*PAGES, "/people/1", "/confirm/pause", "/edit/review", "/edit/audience"])
def test_a_neighbours_broadcast_is_not_there(page, neighbour, path):
    theirs = running(neighbour.account)
    path = path.replace("/people/1", f"/people/{theirs.rows[0].pk}")

    answers = [page.get(f"/campaigns/wa_{pk}{path}") for pk in (theirs.pk, NOBODYS)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize(
    "path", ["/campaigns/wa_0", "/campaigns/wa_٣", "/campaigns/wa_9999999999999999999", "/people/01"]
)
def test_what_is_no_number_is_not_there(page, path):
    assert page.get(path).status_code == 404


@pytest.mark.parametrize("path", ["", "/live", "/people"])
def test_the_page_costs_the_same_for_any_number_of_people(page, api, path):
    spent = []
    for people in (1, 3):
        broadcast = running(api.account, *["read"] * people)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            page.get(f"/campaigns/wa_{broadcast.pk}{path}")
        spent.append(len(queries))

    assert spent[0] == spent[1] <= 12


def test_the_page_says_how_far_it_is_and_why_not(page, api):
    broadcast = running(api.account, "read", "delivered", "skipped", "failed", "sending", "queued")
    failed = next(row for row in broadcast.rows if row.status == "failed")
    CampaignLeadMessage.objects.filter(pk=failed.pk).update(error_code="63024")
    CampaignLeadMessage.objects.filter(status="read").update(replied_at=timezone.now())
    MessageAttemptFactory(row=next(row for row in broadcast.rows if row.status == "sending"), state="unknown")

    html = page.get(f"/campaigns/wa_{broadcast.pk}").content.decode()

    for shown in ("6 people", "1 message failed.", "1 × This number is not on WhatsApp", "1 replied", "Opted out",
                  "1 message has no known outcome", "Why 1 were left out", "Sending started"):  # fmt: skip
        assert shown in html


@pytest.mark.parametrize(
    ("by_us", "shown"),
    [(True, "We paused this broadcast."), (False, "Paused · 1 person waiting · 1 still with Twilio")],
)
def test_a_pause_says_who_and_why(page, api, by_us, shown):
    broadcast = running(api.account, "queued", "sending")
    broadcast.pause(by=None if by_us else api.user, reason="refused by Twilio: 63001")

    assert shown in page.get(f"/campaigns/wa_{broadcast.pk}").content.decode()


def test_the_live_piece_is_sent_only_when_it_moved(page, api):
    broadcast = running(api.account, "queued", "queued")
    first = page.get(f"/campaigns/wa_{broadcast.pk}/live")
    again = page.get(f"/campaigns/wa_{broadcast.pk}/live", headers={"if-none-match": first["ETag"]})
    broadcast.rows[0].begin()
    moved = page.get(f"/campaigns/wa_{broadcast.pk}/live", headers={"if-none-match": first["ETag"]})

    assert (first.status_code, again.status_code, moved.status_code) == (200, 304, 200)
    assert "data-live-done" not in first.content.decode()


def test_the_live_piece_comes_to_rest(page, api):
    broadcast = running(api.account, "read", status="completed")

    assert "data-live-done" in page.get(f"/campaigns/wa_{broadcast.pk}/live").content.decode()
    assert 'data-live="' not in page.get(f"/campaigns/wa_{broadcast.pk}").content.decode()


def test_a_scheduled_one_shows_what_it_will_do(page, api):
    planned = {"audience": 5, "skips": {"opted_out": 2}, "estimated_cost": {"amount": 35, "currency": "USD"}}
    broadcast = BroadcastFactory(account=api.account, status="scheduled", preflight=planned)

    html = page.get(f"/campaigns/wa_{broadcast.pk}").content.decode()

    assert "Will get it" in html
    assert "will be left out" in html
    assert "$0.35" in html


@pytest.mark.parametrize(
    ("query", "found"),
    [("?status=failed", ["failed"]), ("?status=waiting", ["queued", "sending"]), ("?status=read", ["read"]),
     ("?status=nonsense", []), ("?q=Zoe", ["read"]), ("?q=%2B44 (20)", ["failed"]), ("?q=%00%2B44", ["failed"]),
     ("?q=nobody", []), ("?after=x", ["queued", "sending", "read", "failed"])],
)  # fmt: skip
def test_people_are_found_by_state_name_and_number(page, api, query, found):
    broadcast = running(api.account, "queued", "sending", "read", "failed")
    broadcast.rows[2].conversation_user.name = "Zoe"
    broadcast.rows[2].conversation_user.save()
    CampaignLeadMessage.objects.filter(pk=broadcast.rows[3].pk).update(phone="+4420123")

    shown = page.get(f"/campaigns/wa_{broadcast.pk}/people{query}").context["page"].rows

    assert [row.status for row in shown] == found


def test_the_export_runs_no_formula(page, api):
    broadcast = running(api.account, "read", "skipped")
    broadcast.rows[0].conversation_user.name = "=cmd()"
    broadcast.rows[0].conversation_user.save()

    answer = page.get(f"/campaigns/wa_{broadcast.pk}/export")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))

    assert answer["Content-Disposition"] == f'attachment; filename="wa_{broadcast.pk}.csv"'
    assert [row["name"] for row in rows] == ["'=cmd()", str(broadcast.rows[1].conversation_user.name)]
    assert rows[0]["phone"] == f"'{broadcast.rows[0].phone}"
    assert rows[1]["what_happened"] == "Opted out"


def test_one_person_is_told_from_birth_to_reading(page, api):
    broadcast = running(api.account, "read")
    attempt = MessageAttemptFactory(row=broadcast.rows[0], state="accepted", provider_id="SMfake1")
    MessageAttemptFactory(row=broadcast.rows[0], state="rejected", code="63018")
    InboxEntry.objects.create(
        account=api.account, provider="twilio", kind="status", dedupe_key=f"SMfake1:read:{attempt.uuid}", body=b""
    )

    html = page.get(f"/campaigns/wa_{broadcast.pk}/people/{broadcast.rows[0].pk}").content.decode()

    for told in (
        "Queued",
        "Sending",
        "Read",
        "Twilio took it",
        "SMfake1",
        "Twilio reported “read”",
        "Refused by Twilio (63018)",
    ):
        assert told in html


def test_one_person_who_was_left_out_is_told_why(page, api):
    row = CampaignLeadMessageFactory(broadcast=running(api.account, "read"), status="skipped", skip_reason="opted_out")

    html = page.get(f"/campaigns/wa_{row.broadcast_id}/people/{row.pk}").content.decode()

    assert "Opted out" in html
    assert "What they would have got" in html


def test_a_draft_opens_in_the_wizard(page, api):
    broadcast = BroadcastFactory(account=api.account)

    assert page.get(f"/campaigns/wa_{broadcast.pk}").url == f"/campaigns/wa_{broadcast.pk}/edit/review"


@pytest.mark.parametrize(
    ("status", "action", "form", "becomes"),
    [("sending", "pause", {"reason": "typo"}, "paused"), ("paused", "resume", {}, "sending"),
     ("scheduled", "unschedule", {}, "draft"), ("scheduled", "cancel", {}, "cancelled"),
     ("draft", "cancel", {}, "cancelled"),
     ("paused", "cancel", {"typed": "autumn"}, "cancelled")],
)  # fmt: skip
def test_what_is_confirmed_is_done(page, api, status, action, form, becomes):
    planned = {"audience": 1, "skips": {}}
    broadcast = BroadcastFactory(account=api.account, status=status, campaign__name="autumn", preflight=planned)
    address = f"/campaigns/wa_{broadcast.pk}/confirm/{action}"

    assert page.get(address).status_code == 200
    assert page.post(address, form).status_code == 303
    broadcast.refresh_from_db()
    assert broadcast.status == becomes
    assert Broadcast.machine.moves.objects.filter(row_id=broadcast.pk).order_by("-id")[0].by_id == api.user.pk


@pytest.mark.parametrize(
    ("status", "action", "form", "answer"),
    [("sending", "cancel", {}, 400), ("sending", "cancel", {"typed": "winter"}, 400), ("sending", "resume", {}, 409),
     ("completed", "pause", {}, 409), ("sending", "explode", {}, 404), ("sending", "start", {}, 404)],
)  # fmt: skip
def test_what_is_not_confirmed_or_not_possible_is_not_done(page, api, status, action, form, answer):
    broadcast = running(api.account, "queued", status=status)

    assert page.post(f"/campaigns/wa_{broadcast.pk}/confirm/{action}", form).status_code == answer
    broadcast.refresh_from_db()
    assert broadcast.status == status


def test_many_people_are_only_resumed_by_typing_their_number(page, api, settings):
    settings.APPROVAL_PEOPLE = 1
    broadcast = running(api.account, "queued", "queued", status="paused")
    address = f"/campaigns/wa_{broadcast.pk}/confirm/resume"

    assert "Type 2 to go on" in page.get(address).content.decode()
    assert page.post(address, {"typed": "3"}).status_code == 400
    assert said(page.post(address, {"typed": " 2 "}, follow=True)) == ["Going on with 2 people."]


@pytest.mark.parametrize("role", [Role.MARKETING])
def test_who_may_not_send_sees_no_button_and_no_page(api, role):
    broadcast = running(api.account)
    theirs = role_page(api.account, role)

    assert "confirm/pause" not in theirs.get(f"/campaigns/wa_{broadcast.pk}").content.decode()
    assert theirs.get(f"/campaigns/wa_{broadcast.pk}/confirm/pause").status_code == 403
    assert theirs.post(f"/campaigns/wa_{broadcast.pk}/confirm/pause").status_code == 403


def test_strangers_are_led_to_the_sign_in(client, api):
    broadcast = running(api.account)

    assert client.get(f"/campaigns/wa_{broadcast.pk}").url == f"/login?next=/campaigns/wa_{broadcast.pk}"


@pytest.mark.parametrize(
    ("status", "counts", "seconds", "sentence"),
    [("sending", {"queued": 100, "sent": 50}, 60, "50 a minute · about 2 min left"),
     ("sending", {"queued": 100, "sent": 5000}, 60, "5,000 a minute · under a minute left"),
     ("sending", {"queued": 100_000, "sent": 100}, 60, "100 a minute · about 17 h left"),
     ("sending", {"queued": 9}, 60, "Starting"), ("sending", {"sending": 9}, 60, "Waiting for the last answers"),
     ("completed", {"read": 9}, 30, "Everybody has an outcome · took 30 s"),
     ("completed", {"read": 9}, 600, "Everybody has an outcome · took 10 min"),
     ("completed", {"read": 9}, 9000, "Everybody has an outcome · took 2 h"),
     ("cancelled", {}, 0, "Cancelled"), ("draft", {}, 0, "Not started"), ("scheduled", {}, 0, "Waits for its time")],
)  # fmt: skip
def test_the_pace_is_one_sentence(status, counts, seconds, sentence):
    broadcast = BroadcastFactory.build(status="draft")
    broadcast.__dict__["status"] = status

    assert Progress(broadcast, counts, seconds=seconds).pace == sentence


def test_pauses_do_not_count_as_sending(api):
    broadcast = BroadcastFactory(account=api.account, status="sending")
    broadcast.pause(by=None)
    broadcast.resume(by=None)
    start, pause, resume = moves_of(broadcast)
    start.at, pause.at, resume.at = (dt.datetime(2026, 1, 1, 9, minute, tzinfo=dt.UTC) for minute in (0, 5, 20))

    assert standing.seconds_sending([start, pause, resume], resume.at + dt.timedelta(minutes=1)) == 360


@pytest.mark.parametrize(
    ("code", "name"),
    [("en_GB", "British English"), ("zh_CN", "Chinese (simplified)"), ("es_CL", "Spanish (CL)"), ("xx", "xx")],
)
def test_languages_have_names(code, name):
    assert words.language(code) == name


def test_a_refused_page_names_the_reason(page, api):
    broadcast = BroadcastFactory(account=api.account, status="completed")

    answer = page.get(f"/campaigns/wa_{broadcast.pk}/confirm/pause")

    assert answer.status_code == TransitionNotAllowed.status
    assert "This broadcast is completed." in answer.content.decode()


def test_somebody_else_of_the_account_finds_the_same(api):
    broadcast = running(api.account)

    assert page_of(api.user).get(f"/campaigns/wa_{broadcast.pk}").status_code == 200
