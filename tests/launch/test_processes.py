import os
import signal
import subprocess
import sys
import time

import pytest
import redis

from launch import processes, running
from launch.broker import Broker
from launch.processes import Child
from launch.supervisor import Stopped, Supervisor

SLEEP = "import time; time.sleep(60)"
# A leader that dies at once leaves its worker, as a killed web or worker process does.
FAMILY = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', '{SLEEP}']); print('up', flush=True); "


def eventually(condition, seconds=10):
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


@pytest.fixture
def child(tmp_path):
    """Makes children, and leaves none behind."""
    made = []

    def make(name="some", code=SLEEP, command=None, start=True):
        made.append(Child(name, command or [sys.executable, "-c", code], tmp_path))
        if start:
            made[-1].start()
        return made[-1]

    yield make
    processes.end_everything(tmp_path)
    assert not any(one.alive() for one in made)


@pytest.fixture
def said():
    return []


def test_a_dead_child_is_started_again(child, said):
    some = child(start=False)
    supervisor = Supervisor(said.append)
    supervisor.keep(some)
    first = some.pid
    os.kill(first, signal.SIGKILL)

    assert eventually(lambda: supervisor.tick() or some.pid not in {None, first})
    assert said == ["some ended; again in 0.2 s"]


class Falls:
    """Ends as soon as it was started."""

    name = "falls"

    def __init__(self, tmp_path):
        self.log, self.starts = tmp_path / "falls.log", 0
        self.log.write_text("the reason\n")
        self.upright = False

    def start(self):
        self.starts += 1

    def alive(self):
        return self.upright


def test_what_keeps_ending_waits_longer_and_shows_its_last_lines(tmp_path, said):
    now = [0.0]
    supervisor = Supervisor(said.append, clock=lambda: now[0])
    supervisor.keep(Falls(tmp_path))
    for _ in range(300):
        now[0] += 0.1
        supervisor.tick()

    assert [line.split("again in ")[1] for line in said if "again" in line][:7] == [
        "0.2 s", "0.4 s", "0.8 s", "1.6 s", "3.2 s", "5.0 s", "5.0 s",
    ]  # fmt: skip
    assert any("the reason" in line for line in said)


def test_having_run_for_a_while_it_is_started_soon_again(tmp_path, said):
    now, falls = [0.0], Falls(tmp_path)
    supervisor = Supervisor(said.append, clock=lambda: now[0])
    supervisor.keep(falls)
    for moment, falls.upright in ((0.1, False), (0.4, True), (20, True), (20.1, False)):
        now[0] = moment
        supervisor.tick()

    assert said == ["falls ended; again in 0.2 s"] * 2


def test_a_program_that_cannot_start_is_tried_again(tmp_path, said):
    now, falls = [0.0], Falls(tmp_path)
    supervisor = Supervisor(said.append, clock=lambda: now[0])
    supervisor.keep(falls)
    falls.start = lambda: (_ for _ in ()).throw(OSError("no such program"))
    for now[0] in (0.1, 0.4, 0.9):
        supervisor.tick()

    assert said[1] == "falls did not start (no such program); again in 0.4 s"


def test_waiting_ends_when_asked_to_stop_or_out_of_time(said):
    supervisor = Supervisor(said.append)
    with pytest.raises(TimeoutError, match="the moon took longer than 0 s"):
        supervisor.wait_until(lambda: False, within=0, what="the moon")
    supervisor.stopping = True
    with pytest.raises(Stopped):
        supervisor.wait_until(lambda: False, within=5, what="the moon")


SUPERVISED = """
import sys
from pathlib import Path
from launch import processes
from launch.processes import Child
from launch.supervisor import Supervisor
supervisor = Supervisor(print)
supervisor.stop_on_signals()
supervisor.keep(Child("some", [sys.executable, "-c", "import time; time.sleep(60)"], Path(sys.argv[1])))
print("up", flush=True)
supervisor.run()
processes.end_everything(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_supervisor_and_children(tmp_path, number):
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISED, tmp_path], stdout=subprocess.PIPE)
    assert supervisor.stdout.readline() == b"up\n"
    [some] = processes.session(tmp_path / "run" / "some.pid")

    supervisor.send_signal(number)

    assert supervisor.wait(10) == 0
    supervisor.stdout.close()
    assert not some.is_running()


def test_what_a_dead_leader_left_is_found_and_ended(child):
    some = child(code=FAMILY)
    assert eventually(lambda: not some.alive())
    left = processes.session(some.record)

    processes.end(left, patience=0.1)

    assert len(left) == 1
    assert processes.session(some.record) == []


def test_a_stubborn_process_is_killed(child):
    some = child(code=f"import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True); {SLEEP}")
    assert eventually(lambda: some.log.read_text() == "up\n")

    processes.end(processes.session(some.record), patience=0.2)

    assert not some.alive()


def test_a_number_that_became_a_strangers_is_left_alone(tmp_path, child):
    stranger = child()
    record = tmp_path / "old.pid"
    record.write_text(f"{stranger.pid} 1.5")

    assert processes.session(stranger.record) != []
    assert processes.session(record) == []


def test_only_senders_count_as_senders(tmp_path, child):
    (tmp_path / "senders").mkdir()
    script = tmp_path / "manage.py"
    script.write_text(SLEEP)
    sender = child("sender", command=[sys.executable, str(script), "send", "twilio"])
    for name, pid in (("real", sender.pid), ("other", child().pid), ("garbage", "x")):
        (tmp_path / "senders" / f"{name}.pid").write_text(str(pid))

    assert [process.pid for process in processes.senders(tmp_path)] == [sender.pid]


def test_a_grown_log_is_put_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "LARGEST_LOG", 3)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "some.log").write_text("long ago")

    Child("some", [], tmp_path)

    assert (tmp_path / "logs" / "some.log.1").read_text() == "long ago"


def test_the_broker_keeps_address_and_tasks_over_a_restart(tmp_path, child):
    urls = []
    for expected in (None, b"1"):
        broker = Broker(tmp_path)
        urls.append(broker.url)
        child("broker", command=broker.command)
        assert eventually(broker.answers)
        with redis.Redis.from_url(broker.url) as client:
            assert client.get("task") == expected
            client.set("task", 1)
        processes.end_everything(tmp_path)
        assert not broker.answers()
    assert urls[0] == urls[1]


def test_manage_py_joins_a_run_unless_a_database_is_given(tmp_path, monkeypatch):
    noted = {"DATABASE_URL": "postgres://noted", "BROKER_URL": "redis://noted?a=b"}
    for name, address in noted.items():
        monkeypatch.setenv(name, address)
    running.note_down(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "postgres://given")
    running.join(tmp_path)
    assert os.environ["DATABASE_URL"] == "postgres://given"
    for name in noted:
        monkeypatch.delenv(name)

    running.join(tmp_path)
    running.forget(tmp_path)

    assert {name: os.environ[name] for name in noted} == noted
    assert (tmp_path / "environment").exists() is False
