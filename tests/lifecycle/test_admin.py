"""Operators move rows by buttons and in bulk, with a reason, and in no other way."""

import datetime as dt

import pytest
from django.contrib.admin.models import LogEntry

from accounts.roles import Role
from campaigns.models import Broadcast
from lifecycle import admin
from lifecycle.moving import rows_moved
from tests.factories import BroadcastFactory, MembershipFactory, UserFactory
from tests.lifecycle.graphs import status_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.lifecycle.admin_site")]
LIST = "/admin/campaigns/broadcast/"


def signed_in(client, role):
    user = UserFactory(is_staff=True, is_superuser=True)
    MembershipFactory(user=user, role=role)
    client.force_login(user)
    client.user = user
    return client


@pytest.fixture
def operator(client):
    return signed_in(client, Role.PLATFORM_ADMIN)


def address(row, verb=None):
    return f"{LIST}{row.pk}/" + (f"transition/{verb}/" if verb else "change/")


def in_bulk(operator, verb, rows, **fields):
    data = {"action": f"transition_{verb}", "_selected_action": [row.pk for row in rows], **fields}
    return operator.post(LIST, data, follow=True)


def said(response):
    return [str(message) for message in response.context["messages"]]


def test_a_row_shows_a_button_for_each_move_that_is_possible(operator):
    page = operator.get(address(BroadcastFactory(status="sending"))).content.decode()

    shown = [verb for verb in Broadcast.machine.edges if f"/transition/{verb}/" in page]
    assert shown == ["pause", "cancel"]


def test_somebody_without_the_permission_sees_and_gets_nothing(client):
    author, row = signed_in(client, Role.MARKETING), BroadcastFactory(status="sending")

    assert "/transition/" not in author.get(address(row)).content.decode()
    assert "transition_pause" not in author.get(LIST).content.decode()
    assert author.post(address(row, "pause"), {"reason": "because", "seen": "sending"}).status_code == 403
    assert status_of(row) == "sending"


def test_looking_at_the_confirm_page_moves_nothing(operator):
    row = BroadcastFactory(status="sending")

    response = operator.get(address(row, "pause"))

    assert b"No new call starts." in response.content
    assert status_of(row) == "sending"


def test_a_confirmed_move_leaves_history_and_a_log_entry(operator):
    row = BroadcastFactory(status="sending")

    response = operator.post(address(row, "pause"), {"reason": "asked to", "seen": "sending"}, follow=True)

    move = rows_moved(Broadcast, row.pk).last()
    assert (move.verb, move.by_id, move.reason) == ("pause", operator.user.pk, "asked to")
    assert LogEntry.objects.get().change_message == "Pause → paused: asked to"
    assert said(response) == [f"{row}: sending → paused."]
    assert f"<td>{operator.user.email}</td><td>asked to</td>" in response.content.decode()


@pytest.mark.parametrize("reason", ["", "no", "a\x00b\x07c"])
def test_a_reason_is_wanted(operator, reason):
    row = BroadcastFactory(status="sending")

    response = operator.post(address(row, "pause"), {"reason": reason, "seen": "sending"})

    assert response.context["form"].errors.keys() == {"reason"}
    assert status_of(row) == "sending"


def test_a_row_that_moved_meanwhile_stays(operator):
    row = BroadcastFactory(status="paused")

    response = operator.post(address(row, "cancel"), {"reason": "because", "seen": "sending"}, follow=True)

    assert said(response) == ["Nothing was done: the status moved meanwhile and is now paused."]


@pytest.mark.parametrize("verb", ["resume", "complete"])
def test_what_is_not_possible_now_or_the_machines_own_is_refused(operator, verb):
    row = BroadcastFactory(status="sending")

    response = operator.post(address(row, verb), {"reason": "because", "seen": "sending"}, follow=True)

    assert said(response) == [f"“{verb.capitalize()}” is not possible while the status is sending."]
    assert status_of(row) == "sending"


@pytest.mark.parametrize(("path", "answer"), [("1/transition/pause/", 302), ("{}/transition/explode/", 404)])
def test_an_unknown_row_or_verb_is_not_there(operator, path, answer):
    Broadcast.objects.filter(pk=1).delete()

    assert operator.get(LIST + path.format(BroadcastFactory(pk=7).pk)).status_code == answer


def test_a_verb_is_told_what_it_sets(operator):
    row = BroadcastFactory()
    told = {"reason": "tomorrow", "seen": "draft"}

    refused = operator.post(address(row, "schedule"), told)
    operator.post(address(row, "schedule"), {**told, "scheduled_at": "2030-01-01T10:00"})

    assert refused.context["form"].non_field_errors() == ["These values do not go with the new status."]
    row.refresh_from_db()
    assert (row.status, row.scheduled_at) == ("scheduled", dt.datetime(2030, 1, 1, 10, tzinfo=dt.UTC))


def test_a_process_may_refuse(operator):
    row = BroadcastFactory()

    response = operator.post(address(row, "cancel"), {"reason": "not today", "seen": "draft"})

    assert response.context["form"].non_field_errors() == ["The process refuses."]


def test_a_bulk_move_is_previewed_and_then_reports(operator):
    rows = [BroadcastFactory(status=status) for status in ("sending", "sending", "draft")]

    page = in_bulk(operator, "pause", rows)
    response = in_bulk(operator, "pause", rows[:1], chosen=f"{','.join(str(row.pk) for row in rows)},x", reason="all")

    assert (page.context["able"], page.context["counts"]) == (2, [("draft", 1), ("sending", 2)])
    assert said(response) == ["2 moved, 1 refused: 1 draft."]
    assert sorted(status_of(row) for row in rows) == ["draft", "paused", "paused"]
    assert LogEntry.objects.count() == 2


def test_a_bulk_move_wants_a_reason_too(operator):
    row = BroadcastFactory(status="sending")

    response = in_bulk(operator, "pause", [row], chosen=str(row.pk))

    assert response.context["form"].errors.keys() == {"reason"}
    assert status_of(row) == "sending"


def test_a_second_click_moves_nothing(operator):
    row = BroadcastFactory(status="sending")

    answers = [in_bulk(operator, "pause", [row], chosen=str(row.pk), reason="because") for _ in range(2)]

    assert [said(answer) for answer in answers] == [["1 moved, 0 refused."], ["0 moved, 1 refused: 1 paused."]]


def test_too_many_rows_are_refused(operator, monkeypatch):
    monkeypatch.setattr(admin, "AT_ONCE", 1)

    response = in_bulk(operator, "cancel", [BroadcastFactory(), BroadcastFactory()])

    assert said(response) == ["At most 1 rows can be moved at once."]


def test_the_status_is_read_only_and_rows_are_not_deleted(operator):
    row = BroadcastFactory()
    fields = operator.get(address(row)).context["adminform"].form.fields

    assert not {"status", "status_at"} & set(fields)
    assert operator.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in operator.get(LIST).content.decode()


def test_a_form_for_a_new_row_has_no_buttons(operator):
    assert b"transition" not in operator.get(f"{LIST}add/").content


def test_the_history_says_who(operator):
    row = BroadcastFactory(status="sending")
    row.pause(by=type("Gone", (), {"pk": 999_999})())

    page = operator.get(address(row)).content.decode()

    assert "<td>person 999999</td>" in page
    assert "<td>the machine</td>" in page
