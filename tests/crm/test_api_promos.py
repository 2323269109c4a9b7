"""Promo codes as integrators make, read and change them."""

import pytest

from accounts.roles import Role
from crm.models import Promo
from tests.factories import PromoFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
BASE = "/api/v1/marketing/promos"
# The seed's example; segments are not there yet.
SEED = {
    "code": "WELCOME20",
    "type": "percentage",
    "value": 20,
    "min_order_amount": 25.00,
    "max_discount": 50.00,
    "usage_limit": 1000,
    "per_customer_limit": 1,
    "valid_from": "2026-01-01T00:00:00Z",
    "valid_until": "2026-12-31T23:59:59Z",
    "applies_to": {"all_items": True},
    "customer_segment_id": None,
}
ADDED = {"id", "budget", "spent", "status", "used_count", "created_at"}


def refusal(answer):
    return answer.status_code, answer.json()["code"], sorted(answer.json()["details"])


@pytest.mark.parametrize("base", ["/api/v1/marketing", "/v1/commerce/marketing"])
def test_the_seeds_promo_is_made_and_reads_back_to_the_letter(api, base):
    answer = api.post(f"{base}/promos", json=SEED)

    made = answer.json()
    assert answer.status_code == 201, made
    assert {key: made[key] for key in SEED} == SEED
    assert set(made) == {*SEED, *ADDED}
    assert (made["status"], made["used_count"], made["id"][:6]) == ("active", 0, "promo_")
    assert api.get(f"{base}/promos").json()["data"] == [made]
    assert api.get(f"{base}/promos/welcome20").json() == api.get(f"{base}/promos/{made['id']}").json() == made


def test_money_is_kept_in_minor_units(api):
    api.post(BASE, json={"code": "five", "type": "fixed_amount", "value": 5.25, "budget": 24.99})

    promo = Promo.objects.get(code="FIVE")
    assert (promo.value, promo.budget, promo.min_order) == (525, 2499, 0)
    assert api.get(f"{BASE}/FIVE").json()["value"] == 5.25


@pytest.mark.parametrize(("currency", "worth", "kept"), [("JPY", 500, 500), ("KWD", 1.125, 1125), ("USD", 5.25, 525)])
def test_money_has_the_decimals_of_the_accounts_currency(api, currency, worth, kept):
    type(api.account).objects.filter(pk=api.account.pk).update(currency=currency)

    made = api.post(BASE, json={"code": "five", "type": "fixed_amount", "value": worth, "budget": worth})

    promo = Promo.objects.get(code="FIVE")
    assert (promo.value, promo.budget) == (kept, kept)
    assert (made.json()["value"], made.json()["budget"]) == (worth, worth)


@pytest.mark.parametrize("given", [{"value": 5.25}, {"value": 5, "budget": 0.5}])
def test_a_fraction_of_a_yen_is_refused(api, given):
    type(api.account).objects.filter(pk=api.account.pk).update(currency="JPY")

    answer = api.post(BASE, json={"code": "five", "type": "fixed_amount"} | given)

    field = min(given)
    assert (answer.status_code, answer.json()["details"]) == (400, {field: ["An amount in JPY has no decimals."]})


def test_a_code_is_taken_once_per_account_in_any_case(api, neighbour):
    api.post(BASE, json=SEED)

    assert refusal(api.post(BASE, json=SEED | {"code": "welcome20"})) == (409, "promo_code_exists", [])
    assert neighbour.post(BASE, json=SEED).status_code == 201


@pytest.mark.parametrize("code", ["AB", "A" * 33, "A B", "ÄRGER", "ıIII", "A/B", None, 7, ["ABC"], "ABC\n", "A\0B"])
def test_what_is_no_code_has_its_own_refusal(api, code):
    assert refusal(api.post(BASE, json=SEED | {"code": code})) == (400, "invalid_promo_code", ["code"])


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"value": 100.01}, "value"),
        ({"value": 0}, "value"),
        ({"value": 20.001}, "value"),
        ({"value": -1}, "value"),
        ({"value": "20"}, "value"),
        ({"value": 10**400}, "value"),
        ({"type": "free_shipping"}, "value"),
        ({"type": "flat"}, "type"),
        ({"usage_limit": 0}, "usage_limit"),
        ({"budget": True}, "budget"),
        ({"valid_until": SEED["valid_from"]}, "valid_until"),
        ({"applies_to": {"all_items": 1}}, "applies_to"),
        ({"applies_to": {"items": []}}, "applies_to"),
        ({"applies_to": {"items": [""]}}, "applies_to.items"),
        ({"customer_segment_id": "seg_new_customers"}, "customer_segment_id"),
    ],
)
def test_terms_that_make_no_sense_are_refused_by_field(api, given, field):
    assert refusal(api.post(BASE, json=SEED | given)) == (400, "VALIDATION_ERROR", [field])


def test_free_shipping_needs_no_value(api):
    answer = api.post(BASE, json={"code": "SHIP", "type": "free_shipping"})

    assert (answer.status_code, answer.json()["value"], answer.json()["valid_until"]) == (201, 0, None)


def test_terms_are_changed_and_a_lost_update_is_refused(api):
    made = api.post(BASE, json=SEED)
    seen = {"if-match": made.headers["ETag"]}

    changed = api.patch(f"{BASE}/WELCOME20", json={"min_order_amount": None, "status": "disabled"}, headers=seen)

    assert (changed.status_code, changed.json()["min_order_amount"], changed.json()["status"]) == (200, 0, "disabled")
    assert api.patch(f"{BASE}/WELCOME20", json={"value": 30}, headers=seen).status_code == 412
    assert [row["code"] for row in api.get(f"{BASE}?status=disabled&search=wel").json()["data"]] == ["WELCOME20"]
    assert api.get(f"{BASE}?status=active").json()["data"] == []


@pytest.mark.parametrize(("terms", "field"), [({"usage_limit": 2}, "usage_limit"), ({"budget": 29.99}, "budget")])
def test_limits_do_not_go_below_what_is_used(api, terms, field):
    promo = PromoFactory(account=api.account, used=3, spent=3000)

    assert refusal(api.patch(f"{BASE}/{promo.code}", json=terms)) == (400, "VALIDATION_ERROR", [field])


def test_promos_are_money(api):
    author = caller(Role.MARKETING, account=api.account)
    PromoFactory(account=api.account, code="SEEN")

    assert author.post(BASE, json=SEED).status_code == 403
    assert author.patch(f"{BASE}/SEEN", json={"status": "disabled"}).status_code == 403
    assert author.get(f"{BASE}/SEEN").status_code == 200


def test_a_neighbours_promo_and_none_look_the_same(api, neighbour):
    theirs = PromoFactory(account=neighbour.account)

    for code in (theirs.code, theirs.public_id, "NOBODYS"):
        assert refusal(api.get(f"{BASE}/{code}")) == (404, "promo_unknown", [])
