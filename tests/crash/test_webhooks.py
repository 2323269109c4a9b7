"""What was acknowledged is stored, whenever web dies. The long form: `python -m bench.soak --webhooks 100`."""

import pytest

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
