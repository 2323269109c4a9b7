"""Whoever asks at once, and however they are put together: exactly as many as the limits say, and balanced books."""

from collections import Counter

import pytest

from campaigns_project.refusals import Refusal
from coupons import admitting, redeeming
from coupons.admitting import Wish
from coupons.models import CouponUse
from coupons.redeeming import Cart, CouponUnknown
from tests.coupons.books import balanced, coupon_of, redeem, reserve
from tests.coupons.factories import CouponFactory

ROUNDS = 5
TRIES, CALLERS = 1_000, 20


def wishes(*carts):
    """(coupon, person, order, value) as wishes of one batch."""
    return [Wish(code.account_id, "USD", code.code, Cart(who, value, order)) for code, who, order, value in carts]


def told(verdicts):
    return [None if one is None else one.reason or ("new" if one.at else "present") for one in verdicts]


@pytest.mark.django_db
def test_a_batch_is_decided_one_after_the_other():
    code = coupon_of(max_count=3, per_customer_limit=1)
    redeem(code, "o-1", "anna")
    unknown = CouponFactory.build(account=code.account, campaign=code.campaign, code="NOBODYS")

    verdicts = admitting._locked(
        wishes(
            (code, "anna", "o-1", 100_00),
            (code, "anna", "o-2", 100_00),
            (unknown, "bert", "o-3", 100_00),
            (code, "bert", "o-3", 100_00),
            (code, "bert", "o-3", 100_00),
            (code, "bert", "o-4", 100_00),
            (code, "carl", "o-5", 100_00),
            (code, "dora", "o-6", 100_00),
        )
    )

    late = "customer_limit_reached"
    assert told(verdicts) == ["present", late, None, "new", "present", late, "new", "coupon_exhausted"]
    assert CouponUse.objects.get(order_id="o-3").pk == verdicts[4].present
    assert balanced(code) == 3


@pytest.mark.django_db
def test_in_a_batch_the_budget_passes_over_who_is_too_dear():
    code = coupon_of(budget=12_00)

    verdicts = admitting._locked(wishes(*((code, f"p{n}", f"o{n}", v) for n, v in enumerate((100_00, 30_00, 20_00)))))

    assert told(verdicts) == ["new", "coupon_exhausted", "new"]
    assert balanced(code) == 2


@pytest.mark.django_db
def test_a_batch_may_be_of_many_codes_and_campaigns():
    one, other = (coupon_of("single-use", max_count=1) for _ in range(2))
    other.account_id = one.account_id
    second = CouponFactory(campaign=one.campaign)

    verdicts = admitting._locked(wishes((one, "a", "o", 100), (second, "b", "o", 100), (one, "c", "p", 100)))

    assert told(verdicts) == ["new", "coupon_exhausted", "coupon_exhausted"]
    assert (balanced(one), balanced(other)) == (1, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("kind", "limit"), [("group", 10), ("single-use", 25), ("lightning", 1)])
def test_of_a_thousand_tries_at_once_exactly_as_many_as_the_limit_are_redeemed(at_once, kind, limit):
    for _ in range(ROUNDS):
        code = hot(kind, limit)

        answers = at_once(lambda n, code=code: several(code, n), CALLERS)

        counted = sum(answers, Counter())
        assert (balanced(code[0]), counted["redeemed"], counted["coupon_exhausted"]) == (limit, limit, TRIES - limit)


def hot(kind, limit):
    """The coupons of a campaign: one shared code, or a code for each try."""
    code = coupon_of("group" if kind == "lightning" else kind, max_count=limit)
    return [code, *(CouponFactory.create_batch(TRIES - 1, campaign=code.campaign) if kind == "single-use" else ())]


def several(codes, number):
    """What became of one caller's share of the tries; by turns alone, together, and inside a transaction."""
    said = Counter()
    for turn in range(number, TRIES, CALLERS):
        try:
            use = redeem(codes[turn % len(codes)], f"o-{turn}", f"p-{turn}")
        except Refusal as refusal:
            said[refusal.code] += 1
        else:
            said[use.state] += 1
    return said


@pytest.mark.django_db(transaction=True)
def test_alone_nobody_is_let_in_beyond_the_limit_either(at_once):
    code = coupon_of(max_count=30, per_customer_limit=1)
    ask = lambda n: admitting.admit_alone(*wishes((code, f"p-{n % 40}", f"o-{n}", 100_00))).reason  # noqa: E731

    answers = Counter(at_once(lambda n: [ask(n + 20 * turn) for turn in range(5)], 20)[0])
    more = at_once(ask, 20)

    assert balanced(code) == CouponUse.objects.count() == 30
    assert set(answers) | set(more) <= {"", "coupon_exhausted", "customer_limit_reached"}


@pytest.mark.django_db(transaction=True)
def test_of_fifty_orders_of_one_person_at_once_one_gets_it(at_once):
    code = coupon_of(max_count=1000, per_customer_limit=1)

    answers = at_once(lambda n: redeem(code, f"o-{n}"), 50)

    assert (balanced(code), answers.count("customer_limit_reached")) == (1, 49)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("together", [True, False])
def test_of_one_order_at_once_each_reads_the_same_answer(at_once, together):
    code = coupon_of("single-use", max_count=1, per_customer_limit=1)
    ask = wishes((code, "anna", "o-1", 100_00))[0]

    def alone(_):
        wish = Wish(ask.account, ask.currency, ask.code, ask.cart)
        return admitting.admit_alone(wish).present or wish.id

    answers = at_once((lambda _: redeem(code).pk) if together else alone, 20)

    assert set(answers) == {CouponUse.objects.get().pk}
    assert balanced(code) == 1


@pytest.mark.django_db(transaction=True)
def test_taking_and_giving_back_at_once_keep_the_books(at_once):
    code = coupon_of(max_count=5, per_customer_limit=2, budget=45_00)
    verbs = [redeeming.release, redeeming.commit, lambda *_: redeeming.give_back_overdue()]

    def trade(number):
        for turn in range(8):
            held = reserve(code, f"o-{number % 7}-{turn}", f"p-{number % 7}", seconds=1 if number % 3 == 2 else 60)
            use = verbs[number % 3](code.account, held.pk)
            if number % 3 == 1:
                redeeming.rollback(code.account, use.pk, amount=1)
                redeeming.rollback(code.account, use.pk)

    at_once(trade, 20)

    assert 0 <= balanced(code) <= 5


@pytest.mark.django_db
def test_a_code_made_anew_in_another_campaign_is_found_there():
    code = coupon_of()
    redeem(code)
    CouponUse.objects.all().delete()
    code.delete()
    with pytest.raises(CouponUnknown):
        redeem(code)

    other = coupon_of(account=code.account, coupon={"code": code.code})

    assert redeem(code).campaign_id == other.campaign_id
