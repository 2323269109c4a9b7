"""Promo codes are used exactly as often as their limits say, whoever asks at once."""

import datetime as dt

import pytest
from django.db import IntegrityError
from django.db.models import Sum
from django.utils import timezone

from campaigns_project.refusals import NotFound, Refusal
from crm import tasks
from crm.models import Promo, PromoShare, PromoUse
from crm.offers import redeeming
from crm.offers.promos import PromoUnknown
from crm.offers.redeeming import Basket
from tests.factories import CustomerFactory, PromoFactory

pytestmark = pytest.mark.django_db
PAST, LATER = (timezone.now() + dt.timedelta(days=days) for days in (-2, 2))


def balanced(promo):
    """How often the promo is used, when counters, shares and ledger say the same."""
    promo.refresh_from_db()
    lines = PromoUse.objects.filter(promo=promo)
    counted = lines.aggregate(uses=Sum("quantity", default=0))["uses"]
    given = sum(line.quantity * line.discount for line in lines)
    shares = PromoShare.objects.filter(promo=promo).aggregate(uses=Sum("used", default=0))["uses"]
    assert (promo.used, promo.used, promo.spent) == (counted, shares, given)
    return promo.used


def redeem(promo, order="o-1", person="anna", amount=100_00, **basket):
    return redeeming.redeem(promo.account, promo.code, Basket(person, amount, order, **basket))


def reserve(promo, order="o-1", person="anna", seconds=60):
    return redeeming.reserve(promo.account, promo.code, Basket(person, 100_00, order), seconds=seconds)


def reason(call, *args, **options):
    with pytest.raises(Refusal) as refused:
        call(*args, **options)
    return refused.value.code


def overdue(use):
    PromoUse.objects.filter(pk=use.pk).update(held_until=timezone.now() - dt.timedelta(seconds=1))


@pytest.mark.parametrize(
    ("terms", "amount", "discount"),
    [
        ({"value": 2000}, 46_80, 9_36),
        ({"value": 1000}, 5, 1),  # 0.5 is rounded up,
        ({"value": 1000}, 4, 0),  # 0.4 down
        ({"value": 1250}, 99_99, 12_50),
        ({"value": 100_00}, 10**12, 10**12),
        ({"value": 5000, "max_discount": 10_00}, 100_00, 10_00),
        ({"type": "fixed_amount", "value": 15_00}, 100_00, 15_00),
        ({"type": "fixed_amount", "value": 15_00}, 9_00, 9_00),
        ({"type": "fixed_amount", "value": 15_00, "max_discount": 5_00}, 100_00, 5_00),
        ({"type": "free_shipping", "value": 0}, 100_00, 0),
    ],
)
def test_the_discount_is_reckoned_in_minor_units(terms, amount, discount):
    promo = PromoFactory(**terms)

    asked = redeeming.ask(promo.account, promo.code, Basket("anna", amount))

    assert (asked, redeem(promo, amount=amount).discount) == (discount, discount)


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({"enabled": False}, "promo_not_active"),
        ({"valid_from": LATER}, "promo_not_started"),
        ({"valid_until": PAST, "valid_from": PAST - dt.timedelta(days=1)}, "promo_expired"),
        ({"min_order": 100_01}, "min_order_not_met"),
        ({"applies_to": {"items": ["pizza"]}}, "product_mismatch"),
        ({"usage_limit": 2, "used": 2}, "promo_exhausted"),
        ({"budget": 15_00, "spent": 5_01}, "promo_exhausted"),
    ],
)
def test_a_known_code_says_why_it_is_refused(terms, told):
    promo = PromoFactory(**terms)

    assert reason(redeeming.ask, promo.account, promo.code, Basket("anna", 100_00)) == told
    assert reason(redeem, promo) == told
    assert not PromoUse.objects.exists()


def test_only_the_lines_a_promo_applies_to_count():
    promo = PromoFactory(applies_to={"items": ["pizza", "pasta"]})
    lines = [{"sku": "pizza", "amount": 20_00}, {"sku": "wine", "amount": 30_00}, {"sku": "pasta", "amount": 10_00}]

    assert redeem(promo, items=lines).discount == 3_00


def test_a_budget_is_used_to_the_last_cent():
    promo = PromoFactory(budget=20_00)

    assert [redeem(promo, order).discount for order in "ab"] == [10_00, 10_00]
    assert reason(redeem, promo, "c") == "promo_exhausted"
    assert balanced(promo) == 2


def test_one_person_has_a_limit_of_their_own():
    promo = PromoFactory(per_customer_limit=1)
    redeem(promo)

    assert reason(redeem, promo, "o-2") == "customer_limit_reached"
    assert reason(redeeming.ask, promo.account, promo.code, Basket("anna", 100_00)) == "customer_limit_reached"
    assert redeem(promo, "o-2", "bert")
    assert balanced(promo) == 2


def test_an_order_uses_a_code_once_and_reads_the_first_answer_again():
    promo = PromoFactory(usage_limit=1, per_customer_limit=1)
    first = redeem(promo)
    Promo.objects.update(enabled=False)

    assert redeem(promo) == first
    assert reason(redeem, promo, amount=99_99) == "order_id_reused"
    assert reason(redeem, promo, person="bert") == "order_id_reused"
    assert balanced(promo) == 1


def test_what_is_held_counts_until_it_is_released():
    promo = PromoFactory(usage_limit=1, per_customer_limit=1)
    held = reserve(promo)
    assert (held.state, reserve(promo), reason(redeem, promo, "o-2")) == ("reserved", held, "promo_exhausted")

    for _ in range(2):
        assert redeeming.release(promo.account, held.public_id).state == "given_back"
    assert balanced(promo) == 0
    assert reason(redeeming.commit, promo.account, held.public_id) == "reservation_over"
    assert redeem(promo, "o-2").state == "redeemed"


