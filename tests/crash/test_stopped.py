"""A sender that stands still right before a call, longer than absence takes to be believed."""

import os
import signal

import psutil
import pytest

from tests.crash.people import Send
from tests.crash.world import SENDER

pytestmark = pytest.mark.crash


def test_a_call_that_was_about_to_leave_does_not_leave_after_others_made_it(worlds):
    with worlds() as world:
        world.reset(strict_content=False, callback_loss=1.0)
        send = Send(people=20).start()
        frozen = world.child("frozen", SENDER, STOPPOINT="call.before:5")
        frozen.start()
        world.until(lambda: psutil.Process(frozen.pid).status() == psutil.STATUS_STOPPED, what="the stop")
        world.keep("sender", SENDER)
        world.until(send.is_over, what="the other sender")

        os.kill(frozen.pid, signal.SIGCONT)
        world.wait(2)

        assert (send.verdict(world), frozen.alive()) == ({}, False)
