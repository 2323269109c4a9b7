import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from launch import ports, processes
from launch.postgres import Server

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder():
    """Reachable for the unprivileged account, which pytest's own temporary folders are not."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def run(folder):
    """Starts bin/run's own program on a data folder of its own, and ends what is left of it."""
    given = {name: str(ports.remembered(folder / name)) for name in ("PORT", "SANDBOX_PORT", "SANDBOX_SMTP_PORT")}
    inherited = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "BROKER_URL"}}
    data_dir = folder / "data"
    started = []

    def start(until="Ctrl-C ends everything"):
        environment = inherited | given | {"DATA_DIR": str(data_dir)}
        command = [sys.executable, "-m", "launch", "run"]
        with (folder / "said.txt").open("w") as said:
            started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said))
        end = time.monotonic() + 120
        while until not in (told := (folder / "said.txt").read_text()) and started[-1].poll() is None:
            assert time.monotonic() < end, told
            time.sleep(0.1)
        return started[-1], told

    start.data_dir, start.web, start.sandbox = (
        data_dir,
        f"127.0.0.1:{given['PORT']}",
        f"127.0.0.1:{given['SANDBOX_PORT']}",
    )
    start.url = f"http://{start.web}/healthz"
    yield start
    for process in started:
        process.kill()
        process.wait()
    processes.end_everything(data_dir)
    Server(data_dir).stop("immediate")
