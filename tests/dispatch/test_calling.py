from types import SimpleNamespace
from uuid import uuid4

import pytest

from dispatch.calling import absent, never_called, result_of
from dispatch.lane import Call, Result
from providers.base import Accepted, Refused, Unknown

LANE = SimpleNamespace(accepted="sent", queued="queued", failed="failed", max_tries=3)


def call(tries=0):
    return Call(5, uuid4(), 50, {"tries": tries})


def test_an_accepted_call_moves_its_row_on_with_the_providers_id():
    assert result_of(LANE, call(), Accepted("SM1", "queued")) == Result(5, "accepted", provider_id="SM1", target="sent")


def test_an_unknown_outcome_leaves_the_row_where_it_is():
    assert result_of(LANE, call(), Unknown("timeout")) == Result(5, "unknown", detail="timeout")


def test_a_refusal_for_good_fails_the_row_with_its_code():
    refused = result_of(LANE, call(), Refused("21211", "bad number"))

    assert refused == Result(5, "rejected", code="21211", detail="bad number", target="failed")


@pytest.mark.parametrize(("tries", "target"), [(0, "queued"), (1, "queued"), (2, "failed")])
def test_a_refusal_for_now_is_tried_again_until_the_tries_are_used_up(tries, target):
    assert result_of(LANE, call(tries), Refused("20429", "slow down", retry=True)).target == target


def test_the_provider_decides_the_least_wait():
    assert result_of(LANE, call(), Refused("20429", "slow", retry=True, retry_after=90)).delay >= 90


def test_the_wait_grows_and_stays_below_a_minute():
    delays = [result_of(LANE, call(1), Refused("20429", "slow", retry=True)).delay for _ in range(50)]

    assert 0.5 <= min(delays) <= max(delays) <= 60


def test_a_call_that_never_started_and_one_that_is_absent_free_the_row():
    assert {never_called(LANE, call()).target, absent(LANE, 5).target} == {"queued"}
