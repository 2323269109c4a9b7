"""Exactly as many codes as were asked for, whoever is killed. The long form: `python -m bench.soak --codes 1000000`."""

import pytest

from tests.crash.codes import Making

pytestmark = pytest.mark.crash


def test_as_many_codes_are_made_as_were_asked_for_although_the_workers_are_killed(worlds):
    with worlds() as world:
        making = Making(world, codes=250_000, kills=4).run()

    print(making)  # noqa: T201 (shown when something is wrong)
    assert making.verdict == {}
