import asyncio
import time

import pytest

from dispatch import pacing
from dispatch.database import connect
from dispatch.models import Pace

pytestmark = pytest.mark.django_db(transaction=True)


def taking(*wants, rates):
    """Take slots one after the other; returns them."""

    async def take_all():
        async with await connect() as connection:
            clock = pacing.Clock()
            return [await pacing.take(connection, "twilio", rates, want, clock) for want in wants]

    return asyncio.run(take_all())


def test_without_a_rate_everything_starts_now():
    (slots,) = taking(500, rates=[])

    assert (slots.n, slots.step) == (500, 0.0)


def test_no_more_slots_are_given_than_the_window_holds():
    first, second = taking(500, 500, rates=[pacing.Rate("+1555", 100)])

    assert first.n == 5
    assert second.n <= 1
    assert second.first >= first.at(4)


def test_the_nearest_slot_is_far_enough_that_its_call_is_opened_in_time():
    before = time.monotonic()

    (slots,) = taking(1, rates=[pacing.Rate("+1555", 100)])

    assert slots.first >= before + pacing.LEAD_SECONDS


def test_who_gets_no_slot_is_told_when_the_next_one_is():
    given, none = taking(50, 50, rates=[pacing.Rate("+1555", 2)])

    assert (given.n, none.n) == (1, 0)
    assert none.first - given.first == pytest.approx(1 / (2 * pacing.SAFETY), abs=0.02)


def test_a_late_answer_does_not_shift_the_slots(monkeypatch):
    shown = iter([100.0, 101.0 + 0.3, 102.0])
    monkeypatch.setattr(pacing.time, "monotonic", lambda: next(shown))
    clock = pacing.Clock()

    clock.see(1000.0)
    clock.see(1001.0)

    assert clock.ours(1001.0) == pytest.approx(101.0, abs=0.001)
    clock.see(1001.9)
    assert clock.ours(1001.9) == pytest.approx(101.9, abs=0.001)


def test_slots_are_a_step_apart_and_never_in_the_past():
    before = time.monotonic()

    (slots,) = taking(3, rates=[pacing.Rate("+1555", 100)])

    assert slots.at(0) >= before
    assert slots.at(2) - slots.at(0) == pytest.approx(2 / (100 * pacing.SAFETY))


def test_a_slow_rate_still_gives_one_slot():
    assert taking(9, rates=[pacing.Rate("+1555", 1)])[0].n == 1


def test_the_lower_of_two_rates_decides_and_the_other_gets_its_surplus_back():
    (slots,) = taking(50, rates=[pacing.Rate("whatsapp:1", 1000), pacing.Rate("+1555", 100)])
    wide, narrow = Pace.objects.get(sender="whatsapp:1"), Pace.objects.get(sender="+1555")

    assert slots.n == 5
    assert (narrow.next_slot - wide.next_slot).total_seconds() == pytest.approx(5 / 99 - 5 / 990, abs=0.02)


def test_an_exhausted_first_rate_does_not_touch_the_second():
    taking(50, rates=[pacing.Rate("whatsapp:1", 1)])

    (slots,) = taking(50, rates=[pacing.Rate("whatsapp:1", 1), pacing.Rate("+1555", 100)])

    assert (slots.n, Pace.objects.filter(sender="+1555").exists()) == (0, False)
