"""`python -m launch run | watch | test [pytest arguments] | check`, inside the virtual environment."""

import os
import sys
from pathlib import Path

from launch import checks, run, testing

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Do the command named first; the rest is its own."""
    command, *arguments = sys.argv[1:]
    data_dir = Path(os.environ.get("DATA_DIR") or ROOT / ".data").resolve()
    commands = {
        "run": lambda: run.main(data_dir),
        "watch": lambda: run.watch(data_dir),
        "test": lambda: testing.main(arguments, data_dir),
        "check": lambda: checks.main(data_dir),
    }
    return commands[command]()


if __name__ == "__main__":
    sys.exit(main())
