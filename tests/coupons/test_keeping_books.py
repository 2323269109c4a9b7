"""What keeps the ledger right beside redeeming: the clock, operators, and people who become customers."""

import pytest

from campaigns_project.models import AuditEntry
from coupons import redeeming, tasks, telling
from coupons.models import CouponCampaign, CouponShare, CouponUse
from crm.customers import people
from crm.offers.redeeming import person_of
from tests.coupons.books import balanced, coupon_of, redeem, reserve
from tests.operators_world import address, operator, said

pytestmark = pytest.mark.django_db


def test_the_clock_gives_back_what_was_held_too_long():
    code = coupon_of(max_count=2)
    reserve(code)
    CouponUse.objects.update(held_until="2026-01-01T00:00Z")
    reserve(code, "o-2")

    tasks.give_back_coupons(later="is ignored")

    assert balanced(code) == 1


def test_a_counter_that_differs_from_its_ledger_is_told(caplog):
    code = coupon_of()
    redeem(code)
    tasks.check_coupon_books()
    assert not caplog.records
    CouponCampaign.objects.update(used=7, spent=1)
    CouponShare.objects.all().delete()

    tasks.check_coupon_books(later="is ignored")

    told = [record.getMessage() for record in caplog.records]
    assert [sum(f"what='{what}'" in each for each in told) for what in ("share", "spent", "campaign")] == [1, 1, 1]


def test_an_operator_rolls_a_redemption_back_with_a_reason(client):
    staff = operator(client)
    code = coupon_of("single-use")
    use = redeem(code)

    answer = staff.post(address(use, "act", "roll_back"), {"reason": "order cancelled"}, follow=True)

    assert (said(answer), balanced(code), use.reversals.get().reason) == (["Roll back: done."], 0, "order cancelled")
    assert AuditEntry.objects.get().reason == "order cancelled"
    again = staff.post(address(use, "act", "roll_back"), {"reason": "again"}, follow=True)
    assert said(again) == ["“Roll back” is not possible here now."]
    assert use.order_id in staff.get(address(use), {"q": use.order_id}).content.decode()


def test_what_a_guest_used_is_theirs_once_they_are_a_customer():
    code = coupon_of(per_customer_limit=1)
    person = person_of(code.account, customer_id="c-1")
    use = redeem(code, person=person)

    anna = people.create(code.account, {"email": "anna@example.test", "external_id": "c-1"})

    assert person_of(code.account, customer_id="c-1") == anna.public_id
    with pytest.raises(redeeming.Refused, match="as often as allowed"):
        redeem(code, "o-2", person=anna.public_id)
    assert [line["code"] for line in telling.uses(anna)] == [code.code]
    assert list(telling.shares(anna)) == [{"campaign": code.campaign.name, "used": 1, "most": 1}]
    redeeming.rollback(code.account, use.pk)
    assert balanced(code) == 0
