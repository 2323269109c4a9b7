"""Where the running database and broker are: noted by bin/run, read by manage.py in another terminal."""

import os
from pathlib import Path

NAMES = ("DATABASE_URL", "BROKER_URL")


def note_down(data_dir: Path) -> None:
    """Write the addresses of this run into `data_dir`/environment, readable only by its owner."""
    path = data_dir / "environment"
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={os.environ[name]}\n" for name in NAMES))


def forget(data_dir: Path) -> None:
    """The run is over."""
    (data_dir / "environment").unlink(missing_ok=True)


def join(data_dir: Path) -> None:
    """Take the noted addresses into our environment, unless a database is given there or nothing runs."""
    path = data_dir / "environment"
    if "DATABASE_URL" not in os.environ and path.is_file():
        for line in path.read_text().splitlines():
            name, _, address = line.partition("=")
            os.environ[name] = address
