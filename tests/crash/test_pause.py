"""A pause and a STOP hold from a quarter of a second after our answer, by the sandbox's own record of arrivals."""

import random
import time

import pytest

from campaigns.models import CampaignLeadMessage
from tests.crash.people import Send
from tests.crash.world import SENDER

pytestmark = pytest.mark.crash
PEOPLE = 800
STOPPED = 20
# From our answer to the last start of a call.
GRACE_SECONDS = 0.25
# Long enough for a call that somebody wrongly still starts to be seen.
WATCHED_SECONDS = 1.0


@pytest.fixture(scope="module")
def world(worlds):
    with worlds(durable=False) as world:
        world.keep_web()
        world.keep("sender", SENDER)
        world.until(world.senders, what="a sender")
        yield world


def under_way(world, *, rate, **faults):
    """A broadcast that has reached some people and is far from its end."""
    world.reset(strict_content=False, **faults)
    send = Send(PEOPLE, rate=rate)
    # The first pause of a web process is slow; the one that counts shall not be the first. A draft refuses it.
    assert world.call("POST", f"{send.path}/pause", send.token, {}).status_code == 409, world.last_words()
    send.start()
    world.until(lambda: world.summary()["people"] >= PEOPLE // 10, what="the first people")
    return send


def starts(world):
    """When calls to each phone came in."""
    found = {}
    for call in world.calls():
        if call["kind"] == "message":
            found.setdefault(call["to"].removeprefix("whatsapp:"), []).append(call["arrived_at"])
    return found


@pytest.mark.parametrize("latency_ms, rate", [(20, 300), (300, 0)])
def test_no_call_starts_after_a_pause_and_a_resume_reaches_everybody_once(world, latency_ms, rate):
    send = under_way(world, rate=rate, latency_ms=latency_ms)

    answer = world.call("POST", f"{send.path}/pause", send.token, {})
    answered = time.time()
    world.wait(WATCHED_SECONDS)

    standing, last = answer.json(), max(max(times) for times in starts(world).values())
    assert (answer.status_code, standing.pop("status")) == (200, "paused")
    assert (standing.keys(), sum(standing.values())) == ({"in_flight", "sent", "remaining"}, PEOPLE)
    assert standing["remaining"] > 0
    assert last - answered <= GRACE_SECONDS

    assert world.call("POST", f"{send.path}/resume", send.token, {}).json()["status"] == "sending"
    world.until(send.is_over, what="the end")
    assert send.verdict(world) == {}


def test_no_call_to_a_person_starts_after_their_stop_is_acknowledged(world):
    send = under_way(world, rate=100, latency_ms=20)
    waiting = CampaignLeadMessage.objects.of(send.broadcast).queued().values_list("phone", flat=True)
    stopped = {phone: stop(world, send, phone) for phone in random.Random(2).sample(list(waiting), STOPPED)}

    world.until(send.is_over, what="the end")

    calls, arrivals = starts(world), send.arrivals(world)
    late = {phone: max(calls[phone]) - at for phone, at in stopped.items() if phone in calls}
    ends = CampaignLeadMessage.objects.of(send.broadcast).filter(phone__in=stopped.keys() - calls.keys())
    assert [seconds for seconds in late.values() if seconds > GRACE_SECONDS] == []
    assert len(late) < STOPPED
    assert set(ends.values_list("status", "skip_reason")) == {("skipped", "opted_out")}
    assert {arrivals[phone] for phone in send.phones if phone not in stopped} == {1}
    assert not [phone for phone in stopped if arrivals[phone] > 1]


def stop(world, send, phone):
    """They write STOP to the merchant's number; returns when our webhook had acknowledged it."""
    told = world.write(sender=phone, to=f"whatsapp:{send.connection.sender}", body="STOP")
    assert 200 <= told["status"] < 300
    return time.time()
