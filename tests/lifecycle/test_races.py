"""Twenty callers at once, each with a connection of its own: exactly one moves."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections

from lifecycle.moving import rows_moved
from tests.factories import in_state, told
from tests.lifecycle.graphs import DRAWN, status_of
from tests.lifecycle.test_moving import by_instance, by_joined_queryset, by_queryset

CALLERS = 20
PATHS = [by_instance, by_queryset, by_joined_queryset, by_queryset]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def at_once():
    """Call a function `CALLERS` times at the same moment, with the caller's number; returns the answers."""
    barrier = Barrier(CALLERS)

    def call(function, number):
        barrier.wait(timeout=60)
        return function(number)

    def close(_):
        connections.close_all()

    with ThreadPoolExecutor(CALLERS) as pool:
        yield lambda function: list(pool.map(call, [function] * CALLERS, range(CALLERS)))
        list(pool.map(call, [close] * CALLERS, range(CALLERS)))


@pytest.mark.parametrize("model", DRAWN)
def test_of_twenty_parallel_calls_exactly_one_moves(model, at_once):
    for verb, edge in model.machine.edges.items():
        row = DRAWN[model].factory(status=edge.sources[0])
        before = rows_moved(model, row.pk).count()

        def call(number, row=row, verb=verb):
            return PATHS[number % len(PATHS)](model.objects.get(pk=row.pk), verb, **told(model, verb))

        # A verb that leads back to where it began may be called again by everybody.
        moved = CALLERS if edge.target in edge.sources else 1
        assert sum(at_once(call)) == moved, verb
        assert (status_of(row), rows_moved(model, row.pk).count()) == (edge.target, before + moved)


def test_a_row_is_read_again_by_many_at_once(at_once):
    row = in_state(DRAWN[next(iter(DRAWN))].factory(), "suspended")

    def call(_):
        mine = type(row).objects.get(pk=row.pk)
        for _ in range(20):
            mine.refresh_from_db()
        return mine.status

    assert at_once(call) == ["suspended"] * CALLERS
