import os
import signal
import time
import urllib.request

import psutil
import pytest

from launch import processes
from launch.postgres import Server

PROGRAMS = ("beat", "broker", "sandbox", "watch", "web", "worker")
pytestmark = pytest.mark.crash


def living(data_dir):
    sessions = {name: processes.session(data_dir / "run" / f"{name}.pid") for name in PROGRAMS}
    return {name: found for name, found in sessions.items() if found}


def eventually(condition, seconds=20):
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_one_run_at_a_time_mends_itself_and_ends_on_ctrl_c(run):
    first, said = run()
    assert "merchant@demo.test" in said
    assert "Authorization: Bearer " in said

    second, refusal = run(until="already runs")
    assert (second.wait(10), f"process {first.pid}" in refusal) == (1, True)

    before = living(run.data_dir)
    for name in ("web", "worker"):
        os.kill(before[name][0].pid, signal.SIGKILL)
    os.kill(Server(run.data_dir).pid, signal.SIGKILL)
    assert eventually(lambda: not before["web"][0].is_running() and answers(run.url))
    assert eventually(lambda: set(living(run.data_dir)) == set(PROGRAMS))

    everything = [process for found in living(run.data_dir).values() for process in found]
    first.send_signal(signal.SIGINT)
    assert first.wait(30) == 0
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in everything)
    assert not Server(run.data_dir).alive()


def test_a_killed_run_takes_its_programs_along_but_leaves_the_database(run):
    first, _ = run()
    server = Server(run.data_dir).pid
    everything = living(run.data_dir)
    assert set(everything) == set(PROGRAMS)

    first.kill()

    assert eventually(lambda: not living(run.data_dir))
    assert Server(run.data_dir).pid == server
    again, said = run()
    assert "Ctrl-C ends everything" in said
    assert Server(run.data_dir).pid == server
    again.terminate()
    assert again.wait(30) == 0
