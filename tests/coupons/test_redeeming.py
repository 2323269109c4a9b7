"""Coupons are used exactly as often as their limits say, and the ledger says the same as every counter."""

import datetime as dt
import uuid

import pytest
from django.db import IntegrityError
from django.utils import timezone

from campaigns_project.refusals import NotFound, Refusal
from coupons import redeeming
from coupons.models import Coupon, CouponCampaign, CouponUse
from coupons.redeeming import Cart, CouponUnknown
from crm.audiences import segments
from tests.coupons.books import balanced, coupon_of, redeem, reserve
from tests.coupons.factories import CouponFactory
from tests.factories import AccountFactory, CustomerFactory, SegmentFactory

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
MOMENT = dt.timedelta(milliseconds=1)


def reason(call, *args, **options):
    with pytest.raises(Refusal) as refused:
        call(*args, **options)
    return refused.value.code


def ask(coupon, **cart):
    return redeeming.ask(coupon.account, coupon.code, Cart("anna", **{"value": 100_00} | cart))


def overdue(use):
    CouponUse.objects.filter(pk=use.pk).update(held_until=timezone.now() - MOMENT)


def over(coupon, ends_at):
    """The campaign's end is another; the copy on the coupon too."""
    window = {"starts_at": ends_at - HOUR, "ends_at": ends_at}
    CouponCampaign.objects.filter(pk=coupon.campaign_id).update(**window)
    Coupon.objects.filter(pk=coupon.pk).update(**window)
    return coupon


@pytest.mark.parametrize(
    ("campaign", "coupon", "cart", "told"),
    [
        ({"status": "draft"}, {}, {}, "coupon_not_active"),
        ({"status": "inactive"}, {}, {}, "coupon_not_active"),
        ({"status": "archived"}, {}, {}, "coupon_not_active"),
        ({}, {"status": "void"}, {}, "coupon_not_active"),
        ({}, {"status": "inactive"}, {}, "coupon_not_active"),
        ({}, {"discount_type": None, "discount_value": None}, {}, "coupon_not_active"),
        ({"starts_at": timezone.now() + HOUR}, {}, {}, "coupon_not_started"),
        ({}, {"starts_at": timezone.now() + HOUR}, {}, "coupon_not_started"),
        ({"ends_at": timezone.now() - HOUR}, {}, {}, "coupon_expired"),
        ({"ends_at": timezone.now() - HOUR, "status": "inactive"}, {}, {}, "coupon_expired"),
        ({"ends_at": timezone.now() - HOUR, "status": "draft"}, {}, {}, "coupon_not_active"),
        ({}, {"ends_at": timezone.now() - HOUR}, {}, "coupon_expired"),
        ({}, {"min_cart_value": 100_01}, {}, "min_cart_value_not_met"),
        ({}, {"product_id": "tea"}, {"content": {"product_ids": ["cake"]}}, "product_mismatch"),
        ({}, {"variant_id": "tea-1"}, {}, "product_mismatch"),
        ({"currency": "EUR"}, {}, {"currency": "USD"}, "currency_differs"),
        ({"max_count": 2, "used": 2}, {}, {}, "coupon_exhausted"),
        ({"budget": 15_00, "spent": 5_01}, {}, {}, "coupon_exhausted"),
        ({}, {"max_count": 3, "used_count": 3}, {}, "coupon_exhausted"),
    ],
)
def test_a_known_code_says_why_it_is_refused(campaign, coupon, cart, told):
    code = coupon_of(coupon=coupon, **campaign)

    assert reason(ask, code, **cart) == told
    assert reason(redeem, code, **cart) == told
    assert not CouponUse.objects.exists()


def test_a_coupon_is_found_in_any_case_and_told_as_it_was_written():
    code = coupon_of(coupon={"code": "camp-ABC"})

    assert (ask(code).code, redeeming.ask(code.account, "CAMP-abc", Cart("a", 1)).code) == ("camp-ABC", "camp-ABC")


