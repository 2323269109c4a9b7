"""A process dies at each named point between two effects; the next ones make everybody have it exactly once."""

import re
import signal
from dataclasses import dataclass

import pytest
from django.utils import timezone

from campaigns import broadcasting
from dispatch.crashpoints import CRASHPOINTS
from launch.run import PYTHON, ROOT
from tests.crash.people import Send
from tests.crash.world import SENDER, answers

pytestmark = pytest.mark.crash
PEOPLE = 60
# Slow enough for many turns, so that something is under way when a later passage is the last.
RATE = 60
# Lost answers leave attempts unknown; lost callbacks leave them to the reconciler.
FAULTS = {"latency_ms": 20, "lose_response": 0.2, "callback_loss": 0.8, "strict_content": False}
# One process, so that the signal that ended it is ours to see.
WEB_ALONE = [*PYTHON, "manage.py", "runserver", "--noreload", "--skip-checks"]
# Which passage is the last, in the order of the deaths. The start comes first, while there is no web process, whose own
# clock would start it; a sweep has something to do after a sender died.
PASSAGE = {
    "start.before_commit": 1,
    "inbox.stored": 5,
    "call.answered": 20,
    "sweep.before_commit": 1,
    "call.before": 20,
    "reconcile.found": 1,
    "lease.taken": 1,
    "open.before_commit": 3,
    "open.committed": 3,
    "record.before_commit": 3,
    "record.committed": 3,
    "inbox.before_commit": 1,
}
# See test_submission.
ELSEWHERE = {"submission.content_made"}


@dataclass
class Death:
    """How the process that was to die at a point ended, and what was wrong with that point's people in the end."""

    signal: int
    verdict: dict


@pytest.fixture(scope="module")
def deaths(worlds):
    """One process after the other dies at its point; then all is started again without one."""
    sends, ends = {}, {}
    with worlds(durable=False) as world:
        world.reset(**FAULTS)
        for name in PASSAGE:
            sends[name] = due(name)
            if name == "inbox.stored":
                web = started(world, name, [*WEB_ALONE, f"127.0.0.1:{world.port}"])
                world.until(lambda: answers(f"{world.web}/healthz"), what="the web process")
            else:
                ends[name] = end_of(world, started(world, name, SENDER))
            if name == "call.answered":
                # Whose callbacks the web process died of.
                ends["inbox.stored"] = end_of(world, web)
            if name == "sweep.before_commit":
                # Not before: it sweeps as soon as it starts.
                world.keep_web()
        world.keep("sender", SENDER)
        world.until(lambda: all(send.is_over() for send in sends.values()), what="the end")
        yield {name: Death(ends[name], send.verdict(world)) for name, send in sends.items()}


def due(name):
    """People to send to. The start itself is left to the sender's clock where it is what shall be cut off."""
    send = Send(PEOPLE, rate=RATE)
    if name == "start.before_commit":
        broadcasting.schedule(send.broadcast, timezone.now(), by=None)
        return send
    return send.start()


def started(world, name, command):
    """A process whose last act is a passage of the point."""
    victim = world.child(name, command, CRASHPOINT=f"{name}:{PASSAGE[name]}")
    victim.start()
    return victim


def end_of(world, victim):
    """The signal that ended it."""
    world.until(lambda: not victim.alive(), what=f"the death at {victim.name}")
    return -victim._process.returncode


@pytest.mark.parametrize("name", PASSAGE)
def test_everybody_has_it_once_although_a_process_died_at(name, deaths):
    assert deaths[name] == Death(signal.SIGKILL, {})


def test_every_point_in_the_code_has_its_death():
    code = [path for path in ROOT.glob("[a-z]*/**/*.py") if path.relative_to(ROOT).parts[0] != "tests"]
    named = {name for path in code for name in re.findall(r'\bcrashpoint\("([^"]+)"\)', path.read_text())}

    assert named == set(CRASHPOINTS) == set(PASSAGE) | ELSEWHERE
