"""Nobody lost, nobody doubled, nobody left unknown, whatever is killed. The long form is `python -m bench.soak`."""

import pytest

from dispatch.owners import DEAD_AFTER_SECONDS
from tests.crash.chaos import Chaos

pytestmark = pytest.mark.crash
# Of the 100 connections of a sender.
SLOTS = 125


@pytest.mark.parametrize("seed", [1, 2])
def test_two_thousand_people_have_it_once_although_everything_is_killed(worlds, seed):
    with worlds() as world:
        world.open_the_house()
        chaos = Chaos(world, seed, people=2000, kills=12, stops=1, crashes=1).run()

    print(chaos)  # noqa: T201 (shown when something is wrong)
    assert chaos.verdict == {}
    assert max(chaos.open_at_kill, default=0) <= SLOTS
    assert max(chaos.back, default=0) <= DEAD_AFTER_SECONDS + 2
