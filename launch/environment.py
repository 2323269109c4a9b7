"""Makes the virtual environment and hands over to it. Runs on the machine's own Python and nothing else."""

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NO_VENV = """
This Python cannot make a virtual environment. On Debian or Ubuntu:
    apt install python3-venv
or put another Python 3.11+ first on the PATH."""


def main() -> None:
    """Prepare .venv for the command named first (run, test, check), then become `python -m launch`."""
    command = sys.argv[1]
    requirements = "requirements.txt" if command == "run" else "requirements-dev.txt"
    (ROOT / ".data").mkdir(exist_ok=True)
    with (ROOT / ".data" / "environment.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _works():
            _make()
        if not _installed(requirements):
            _install(requirements)
    os.chdir(ROOT)
    os.execv(PYTHON, [str(PYTHON), "-m", "launch", *sys.argv[1:]])  # noqa: S606 - this is what the program is for


def _works() -> bool:
    probe = [str(PYTHON), "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"]
    return PYTHON.exists() and subprocess.run(probe, capture_output=True, check=False).returncode == 0


def _make() -> None:
    _say(f"making {VENV.name} with Python {sys.version.split()[0]}")
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=False)
    if made.returncode:
        sys.exit(NO_VENV)


def _installed(requirements: str) -> bool:
    marker = _marker(requirements)
    return marker.is_file() and marker.read_text() == _fingerprint(requirements)


def _install(requirements: str) -> None:
    _say(f"installing {requirements} (only when it changed)")
    begun = time.monotonic()
    pip = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        str(ROOT / requirements),
    ]
    if subprocess.run(pip, stdout=sys.stderr, check=False).returncode:
        sys.exit(f"pip could not install {requirements}; what it said is above.")
    _say(f"installed in {time.monotonic() - begun:.1f} s")
    _marker(requirements).write_text(_fingerprint(requirements))


def _marker(requirements: str) -> Path:
    return VENV / f".installed-{requirements}"


def _fingerprint(requirements: str) -> str:
    # Both files: the tests' list begins with the other one.
    files = {"requirements.txt", requirements}
    return hashlib.sha256(b"".join((ROOT / file).read_bytes() for file in sorted(files))).hexdigest()


def _say(text: str) -> None:
    # Aside, so that the first line of bin/test's own output is the server it uses.
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
