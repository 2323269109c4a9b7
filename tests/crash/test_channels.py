"""SMS, e-mail and push while senders die. The long form of SMS is `python -m bench.soak --channel sms`."""

import pytest

from tests.crash.channels import SANDBOXED, Killing

pytestmark = pytest.mark.crash
PEOPLE, KILLS, RATE = 300, 5, 80


@pytest.mark.parametrize("channel", SANDBOXED)
def test_nobody_has_it_twice_and_unknown_is_exactly_what_nobody_can_be_asked_about(worlds, channel):
    # One sender in each world: another one would sweep before the dead one's calls are counted.
    with worlds(PUSH_CONNECTIONS="8") as world:
        world.reset()
        world.settings(SANDBOXED[channel], latency_ms=100, callback_loss=0.2, callback_dup=0.1)
        done = Killing(world, channel, PEOPLE, KILLS, rate=RATE).run()

    print(done)  # noqa: T201 (shown when something is wrong)
    assert done.verdict == {}
    assert done.in_flight
