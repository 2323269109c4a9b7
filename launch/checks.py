"""bin/check: everything that can be said about the code without running the tests, fast first."""

import os
import subprocess
import sys
import time
from pathlib import Path

from launch.testing import test_server

PYTHON = sys.executable
BIN = Path(PYTHON).parent

CHECKS = [
    ("ruff", [f"{BIN}/ruff", "check"]),
    ("format", [f"{BIN}/ruff", "format", "--check"]),
    ("budgets", [PYTHON, "-m", "launch.budgets"]),
    ("floors", [f"{BIN}/lint-imports"]),
    ("templates", [f"{BIN}/djlint", "templates", "--lint", "--quiet"]),
    ("django", [PYTHON, "manage.py", "check", "--fail-level", "WARNING", "--database", "default"]),
    ("migrations", [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"]),
    ("diagrams", [PYTHON, "manage.py", "diagrams", "--check"]),
    ("openapi", [PYTHON, "manage.py", "openapi", "--check"]),
    ("openapi is valid", [PYTHON, "manage.py", "spectacular", "--validate", "--fail-on-warn", "--file", os.devnull]),
    ("types", [f"{BIN}/mypy", "."]),
]


def main(data_dir: Path) -> int:
    """Run the checks in order; 0 when all pass, else the first one that fails ends it."""
    with test_server(data_dir):
        return next((1 for name, command in CHECKS if not passes(name, command)), 0)


def passes(name: str, command: list[str]) -> bool:
    """Run one check, say how it went, and show what it said only when it failed."""
    begun = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(f"{'FAIL' if done.returncode else 'ok':4} {name} ({time.monotonic() - begun:.1f} s)", flush=True)
    if done.returncode:
        print(done.stdout)
    return not done.returncode
