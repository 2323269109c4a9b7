from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections

from campaigns_project.refusals import Refusal


@pytest.fixture(autouse=True)
def private_files(settings, tmp_path):
    """A folder of the test's own for uploads."""
    settings.PRIVATE_FILES_DIR = tmp_path
    return tmp_path


@pytest.fixture
def at_once():
    """Call a function from many threads at the same moment; returns the answers, refusals included."""

    def run(function, callers=8):
        barrier = Barrier(callers)

        def call(_):
            barrier.wait(timeout=60)
            try:
                return function()
            except Refusal as refusal:
                return refusal
            finally:
                connections.close_all()

        with ThreadPoolExecutor(callers) as pool:
            return list(pool.map(call, range(callers)))

    return run
