import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def folder():
    """Reachable for the unprivileged account, which pytest's own temporary folders are not."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)
