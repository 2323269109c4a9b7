from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep

import pytest

from dispatch.combining import Combiner


class Worker:
    """Doubles numbers, the first time only when it is let go; refuses 13."""

    def __init__(self):
        self.batches, self.begun, self.go = [], Event(), Event()

    def __call__(self, numbers):
        self.batches.append(list(numbers))
        self.begun.set()
        self.go.wait(10)
        if 13 in numbers:
            raise ValueError("unlucky")
        return [2 * number for number in numbers]


@pytest.fixture
def worker():
    return Worker()


def asked_together(worker, combiner, numbers, key="row"):
    """Ask 1 alone and, while that is under way, all the others."""
    with ThreadPoolExecutor(len(numbers) + 1) as pool:
        first = pool.submit(combiner, key, 1)
        assert worker.begun.wait(10)
        others = [pool.submit(combiner, key, number) for number in numbers]
        while len(combiner._lines[key].waiting) < len(numbers):
            sleep(0.001)
        worker.go.set()
        return [first, *others]


def test_who_asks_while_a_batch_is_under_way_is_answered_in_the_next(worker):
    answers = asked_together(worker, Combiner(worker), [2, 3, 4])

    assert [answer.result(10) for answer in answers] == [2, 4, 6, 8]
    assert [sorted(batch) for batch in worker.batches] == [[1], [2, 3, 4]]


def test_a_batch_has_no_more_than_it_may(worker):
    answers = asked_together(worker, Combiner(worker, most=2), [2, 3, 4])

    assert sum(answer.result(10) for answer in answers) == 20
    assert [len(batch) for batch in worker.batches] == [1, 2, 1]


def test_one_question_that_fails_fails_alone(worker):
    first, good, bad = asked_together(worker, Combiner(worker), [2, 13])

    assert (first.result(10), good.result(10)) == (2, 4)
    with pytest.raises(ValueError, match="unlucky"):
        bad.result(10)


def test_nobody_waits_for_another_key(worker):
    combiner = Combiner(lambda numbers: worker(numbers) if 1 in numbers else numbers)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(combiner, "slow", 1)
        assert worker.begun.wait(10)

        assert combiner("quick", 5) == 5
        worker.go.set()
        assert (slow.result(10), combiner._lines) == (2, {})


def test_who_was_answered_together_is_waited_for(worker):
    combiner = Combiner(worker, gather=1)
    answers = asked_together(worker, combiner, [2, 3, 4])
    assert sum(answer.result(10) for answer in answers) == 20

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(combiner, ["row"] * 3, [5, 6, 7])) == [10, 12, 14]
    assert [sorted(batch) for batch in worker.batches[1:]] == [[2, 3, 4], [5, 6, 7]]


def test_who_does_not_come_again_is_not_waited_for_any_longer(worker):
    combiner = Combiner(worker, gather=0.05)
    answers = asked_together(worker, combiner, [2, 3, 4])
    assert sum(answer.result(10) for answer in answers) == 20

    assert [combiner("row", 5), combiner("row", 6)] == [10, 12]
    assert (worker.batches[2:], combiner._last) == ([[5], [6]], {"row": 1})