def test_a_use_is_written_with_what_it_gave():
    code = coupon_of(coupon={"product_id": "tea"}, currency="EUR")
    lines = [{"product_id": "tea", "variant_id": None, "amount": 30_05}, {"product_id": "cake", "amount": 69_95}]

    use = redeem(code, content={"lines": lines}, currency="EUR")

    kept = CouponUse.objects.get()
    for each in (use, kept):
        assert (each.discount, each.currency, each.order_id, each.person) == (3_01, "EUR", "o-1", "anna")
        assert [line["discount"] for line in each.lines] == [3_01, 0]
        assert (each.pk, each.redeemed_at, each.at, each.state) == (kept.pk, kept.redeemed_at, kept.at, "redeemed")
    assert balanced(code) == 1


def test_a_single_use_code_is_used_once():
    code = coupon_of("single-use")
    redeem(code)

    assert reason(redeem, code, "o-2", "bert") == "coupon_exhausted"
    assert balanced(code) == 1


def test_the_campaigns_limit_counts_all_its_coupons_together():
    code = coupon_of("single-use", max_count=2)
    others = CouponFactory.create_batch(2, campaign=code.campaign)
    for number, each in enumerate((code, others[0])):
        redeem(each, f"o-{number}")

    assert reason(redeem, others[1], "o-3") == "coupon_exhausted"
    assert balanced(code) == 2


def test_a_budget_is_used_to_the_last_cent():
    code = coupon_of(budget=20_00)

    assert [redeem(code, order).discount for order in "ab"] == [10_00, 10_00]
    assert reason(redeem, code, "c") == "coupon_exhausted"
    assert balanced(code) == 2


def test_one_person_has_a_limit_over_all_coupons_of_the_campaign():
    code = coupon_of("single-use", per_customer_limit=1)
    other = CouponFactory(campaign=code.campaign)
    redeem(code)

    assert reason(redeem, other, "o-2") == "customer_limit_reached"
    assert reason(ask, other) == "customer_limit_reached"
    assert redeem(other, "o-2", "bert")
    assert balanced(code) == 2


def test_a_campaign_for_a_segment_is_for_its_members_only():
    segment = SegmentFactory()
    anna, bert = CustomerFactory.create_batch(2, account=segment.account)
    segments.add_known(segment, [anna.pk])
    code = coupon_of(account=segment.account, segment=segment)

    assert redeem(code, person=anna.public_id)
    assert [reason(redeem, code, "o-2", who) for who in (bert.public_id, "x")] == ["not_in_segment"] * 2


def test_an_order_uses_a_coupon_once_and_reads_the_first_answer_again():
    code = coupon_of(max_count=1, per_customer_limit=1)
    first = redeem(code)
    code.campaign.deactivate()

    assert (redeem(code), ask(code, order_id="o-1").discount) == (first, 10_00)
    assert reason(redeem, code, value=99_99) == "order_id_reused"
    assert reason(redeem, code, person="bert") == "order_id_reused"
    assert balanced(code) == 1


def test_what_is_held_counts_until_it_is_released():
    code = coupon_of(max_count=1, per_customer_limit=1)
    held = reserve(code)
    assert (held.state, reserve(code), reason(redeem, code, "o-2")) == ("reserved", held, "coupon_exhausted")

    for _ in range(2):
        assert redeeming.release(code.account, held.pk).state == "given_back"
    assert balanced(code) == 0
    assert reason(redeeming.commit, code.account, held.pk) == "reservation_over"
    assert redeem(code, "o-2").state == "redeemed"


@pytest.mark.parametrize("by", ["commit", "redeem"])
def test_what_is_held_is_redeemed_once(by):
    code = coupon_of(max_count=1)
    held = reserve(code)

    for _ in range(2):
        done = redeem(code) if by == "redeem" else redeeming.commit(code.account, held.pk)
        assert (done, done.state) == (held, "redeemed")
    assert reason(redeeming.release, code.account, held.pk) == "reservation_committed"
    assert reason(reserve, code) == "reservation_committed"
    assert balanced(code) == 1


