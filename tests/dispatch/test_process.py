import importlib
import os
import signal
import socket
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns_project import wsgi
from dispatch import lane, owners, sweeping, tasks
from dispatch.models import Owner
from dispatch.owners import DEAD_AFTER_SECONDS
from dispatch.process import Process
from tests.dispatch.conftest import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("still, ends", [(DEAD_AFTER_SECONDS + 0.1, [signal.SIGKILL]), (DEAD_AFTER_SECONDS - 1, [])])
def test_a_sender_that_stood_still_goes_on_only_if_nobody_declared_it_dead(still, ends, monkeypatch):
    sent = []
    monkeypatch.setattr(os, "kill", lambda _, number: sent.append(number))
    worker = Process("twilio")
    worker.session.beat_at = time.monotonic() - still

    worker.continued(signal.SIGCONT, None)

    assert sent == ends


def test_housework_goes_on_after_trouble_of_any_kind(settings, tmp_path, monkeypatch):
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(tasks, "LOOK_SECONDS", 0.01)
    for provider in lane.providers():
        Owner.objects.create(provider=provider, pid=os.getpid(), host=socket.gethostname())
    Owner.objects.create(provider="twilio", pid=1, host="elsewhere", seen_at=timezone.now() - timedelta(hours=1))
    connection.connection.close()  # The first round finds it broken.
    over, broken = threading.Event(), iter([KeyError("a bug")])
    threading.Timer(0.5, over.set).start()

    def work():
        for trouble in broken:
            raise trouble
        tasks.keep_senders()

    tasks.housekeep(over, sweeping.sweep, work)

    assert {owners.alive(provider) for provider in lane.providers()} == {1}
    assert Owner.objects.exclude(ended_at=None).count() == 1


def test_clock_and_web_process_look_after_senders_too(monkeypatch):
    begun = []
    monkeypatch.setattr(tasks, "housekeep", lambda over, *works: begun.append(works))

    monkeypatch.delitem(sys.modules, "campaigns_project.serving", raising=False)

    tasks.begin_with_the_clock(sender=None)
    serving = importlib.import_module("campaigns_project.serving")

    wait_for(lambda: len(begun) == 2)
    assert set(begun) == {(sweeping.sweep, tasks.keep_senders), (sweeping.sweep,)}
    assert isinstance(serving.application, wsgi.BodyDeadline)
