"""Loopback ports below 32768, where the system hands out none by itself."""

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

LOWEST, HIGHEST = 20_000, 32_767


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def remembered(note: Path) -> int:
    """The port written in `note` if still free, else a free one, now written there. OSError if none is."""
    if note.is_file() and is_free(kept := int(note.read_text())):
        return kept
    port = next((port for port in _candidates(str(note)) if is_free(port)), None)
    if port is None:
        raise OSError(f"no free port between {LOWEST} and {HIGHEST}")
    note.write_text(str(port))
    return port


def _candidates(name: str) -> Iterator[int]:
    # Two folders start looking in different places, so they seldom want the same port.
    span = HIGHEST - LOWEST + 1
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    yield from (LOWEST + (start + step) % span for step in range(span))
