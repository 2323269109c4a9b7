"""SMS, e-mail and push while senders die. The long form of SMS is `python -m bench.soak --channel sms`."""

import pytest

from tests.crash.channels import SANDBOXED, Killing

pytestmark = pytest.mark.crash
PEOPLE, KILLS = 300, 6
FAULTS = {"latency_ms": 100, "callback_loss": 0.2, "callback_dup": 0.1}


@pytest.fixture(scope="module")
def world(worlds):
    with worlds() as world:
        yield world


def test_everybody_has_the_sms_once_although_its_sender_is_killed(world):
    world.reset(**FAULTS, lose_response=0.02)
    done = Killing(world, "sms", PEOPLE, KILLS).run()

    assert set(done.arrivals().values()) == {1}
    assert (len(done.arrivals()), done.unknown()) == (PEOPLE, set())
    assert sum(done.statuses()[each] for each in ("sent", "delivered")) == PEOPLE


@pytest.mark.parametrize("channel", ["email", "push"])
def test_of_what_nobody_can_be_asked_about_exactly_the_calls_in_flight_at_a_kill_stay_unknown(world, channel):
    world.reset()
    world.settings(SANDBOXED[channel], latency_ms=100)
    done = Killing(world, channel, PEOPLE, KILLS).run()

    assert done.in_flight
    assert done.unknown() == done.in_flight
    # Nobody got it twice; whoever was not in flight got it once.
    assert set(done.arrivals().values()) == {1}
    assert done.statuses()["sending"] == len(done.in_flight)
    # What was opened and never called went out as a second attempt; what is unknown did not.
    assert all(states[-1] in {"accepted", "unknown"} for states in done.attempts().values())
    assert all(state == "released" for states in done.attempts().values() for state in states[:-1])