@pytest.mark.parametrize(
    ("stop", "told"),
    [
        (lambda code: code.campaign.deactivate(), "coupon_not_active"),
        (lambda code: code.void(), "coupon_not_active"),
        (lambda code: over(code, timezone.now() - MOMENT), "coupon_expired"),
    ],
)
def test_what_is_held_is_not_redeemed_after_the_end(stop, told):
    code = coupon_of()
    held = reserve(code)
    stop(code)

    assert reason(redeeming.commit, code.account, held.pk) == told
    assert reason(redeem, code) == told
    assert redeeming.release(code.account, held.pk).state == "given_back"
    assert balanced(code) == 0


def test_the_end_is_the_databases_moment():
    code = coupon_of()

    assert reason(redeem, over(code, timezone.now() - MOMENT)) == "coupon_expired"
    assert redeem(over(code, timezone.now() + HOUR), "o-2")


def test_a_redemption_is_rolled_back_once_whenever_and_the_order_may_use_the_coupon_again():
    code = coupon_of("single-use", max_count=1, per_customer_limit=1)
    use = redeem(code)
    CouponUse.objects.update(redeemed_at=timezone.now() - 10_000 * HOUR)
    code.campaign.deactivate()

    for _ in range(2):
        assert redeeming.rollback(code.account, use.pk, reason="cancelled").state == "given_back"
    assert (balanced(code), use.reversals.get().reason) == (0, "cancelled")
    code.campaign.extend_expiry_and_activate(ends_at=timezone.now() + 2 * HOUR)
    assert redeem(code).pk != use.pk
    assert balanced(code) == 1


def test_parts_of_a_redemption_are_given_back_until_nothing_is_left_and_the_use_still_counts():
    code = coupon_of(budget=10_00)
    use = redeem(code)

    for part in (4_00, 1):
        assert redeeming.rollback(code.account, use.pk, amount=part).state == "redeemed"
    assert reason(redeeming.rollback, code.account, use.pk, amount=6_00) == "rollback_exceeds_discount"
    assert (balanced(code), CouponCampaign.objects.get().spent) == (1, 5_99)

    assert redeeming.rollback(code.account, use.pk).returned == 4_01
    assert (balanced(code), CouponCampaign.objects.get().spent) == (0, 0)
    assert reason(redeeming.rollback, code.account, use.pk, amount=1) == "rollback_exceeds_discount"
    lines = CouponUse.objects.order_by("at").values_list("quantity", "discount")
    assert list(lines) == [(1, 10_00), (0, -4_00), (0, -1), (-1, -5_99)]


def test_what_is_held_too_long_is_given_back():
    code, other = coupon_of(), coupon_of()
    for each in (reserve(code, "a"), reserve(code, "b", "bert"), reserve(other)):
        overdue(each)
    reserve(code, "c")

    assert redeeming.give_back_overdue() == 3
    assert (balanced(code), balanced(other), redeeming.give_back_overdue()) == (1, 0, 0)


def test_what_is_held_too_long_is_in_nobodys_way():
    code = coupon_of(max_count=1)
    held = reserve(code)
    overdue(held)

    assert reason(redeeming.commit, code.account, held.pk) == "reservation_over"
    assert redeem(code, "o-2", "bert")
    assert balanced(code) == 1


def test_only_what_is_there_and_ones_own_is_found():
    own, theirs = AccountFactory(), coupon_of()
    held, used = reserve(theirs), redeem(theirs, "o-2")

    for find in (redeeming.ask, redeeming.redeem):
        for code in (theirs.code, "a\0b", "a\u200bb"):
            with pytest.raises(CouponUnknown):
                find(own, code, Cart("anna", 100_00, "o-3"))
    for verb, pk in (("commit", held.pk), ("release", held.pk), ("rollback", used.pk), ("rollback", uuid.uuid4())):
        assert reason(getattr(redeeming, verb), own, pk) == "NOT_FOUND"
    with pytest.raises(NotFound):
        redeeming.rollback(theirs.account, held.pk)


@pytest.mark.parametrize("counters", [{"used": 11}, {"used": -1}, {"spent": 501}])
def test_postgresql_refuses_counters_beyond_the_limits(counters):
    code = coupon_of(max_count=10, budget=500)

    with pytest.raises(IntegrityError):
        CouponCampaign.objects.filter(pk=code.campaign_id).update(**counters)
