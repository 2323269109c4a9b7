"""A campaign's redemptions as merchants see them and take them back; no page needs JavaScript."""

import pytest
from django.test import Client

from accounts.roles import Role
from coupons.models import CouponUse
from tests.coupons.books import balanced, coupon_of, redeem, reserve
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def coupon(api):
    return coupon_of(account=api.account)


def at(coupon, rest=""):
    return f"/coupons/{coupon.campaign_id}{rest}"


def text(answer):
    return answer.content.decode()


def test_the_newest_uses_stand_on_the_campaigns_page(page, coupon):
    assert "Nobody used a coupon yet" in text(page.get(at(coupon)))
    redeem(coupon, "order-77", value=50_00)

    shown = text(page.get(at(coupon)))

    assert all(word in shown for word in ("order-77", "$5.00", "Redeemed", "Roll back…"))


def test_all_uses_are_listed_and_found_by_order_and_state(page, coupon):
    redeem(coupon, "order-1")
    reserve(coupon, "order-2")
    found = lambda asked: [n for n in ("order-1", "order-2") if n in text(page.get(at(coupon, asked)))]  # noqa: E731

    assert found("/redemptions") == found("/redemptions?show=odd") == ["order-1", "order-2"]
    assert (found("/redemptions?q=order-2"), found("/redemptions?show=redeemed")) == (["order-2"], ["order-1"])
    assert "No such order" in text(page.get(at(coupon, "/redemptions?show=given_back")))


def test_a_redemption_is_rolled_back_in_part_and_then_whole(page, coupon):
    use = redeem(coupon)
    here = at(coupon, f"/redemptions/{use.pk}/rollback")
    assert "$10.00" in text(page.get(here))

    for amount, said in (("4", "Given back."), ("7", "more than this redemption still gives"), ("", "Rolled back.")):
        answer = page.post(here, {"amount": amount, "reason": "returned"}, follow=True)
        assert said in text(answer)

    assert (balanced(coupon), CouponUse.objects.get(quantity=-1).discount) == (0, -6_00)
    assert page.get(here).status_code == 409


@pytest.mark.parametrize("amount", ["0", "-1", "1.001", "x"])
def test_a_part_that_is_none_is_asked_for_again(page, coupon, amount):
    use = redeem(coupon)

    answer = page.post(at(coupon, f"/redemptions/{use.pk}/rollback"), {"amount": amount})

    assert (answer.status_code, balanced(coupon)) == (400, 1)


def test_who_may_not_move_money_is_offered_no_way_back(api, coupon):
    author = Client()
    author.force_login(caller(Role.MARKETING, account=api.account).user)
    use = redeem(coupon)

    assert "Roll back…" not in text(author.get(at(coupon, "/redemptions")))
    assert author.post(at(coupon, f"/redemptions/{use.pk}/rollback")).status_code == 403
    assert balanced(coupon) == 1
