"""Random walks: one row by the instance, its twin by the queryset, and a plain dictionary agree at every step."""

import pytest
from django.db import transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from lifecycle.moving import rows_moved
from tests.factories import told
from tests.lifecycle.graphs import DRAWN, status_of
from tests.lifecycle.test_moving import by_instance

ROWS = 3


def walks_of(model):
    """The state machine that walks rows of `model`."""
    verbs = st.sampled_from(sorted(model.machine.edges))

    class Walk(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.transaction = transaction.atomic()
            self.transaction.__enter__()
            self.singles, self.twins = ([DRAWN[model].factory() for _ in range(ROWS)] for _ in range(2))
            self.expected = dict.fromkeys(range(ROWS), self.singles[0].status)
            self.moves = dict.fromkeys(range(ROWS), 0)

        @rule(verb=verbs, chosen=st.sets(st.integers(0, ROWS - 1), min_size=1))
        def call(self, verb, chosen):
            target = {source: model.machine.edge(verb).target for source in model.machine.edge(verb).sources}
            able = {n for n in chosen if self.expected[n] in target}

            singly = {n for n in chosen if by_instance(self.singles[n], verb, **told(model, verb))}
            twins = model.objects.filter(pk__in=[self.twins[n].pk for n in chosen])
            together = set(twins.transition(verb, **told(model, verb)))

            assert singly == able
            assert together == {self.twins[n].pk for n in able}
            self.expected |= {n: target[self.expected[n]] for n in able}
            self.moves |= {n: self.moves[n] + 1 for n in able}

        @invariant()
        def all_agree(self):
            for row in range(ROWS):
                assert status_of(self.singles[row]) == status_of(self.twins[row]) == self.expected[row]

        @invariant()
        def history_is_complete(self):
            for row in range(ROWS):
                ways = [
                    list(rows_moved(model, each[row].pk).values_list("source", "target"))
                    for each in (self.singles, self.twins)
                ]
                assert ways[0] == ways[1]
                assert len(ways[0]) == self.moves[row]
                assert all(one[1] == two[0] for one, two in zip(ways[0], ways[0][1:], strict=False))
                assert [way[1] for way in ways[0][-1:]] in ([], [self.expected[row]])

        def teardown(self):
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    return Walk


@pytest.mark.django_db
@pytest.mark.parametrize("model", DRAWN)
def test_random_walks_agree(model):
    bounded = settings(max_examples=8, stateful_step_count=15, derandomize=True, deadline=None, database=None)

    run_state_machine_as_test(walks_of(model), settings=bounded)
