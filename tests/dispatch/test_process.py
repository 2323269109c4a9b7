import os
import signal
import time

import pytest

from dispatch.owners import DEAD_AFTER_SECONDS
from dispatch.process import Process

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("still, ends", [(DEAD_AFTER_SECONDS + 0.1, [signal.SIGKILL]), (DEAD_AFTER_SECONDS - 1, [])])
def test_a_sender_that_stood_still_goes_on_only_if_nobody_declared_it_dead(still, ends, monkeypatch):
    sent = []
    monkeypatch.setattr(os, "kill", lambda _, number: sent.append(number))
    worker = Process("twilio")
    worker.session.beat_at = time.monotonic() - still

    worker.continued(signal.SIGCONT, None)

    assert sent == ends
