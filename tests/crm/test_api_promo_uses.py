"""How a shop uses promo codes over HTTP."""

import pytest

from campaigns_project.api.limits import GUESSES
from crm.models import PromoUse
from tests.factories import CustomerFactory, PromoFactory

pytestmark = pytest.mark.django_db
BASE = "/api/v1/marketing/promos"
ORDER = {"email": "anna@example.test", "order_id": "o-1", "order_amount": 46.80, "currency": "USD"}


@pytest.fixture
def promo(api):
    return PromoFactory(account=api.account, code="WELCOME20", value=2000)


def told(answer):
    return answer.status_code, answer.json().get("code")


def test_a_code_is_asked_for_and_redeemed_in_decimal_units(api, promo):
    asked = api.post(f"{BASE}/welcome20/validate", json=ORDER)
    done = api.post(f"{BASE}/WELCOME20/redeem", json=ORDER)

    quote = {"code": "WELCOME20", "type": "percentage", "discount": 9.36, "currency": "USD", "free_shipping": False}
    assert (asked.status_code, asked.json()) == (200, quote)
    assert done.status_code == 201
    assert quote.items() <= done.json().items()
    assert (done.json()["order_amount"], done.json()["status"], done.json()["expires_at"]) == (46.8, "redeemed", None)
    again = api.post(f"{BASE}/WELCOME20/redeem", json=ORDER, headers={"idempotency-key": "k"})
    assert (again.status_code, again.json()) == (201, done.json())


def test_a_hold_is_committed_and_rolled_back(api, promo):
    customer = CustomerFactory(account=api.account)
    body = {"customer_id": customer.public_id, "order_id": "o-1", "order_amount": 10, "ttl_seconds": 60}

    held = api.post(f"{BASE}/WELCOME20/reserve", json=body).json()
    done = api.post(f"{BASE}/reservations/{held['id']}/commit")
    back = api.post(f"{BASE}/redemptions/{held['id']}/rollback", json={"reason": "cancelled"})

    assert (held["status"], held["customer_id"]) == ("reserved", customer.public_id)
    assert held["expires_at"].startswith("20")
    assert [(each.status_code, each.json()["status"]) for each in (done, back)] == [
        (200, "redeemed"),
        (200, "given_back"),
    ]
    assert PromoUse.objects.get(quantity=-1).reason == "cancelled"


def test_a_hold_is_released(api, promo):
    held = api.post(f"{BASE}/WELCOME20/reserve", json=ORDER).json()

    assert api.post(f"{BASE}/reservations/{held['id']}/release").json()["status"] == "given_back"
    assert told(api.post(f"{BASE}/reservations/{held['id']}/commit")) == (409, "reservation_over")


@pytest.mark.parametrize(
    "wrong",
    [
        {"customer_id": "c-1"},
        {"email": "anna"},
        {"order_amount": -1},
        {"order_amount": 46.801},
        {"currency": "EUR"},
        {"items": [{"sku": "pizza", "amount": 46.81}]},
        {"items": [{"sku": "", "amount": 1}]},
        {"order_id": ""},
        {"total": 1},
    ],
)
def test_a_basket_that_makes_no_sense_is_refused(api, promo, wrong):
    assert told(api.post(f"{BASE}/WELCOME20/redeem", json=ORDER | wrong)) == (400, "VALIDATION_ERROR")


def test_a_refusal_is_a_conflict_with_its_reason(api, promo):
    promo.min_order = 50_00
    promo.save()

    assert told(api.post(f"{BASE}/WELCOME20/redeem", json=ORDER)) == (409, "min_order_not_met")


def test_a_neighbours_code_and_none_look_the_same(api, neighbour, promo):
    answers = [neighbour.post(f"{BASE}/{code}/redeem", json=ORDER).json() for code in ("WELCOME20", "NOBODYS")]

    for answer in answers:
        del answer["request_id"], answer["timestamp"]
    assert answers[0] == answers[1]
    assert answers[0]["code"] == "promo_unknown"


@pytest.mark.parametrize("keyed", [False, True])
def test_who_guesses_is_refused_also_when_a_guess_is_right(api, promo, keyed):
    guesses = [
        api.post(f"{BASE}/X{n:04}/validate", json=ORDER, headers={"idempotency-key": f"k{n}"} if keyed else {})
        for n in range(GUESSES + 1)
    ]

    assert [told(each) for each in guesses[:-1]] == [(404, "promo_unknown")] * GUESSES
    for answer in (guesses[-1], api.post(f"{BASE}/WELCOME20/redeem", json=ORDER)):
        assert told(answer) == (429, "TOO_MANY_REQUESTS")
        assert int(answer.headers["Retry-After"]) > 0
