"""How a shop uses coupons over HTTP."""

import re
import uuid

import pytest

from campaigns_project.api.limits import GUESSES
from coupons.models import CouponUse
from tests.coupons.books import balanced, coupon_of
from tests.coupons.factories import CouponFactory, CouponUseFactory
from tests.factories import CustomerFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
BASE = "/api/platform/v1/coupons"
CART = {
    "customer_id": "c1",
    "order_id": "o1",
    "cart_value": 900,
    "currency": "USD",
    "product_ids": [],
    "variant_ids": [],
}
MOMENT = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def code(api):
    return coupon_of(account=api.account, coupon={"code": "camp-X1"})


def told(answer):
    return answer.status_code, answer.json().get("code")


def test_a_coupon_is_asked_for_and_redeemed_in_the_published_shape(api, code):
    asked = api.post(f"{BASE}/CAMP-x1/validate", json=CART)
    done = api.post(f"{BASE}/camp-X1/redeem", json=CART)

    quote = {"code": "camp-X1", "order_id": "o1", "customer_id": "c1", "discount": 90, "currency": "USD"}
    assert (asked.status_code, asked.json(), done.status_code) == (200, quote, 201)
    first = done.json()
    assert quote.items() <= first.items()
    assert list(first) == ["id", "code", "order_id", "customer_id", "discount", "currency", "redeemed_at"]
    assert uuid.UUID(first["id"]) == CouponUse.objects.get().pk
    assert MOMENT.fullmatch(first["redeemed_at"])
    again = api.post(f"{BASE}/camp-X1/redeem", json=CART, headers={"idempotency-key": "k"})
    assert (again.status_code, again.json()) == (201, first)
    assert balanced(code) == 1


def test_lines_are_answered_with_their_shares(api, code):
    lines = [{"product_id": "tea", "amount": 333}, {"product_id": "cake", "variant_id": None, "amount": 567}]

    for verb in ("validate", "redeem"):
        answer = api.post(f"{BASE}/camp-X1/{verb}", json=CART | {"lines": lines}).json()
        assert answer["lines"] == [lines[0] | {"variant_id": None, "discount": 33}, lines[1] | {"discount": 57}]


def test_a_hold_is_committed_and_rolled_back_in_parts_and_whole(api, code):
    customer = CustomerFactory(account=api.account)
    held = api.post(f"{BASE}/camp-X1/reserve", json=CART | {"customer_id": customer.public_id, "ttl_seconds": 60})
    assert (held.status_code, held.json()["status"]) == (201, "reserved")
    assert MOMENT.fullmatch(held.json()["expires_at"])
    pk = held.json()["id"]

    done = api.post(f"{BASE}/reservations/{pk}/commit")
    part = api.post(f"{BASE}/redemptions/{pk}/rollback", json={"amount": 30})
    back = api.post(f"{BASE}/redemptions/{pk}/rollback", json={"reason": "cancelled"})

    assert [each.status_code for each in (done, part, back)] == [200, 200, 200]
    assert done.json()["customer_id"] == customer.public_id
    assert [(each.json()["status"], each.json()["returned"]) for each in (part, back)] == [
        ("redeemed", 30),
        ("given_back", 30),
    ]
    assert told(api.post(f"{BASE}/redemptions/{pk}/rollback", json={"amount": 1})) == (409, "rollback_exceeds_discount")
    assert (CouponUse.objects.get(quantity=-1).reason, balanced(code)) == ("cancelled", 0)


def test_a_hold_is_released(api, code):
    held = api.post(f"{BASE}/camp-X1/reserve", json=CART).json()

    released = api.post(f"{BASE}/reservations/{held['id']}/release").json()
    assert (released["status"], released["customer_id"]) == ("given_back", None)
    assert told(api.post(f"{BASE}/reservations/{held['id']}/commit")) == (409, "reservation_over")


@pytest.mark.parametrize(
    "wrong",
    [
        {"cart_value": -1},
        {"cart_value": 9.5},
        {"cart_value": 10**12 + 1},
        {"currency": "usd"},
        {"customer_id": ""},
        {"customer_id": "cust_nobody"},
        {"order_id": ""},
        {"product_ids": "tea"},
        {"lines": []},
        {"lines": [{"amount": 899}]},
        {"lines": [{"amount": 900, "sku": "tea"}]},
        {"total": 1},
    ],
)
def test_a_cart_that_makes_no_sense_is_refused(api, code, wrong):
    assert told(api.post(f"{BASE}/camp-X1/redeem", json=CART | wrong)) == (400, "VALIDATION_ERROR")


