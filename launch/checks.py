"""bin/check: everything that can be said about the code without running the tests, fast first."""

import difflib
import subprocess
import sys
import time
from pathlib import Path

from launch.testing import test_server

PYTHON = sys.executable
BIN = Path(PYTHON).parent
SCHEMA = Path("docs/openapi.yaml")

CHECKS = [
    ("ruff", [f"{BIN}/ruff", "check"]),
    ("format", [f"{BIN}/ruff", "format", "--check"]),
    ("budgets", [PYTHON, "-m", "launch.budgets"]),
    ("floors", [f"{BIN}/lint-imports"]),
    ("templates", [f"{BIN}/djlint", "templates", "--lint", "--quiet"]),
    ("django", [PYTHON, "manage.py", "check", "--fail-level", "WARNING", "--database", "default"]),
    ("migrations", [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"]),
    ("diagrams", [PYTHON, "manage.py", "diagrams", "--check"]),
    ("openapi", [PYTHON, "manage.py", "spectacular", "--validate", "--fail-on-warn", "--file"]),
    ("types", [f"{BIN}/mypy", "."]),
]


def main(data_dir: Path) -> int:
    """Run the checks in order; 0 when all pass, else the first one that fails ends it."""
    with test_server(data_dir):
        return next((1 for name, command in CHECKS if not _passes(name, command, data_dir)), 0)


def _passes(name: str, command: list[str], data_dir: Path) -> bool:
    begun = time.monotonic()
    made = data_dir / "openapi.yaml"
    done = subprocess.run(
        [*command, str(made)] if name == "openapi" else command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    said = done.stdout
    if name == "openapi" and not done.returncode:
        said = _drift(made)
    failed = done.returncode or (name == "openapi" and said)
    print(f"{'FAIL' if failed else 'ok':4} {name} ({time.monotonic() - begun:.1f} s)", flush=True)
    if failed:
        print(said)
    return not failed


def _drift(made: Path) -> str:
    """How the schema of the running code differs from the one in docs; empty when it does not."""
    kept = SCHEMA.read_text().splitlines() if SCHEMA.is_file() else []
    now = made.read_text().splitlines()
    return "\n".join(difflib.unified_diff(kept, now, str(SCHEMA), "what the code says", lineterm="", n=1))
