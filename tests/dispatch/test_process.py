import os
import signal
import socket
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from dispatch import owners, tasks
from dispatch.models import Owner
from dispatch.owners import DEAD_AFTER_SECONDS
from dispatch.process import Process

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("still, ends", [(DEAD_AFTER_SECONDS + 0.1, [signal.SIGKILL]), (DEAD_AFTER_SECONDS - 1, [])])
def test_a_sender_that_stood_still_goes_on_only_if_nobody_declared_it_dead(still, ends, monkeypatch):
    sent = []
    monkeypatch.setattr(os, "kill", lambda _, number: sent.append(number))
    worker = Process("twilio")
    worker.session.beat_at = time.monotonic() - still

    worker.continued(signal.SIGCONT, None)

    assert sent == ends


def test_the_clock_looks_by_itself_and_waits_out_a_database_that_is_away(settings, tmp_path, monkeypatch):
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(tasks, "LOOK_SECONDS", 0.01)
    Owner.objects.create(provider="twilio", pid=os.getpid(), host=socket.gethostname())
    Owner.objects.create(provider="twilio", pid=1, host="elsewhere", seen_at=timezone.now() - timedelta(hours=1))
    connection.connection.close()  # The first look finds it broken.
    over = threading.Event()
    threading.Timer(0.5, over.set).start()

    tasks.look_after_senders(over)

    assert (owners.alive("twilio"), Owner.objects.filter(ended_at=None).count()) == (1, 1)


def test_the_clocks_own_look_runs_beside_it(monkeypatch):
    looks = []
    monkeypatch.setattr(tasks, "look_after_senders", looks.append)

    tasks.look_beside_the_clock(sender=None)

    assert len(looks) == 1
