"""One row is a bulk of one: every verb from every state, on both paths and both ways PostgreSQL can be asked."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from campaigns.models import Broadcast, Campaign
from lifecycle import moving
from lifecycle.moving import rows_moved
from lifecycle.transition import TransitionNotAllowed, UnknownTransition
from tests.factories import (
    AccountFactory,
    BroadcastFactory,
    CampaignFactory,
    CampaignLeadMessageFactory,
    UserFactory,
    in_state,
    told,
)
from tests.lifecycle.graphs import DRAWN, STATES, status_of

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["old row", "one source at a time"])
def server(request, monkeypatch):
    """PostgreSQL 18 tells the old row; 15 to 17 are asked once per source, which 18 can be too."""
    if request.param == "one source at a time":
        monkeypatch.setattr(moving, "TELLS_THE_OLD_ROW", 10**9)


def by_instance(row, verb, **told_fields):
    try:
        getattr(row, verb)(**told_fields)
        refused = None
    except TransitionNotAllowed as refusal:
        refused = refusal.details
    assert refused in (None, {"status": status_of(row), "allowed": row.allowed_verbs()})
    assert row.status == status_of(row)
    return refused is None


def by_queryset(row, verb, **told_fields):
    return type(row).objects.filter(pk=row.pk).transition(verb, **told_fields) == [row.pk]


def by_joined_queryset(row, verb, **told_fields):
    mine = type(row).objects.filter(pk=row.pk)
    joined = mine.filter(account__name=row.account.name) if row.owner_column == "account_id" else mine.distinct()
    return joined.transition_all(verb, **told_fields) == 1


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("path", [by_instance, by_queryset, by_joined_queryset])
@pytest.mark.parametrize(("model", "state"), STATES)
def test_a_verb_moves_from_its_sources_and_from_nowhere_else(model, state, path):
    row, user = DRAWN[model].factory(status=state), UserFactory()
    before = rows_moved(model, row.pk).count()

    for verb, edge in model.machine.edges.items():
        place = transaction.savepoint()
        moved = path(row, verb, by=user, reason="because", **told(model, verb))
        written = list(rows_moved(model, row.pk)[before:])

        assert moved == (state in edge.sources)
        assert status_of(row) == (edge.target if moved else state)
        assert [(m.verb, m.source, m.target, m.by_id, m.reason, m.account_id) for m in written] == (
            [(verb, state, edge.target, user.pk, "because", getattr(row, model.owner_column))] if moved else []
        )
        transaction.savepoint_rollback(place)
        row.refresh_from_db()


@pytest.mark.usefixtures("server")
def test_a_set_moves_with_its_history_in_one_statement():
    account = AccountFactory()
    rows = Campaign.objects.bulk_create(CampaignFactory.build(account=account) for _ in range(1000))

    with CaptureQueriesContext(
        connection,
    ) as queries:
        ids = Campaign.objects.filter(account=account).transition("review")

    assert ids == sorted(row.pk for row in rows)
    at_once = connection.pg_version >= moving.TELLS_THE_OLD_ROW
    assert len(queries) == (1 if at_once else len(Campaign.machine.edge("review").sources))
    assert Campaign.machine.moves.objects.filter(account_id=account.pk, target="pending").count() == 1000


def test_history_links_up_and_carries_the_time_of_the_move():
    row = in_state(BroadcastFactory(), "completed")

    moves = list(rows_moved(Broadcast, row.pk))

    assert [(move.source, move.target) for move in moves] == [("draft", "sending"), ("sending", "completed")]
    assert moves[-1].at == row.status_at
    assert moves[-1].by_id is None


@pytest.mark.usefixtures("server")
def test_a_row_that_arrives_at_its_target_is_not_moved_twice(monkeypatch):
    edge = Broadcast.machine.edge("pause")
    looping = type(edge)("pause", ("sending", "paused"), "paused")
    monkeypatch.setitem(Broadcast.machine.edges, "pause", looping)
    rows = [BroadcastFactory(status="sending"), BroadcastFactory(status="paused")]

    assert Broadcast.objects.filter(pk__in=[row.pk for row in rows]).transition_all("pause") == 2


def test_a_move_stamps_only_what_it_declares():
    row = BroadcastFactory()

    row.schedule(scheduled_at="2030-01-01T00:00:00Z")

    assert row.scheduled_at.year == 2030
    with pytest.raises(TypeError, match="pause\\(\\) does not set scheduled_at"):
        row.pause(scheduled_at=None)


def test_an_unknown_verb_is_refused_with_the_known_ones():
    with pytest.raises(UnknownTransition) as refused:
        Broadcast.objects.all().transition("explode")

    assert "pause, resume" in refused.value.details["event"][0]


def test_nothing_moves_where_nothing_can_match():
    assert Broadcast.objects.none().transition("start") == []
    assert Broadcast.objects.none().transition_all("start") == 0


def test_a_slice_cannot_be_moved():
    with pytest.raises(TypeError, match="slice"):
        Broadcast.objects.all()[:1].transition("start")


def test_querysets_may_be_annotated_ordered_and_narrowed():
    row = BroadcastFactory()
    narrowed = Broadcast.objects.order_by("campaign__name").select_related("campaign").in_states(["draft"])

    assert narrowed.filter(campaign__name=row.campaign.name).transition("start") == [row.pk]


def test_a_constraint_keeps_the_row_and_writes_no_history():
    row = CampaignLeadMessageFactory()

    with pytest.raises(IntegrityError, match="a_skipped_message_has_a_reason"), transaction.atomic():
        row.skip()

    assert (status_of(row), rows_moved(type(row), row.pk).count()) == ("queued", 0)


@pytest.mark.parametrize("save", [{}, {"update_fields": ["rate_per_second"]}])
def test_saving_an_old_instance_leaves_the_status_alone(save):
    row = BroadcastFactory(status="sending")
    Broadcast.objects.get(pk=row.pk).pause()

    row.rate_per_second = 7
    row.save(**save)

    kept = Broadcast.objects.defer("values").get(pk=row.pk)
    kept.save()
    assert (kept.status, kept.rate_per_second) == ("paused", 7)


def test_a_status_is_never_written_by_hand():
    row = BroadcastFactory()

    with pytest.raises(AttributeError, match="moved by verbs"):
        row.status = "sending"
    with pytest.raises(TypeError, match="status is moved by verbs"):
        row.save(update_fields=["status"])
    with pytest.raises(TypeError, match="status is moved by verbs"):
        Broadcast.objects.update(status="sending")

    assert Broadcast.objects.update(rate_per_second=5) == 1
