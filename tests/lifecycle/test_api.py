"""`POST …/transition`: one door for every machine."""

import pytest

from accounts.roles import Role
from campaigns.models import Broadcast
from lifecycle.moving import rows_moved
from tests.factories import BroadcastFactory
from tests.fixtures_http import caller
from tests.lifecycle.api_doors import MoveBroadcast
from tests.lifecycle.graphs import status_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.lifecycle.api_doors")]
TOMORROW = "2030-01-01T10:00:00Z"


def move(who, row, **options):
    return who.post(f"/api/v1/broadcasts/{row.pk}/transition", **options)


def test_an_event_moves_the_row_and_shows_it(api):
    row = BroadcastFactory(account=api.account, status="sending")

    answer = move(api, row, json={"event": "pause", "reason": "lunch"})

    assert (answer.status_code, answer.json()) == (200, {"id": row.pk, "status": "paused", "scheduled_at": None})
    last = rows_moved(Broadcast, row.pk).last()
    assert (last.by_id, last.reason) == (api.user.pk, "lunch")


def test_an_event_carries_what_it_sets(api):
    row = BroadcastFactory(account=api.account)

    answer = move(api, row, json={"event": "schedule", "scheduled_at": TOMORROW})

    assert answer.json() == {"id": row.pk, "status": "scheduled", "scheduled_at": TOMORROW}


@pytest.mark.parametrize(
    ("body", "status", "code", "details"),
    [
        ({"event": "explode"}, 400, "VALIDATION_ERROR", {"event"}),
        ({}, 400, "VALIDATION_ERROR", {"event"}),
        ({"event": "pause", "reason": "a\u0007b"}, 400, "VALIDATION_ERROR", {"reason"}),
        ({"event": "schedule"}, 400, "VALIDATION_ERROR", {"scheduled_at"}),
        ({"event": "pause", "scheduled_at": TOMORROW}, 400, "VALIDATION_ERROR", {"scheduled_at"}),
        ({"event": "pause", "ended_at": TOMORROW}, 400, "VALIDATION_ERROR", {"ended_at"}),
        ({"event": "resume"}, 409, "transition_not_allowed", {"status", "allowed"}),
        ({"event": "complete"}, 409, "transition_not_allowed", {"status", "allowed"}),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(api, body, status, code, details):
    row = BroadcastFactory(account=api.account, status="sending")

    answer = move(api, row, json=body)

    assert (answer.status_code, answer.json()["code"], set(answer.json()["details"])) == (status, code, details)
    assert status_of(row) == "sending"


def test_a_refusal_names_what_is_allowed(api):
    answer = move(api, BroadcastFactory(account=api.account, status="paused"), json={"event": "pause"})

    assert answer.json()["details"] == {"status": "paused", "allowed": ["resume", "cancel"]}


def test_the_edge_asks_for_its_permission():
    author = caller(Role.MARKETING)
    row = BroadcastFactory(account=author.account, status="sending")

    answer = move(author, row, json={"event": "pause"})

    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


def test_a_neighbour_finds_nothing(api, neighbour):
    row = BroadcastFactory(account=api.account, status="sending")

    assert move(neighbour, row, json={"event": "pause"}).status_code == 404
    assert status_of(row) == "sending"


def test_an_old_version_is_not_moved(api):
    row = BroadcastFactory(account=api.account, status="sending")

    answer = move(api, row, json={"event": "pause"}, headers={"if-match": '"0000-0000"'})

    assert answer.status_code == 412
    assert status_of(row) == "sending"


def test_openapi_lists_the_events():
    assert list(MoveBroadcast.bodies["POST"]().fields["event"].choices) == list(Broadcast.machine.edges)