def test_a_refusal_is_a_conflict_with_its_reason(api, code):
    assert told(api.post(f"{BASE}/camp-X1/redeem", json=CART | {"currency": "EUR"})) == (409, "currency_differs")
    code.void()
    assert told(api.post(f"{BASE}/camp-X1/redeem", json=CART)) == (409, "coupon_not_active")


@pytest.mark.parametrize("odd", ["a/b", "100% off?", "&é", "reservations/x"])
def test_a_code_may_hold_any_printable_characters(api, code, odd):
    CouponFactory(campaign=code.campaign, code=odd)

    answer = api.post(f"{BASE}/{odd.replace('%', '%25').replace('?', '%3F')}/redeem", json=CART)

    assert (answer.status_code, answer.json()["code"]) == (201, odd)


@pytest.mark.parametrize("path", ["camp-X1%20/redeem", "NOBODYS/reserve", "%FF/redeem"])
def test_what_is_no_code_is_unknown(api, code, path):
    assert told(api.post(f"{BASE}/{path}", json=CART)) == (404, "coupon_unknown")


@pytest.mark.parametrize("verb", ["validate", "redeem", "reserve"])
def test_a_neighbours_code_and_none_are_one_answer_after_the_same_queries(
    neighbour, code, verb, django_assert_num_queries
):
    answers = []
    for name in ("NOBODYS", "camp-X1"):
        with django_assert_num_queries(QUERIES):
            answers.append(neighbour.post(f"{BASE}/{name}/{verb}", json=CART).json())

    for answer in answers:
        del answer["request_id"], answer["timestamp"]
    assert answers[0] == answers[1]
    assert answers[0]["code"] == "coupon_unknown"


# Who asks, whether they guess, the customer, the code, and three counts of guesses.
QUERIES = 7


@pytest.mark.parametrize("keyed", [False, True])
def test_who_guesses_is_refused_also_when_a_guess_is_right(api, code, keyed):
    guesses = [
        api.post(f"{BASE}/X{n:04}/validate", json=CART, headers={"idempotency-key": f"k{n}"} if keyed else {})
        for n in range(GUESSES + 1)
    ]

    assert [told(each) for each in guesses[:-1]] == [(404, "coupon_unknown")] * GUESSES
    colleague = caller(account=api.account)
    for answer in (guesses[-1], *(who.post(f"{BASE}/camp-X1/redeem", json=CART) for who in (api, colleague))):
        assert told(answer) == (429, "TOO_MANY_REQUESTS")
        assert int(answer.headers["Retry-After"]) > 0


def test_a_guesser_does_not_shut_the_door_to_other_accounts(api, neighbour):
    for n in range(GUESSES):
        neighbour.post(f"{BASE}/X{n:04}/validate", json=CART)
    coupon_of(account=api.account, coupon={"code": "mine"})

    assert api.post(f"{BASE}/mine/redeem", json=CART).status_code == 201


@pytest.mark.parametrize("verb", ["reservations/{}/commit", "reservations/{}/release", "redemptions/{}/rollback"])
@pytest.mark.parametrize("pk", ["x", "red_0000000000000001", "c9e0f639-eebb-466e-a63a-70f93542a9ef"])
def test_what_is_no_use_is_not_found(api, verb, pk):
    assert told(api.post(f"{BASE}/{verb.format(pk)}")) == (404, "NOT_FOUND")


def test_the_uses_of_a_campaign_are_listed_the_newest_first(api, code):
    for n in range(3):
        api.post(f"{BASE}/camp-X1/redeem", json=CART | {"order_id": f"o{n}"})
    other = CouponUseFactory(coupon=CouponFactory(campaign=code.campaign, code="other"), redeemed_at=None)
    api.post(f"{BASE}/redemptions/{CouponUse.objects.get(order_id='o1').pk}/rollback")
    path = f"/api/platform/v1/coupon_campaigns/{code.campaign_id}/redemptions"
    orders = lambda asked: [each["order_id"] for each in api.get(path + asked).json()["data"]]  # noqa: E731

    assert orders("") == [other.order_id, "o2", "o1", "o0"]
    assert (orders("?status=given_back"), orders("?status=reserved")) == (["o1"], [other.order_id])
    assert (orders("?order_id=o2"), orders("?code=OTHER"), orders("?code=none")) == (["o2"], [other.order_id], [])
    assert told(api.get(path + "?status=gone")) == (400, "VALIDATION_ERROR")
    first = api.get(path + "?limit=1").json()
    assert first["pagination"]["total"] == 4
    assert orders(f"?limit=1&cursor={first['pagination']['next_cursor']}") == ["o2"]
