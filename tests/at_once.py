"""`at_once`: many callers at the same moment, each with a connection of its own."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, connections

from campaigns_project.refusals import Refusal


@pytest.fixture
def at_once():
    """Call a function with a number, from many connections at the same moment; the answers, refusals as codes."""

    def run(function, callers):
        barrier = Barrier(callers)

        def call(number):
            connection.ensure_connection()
            barrier.wait(timeout=60)
            try:
                return function(number)
            except Refusal as refusal:
                return refusal.code
            finally:
                connections.close_all()

        with ThreadPoolExecutor(callers) as pool:
            return list(pool.map(call, range(callers)))

    return run
