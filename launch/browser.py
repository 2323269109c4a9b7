"""A browser for the tests: an installed one, else Playwright's own, else Debian's."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLAYWRIGHTS_OWN = (
    "from playwright.sync_api import sync_playwright as start\nwith start() as p: print(p.chromium.executable_path)"
)


class NoBrowserError(RuntimeError):
    """There is none and none could be installed."""


def find() -> str:
    """The path of a Chromium, installing one if need be. Says on stdout which one. Raises NoBrowserError."""
    for kind, look in (("installed", _installed), ("Playwright's own", _playwrights), ("Debian's", _debians)):
        if path := look():
            print(f"browser: {kind}, {path}", flush=True)
            return path
    raise NoBrowserError("no Chromium found, and neither Playwright nor apt-get could install one")


def _installed() -> str | None:
    given = os.environ.get("CHROMIUM")
    return given or next(filter(None, map(shutil.which, NAMES)), None)


def _playwrights() -> str | None:
    print("browser: none installed, asking Playwright for its own", flush=True)
    if not _ran(sys.executable, "-m", "playwright", "install", "chromium"):
        return None
    asked = subprocess.run([sys.executable, "-c", PLAYWRIGHTS_OWN], capture_output=True, text=True, check=False)
    path = asked.stdout.strip()
    # It may be there and still miss a library of the system.
    return path if path and _ran(path, "--version") else None


def _debians() -> str | None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    print("browser: asking apt-get for Debian's", flush=True)
    if _ran("apt-get", "update", "-qq") and _ran("apt-get", "install", "-y", "-qq", "chromium"):
        return shutil.which("chromium")
    return None


def _ran(*command: str) -> bool:
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0
