"""What was acknowledged is stored, whenever web dies and however much comes at once. The long forms: `python -m
bench.soak --webhooks 100` and `--burst 5000`.
"""

import pytest

from tests.crash.bursts import Burst
from tests.crash.webhooks import Deliveries

pytestmark = pytest.mark.crash
KILLS = 5


def test_what_was_acknowledged_is_stored_once_although_web_is_killed(worlds):
    with worlds() as world:
        world.keep_web()
        deliveries = Deliveries(world, seed=1, kills=KILLS).run()
        verdict = deliveries.verdict()

    print(deliveries)  # noqa: T201 (shown when something is wrong)
    assert verdict == {}
    assert len(deliveries.acknowledged) > 100 * KILLS / 2


def test_what_is_acknowledged_of_a_burst_is_stored_once_and_nobody_gets_a_wrong_answer(worlds):
    with worlds() as world:
        world.keep_web()
        burst = Burst(world, rate=2000, seconds=2).run()
        verdict = burst.verdict()

    print(burst)  # noqa: T201 (shown when something is wrong)
    assert verdict == {}
    assert len(burst.acknowledged) > burst.number / 2
