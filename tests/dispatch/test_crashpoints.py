import os
import signal

import pytest

from dispatch import crashpoints


@pytest.fixture
def killed(monkeypatch):
    """The signals this process would have sent to itself."""
    sent = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid == os.getpid(), number)))
    crashpoints._passed.clear()
    return sent


def test_without_a_choice_nobody_dies(killed, monkeypatch):
    monkeypatch.setattr(crashpoints, "_chosen", {})

    crashpoints.crashpoint("open.committed")

    assert killed == []


def test_the_chosen_passage_is_the_last(killed, monkeypatch):
    monkeypatch.setattr(crashpoints, "_chosen", {"CRASHPOINT": "open.committed:2"})

    for name in ("open.committed", "call.before", "open.committed", "open.committed"):
        crashpoints.crashpoint(name)

    assert killed == [(True, signal.SIGKILL)]


def test_the_first_passage_is_meant_when_no_number_is_given(killed, monkeypatch):
    monkeypatch.setattr(crashpoints, "_chosen", {"CRASHPOINT": "call.before"})

    crashpoints.crashpoint("call.before")

    assert len(killed) == 1