@pytest.mark.parametrize("by", ["commit", "redeem"])
def test_what_is_held_is_redeemed_once(by):
    promo = PromoFactory(usage_limit=1)
    held = reserve(promo)

    for _ in range(2):
        done = redeem(promo) if by == "redeem" else redeeming.commit(promo.account, held.public_id)
        assert (done, done.state) == (held, "redeemed")
    assert reason(redeeming.release, promo.account, held.public_id) == "reservation_committed"
    assert reason(reserve, promo) == "reservation_committed"
    assert balanced(promo) == 1


def test_a_redemption_is_rolled_back_once_and_the_order_may_use_the_code_again():
    promo = PromoFactory(usage_limit=1, per_customer_limit=1)
    use = redeem(promo)

    for _ in range(2):
        assert redeeming.rollback(promo.account, use.public_id, reason="cancelled").state == "given_back"
    assert balanced(promo) == 0
    assert redeem(promo).public_id != use.public_id
    assert balanced(promo) == 1
    assert use.reversal.reason == "cancelled"


def test_what_is_held_too_long_is_given_back_by_the_clock():
    promo, other = PromoFactory(), PromoFactory()
    for each in (reserve(promo, "a"), reserve(promo, "b", "bert"), reserve(other)):
        overdue(each)
    reserve(promo, "c")

    tasks.give_back_promos(later="is ignored")

    assert (balanced(promo), balanced(other), redeeming.give_back_overdue()) == (1, 0, 0)


def test_what_is_held_too_long_is_in_nobodys_way():
    promo = PromoFactory(usage_limit=1)
    held = reserve(promo)
    overdue(held)

    assert reason(redeeming.commit, promo.account, held.public_id) == "reservation_over"
    assert redeem(promo, "o-2", "bert")
    assert balanced(promo) == 1


def test_only_what_is_there_and_ones_own_is_found():
    promo, theirs = PromoFactory(), PromoFactory()
    held, used = reserve(theirs), redeem(theirs, "o-2")

    for find in (redeeming.ask, redeeming.redeem):
        with pytest.raises(PromoUnknown):
            find(promo.account, theirs.code, Basket("anna", 100_00, "o-3"))
    for verb, public_id in (("commit", held), ("release", held), ("rollback", used)):
        assert reason(getattr(redeeming, verb), promo.account, public_id.public_id) == "NOT_FOUND"
    with pytest.raises(NotFound):
        redeeming.rollback(theirs.account, held.public_id)


def test_a_person_is_one_whatever_they_are_called_by():
    anna = CustomerFactory(email="Anna@example.test", external_id="c-1")
    who = [{"customer_id": anna.public_id}, {"customer_id": "c-1"}, {"email": "anna@EXAMPLE.test"}]

    assert {redeeming.person_of(anna.account, **each) for each in who} == {anna.public_id}


def test_of_somebody_unknown_a_hash_is_kept():
    account = PromoFactory().account
    by_mail, by_id = (
        redeeming.person_of(account, **who) for who in ({"email": "A@b.test"}, {"customer_id": "a@b.test"})
    )

    assert by_mail == redeeming.person_of(account, email="a@b.test") != by_id
    assert "b.test" not in by_mail + by_id
    assert reason(redeeming.person_of, account, customer_id="cust_nobody") == "VALIDATION_ERROR"


@pytest.mark.parametrize("counters", [{"used": 11}, {"used": -1}, {"spent": 501}])
def test_postgresql_refuses_counters_beyond_the_limits(counters):
    promo = PromoFactory(usage_limit=10, budget=500)

    with pytest.raises(IntegrityError):
        Promo.objects.filter(pk=promo.pk).update(**counters)


@pytest.mark.django_db(transaction=True)
def test_of_a_hundred_at_once_exactly_as_many_as_the_limit_get_it(at_once):
    for _round in range(5):
        promo = PromoFactory(usage_limit=10)

        answers = at_once(lambda n, promo=promo: redeem(promo, f"o-{n}", f"p-{n}"), 100)

        assert (balanced(promo), answers.count("promo_exhausted")) == (10, 90)


@pytest.mark.django_db(transaction=True)
def test_of_fifty_orders_of_one_person_at_once_one_gets_it(at_once):
    promo = PromoFactory(usage_limit=1000, per_customer_limit=1)

    answers = at_once(lambda n: redeem(promo, f"o-{n}"), 50)

    assert (balanced(promo), answers.count("customer_limit_reached")) == (1, 49)


@pytest.mark.django_db(transaction=True)
def test_of_one_order_at_once_each_reads_the_same_answer(at_once):
    promo = PromoFactory()

    assert {use.pk for use in at_once(lambda _: redeem(promo), 20)} == {PromoUse.objects.get().pk}
    assert balanced(promo) == 1


@pytest.mark.django_db(transaction=True)
def test_taking_and_giving_back_at_once_keep_the_books(at_once):
    promo = PromoFactory(usage_limit=5)
    verbs = [redeeming.release, redeeming.commit, lambda *_: redeeming.give_back_overdue()]

    def trade(number):
        for turn in range(5):
            held = reserve(promo, f"o-{number % 7}-{turn}", f"p-{number % 7}")
            overdue(held) if number % 3 == 2 else None
            verbs[number % 3](promo.account, held.public_id)

    at_once(trade, 20)

    assert 0 <= balanced(promo) <= 5
