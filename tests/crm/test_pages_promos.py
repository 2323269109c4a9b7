"""Promo codes as merchants see and make them; no page needs JavaScript."""

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from crm.models import Promo
from crm.offers import redeeming
from tests.factories import PromoFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
FORM = {
    "code": "welcome20",
    "type": "percentage",
    "value": "20",
    "min_order": "25.00",
    "valid_until": "2099-01-01T10:00",
}


@pytest.fixture
def onlooker(api):
    """Somebody of the same account who may not touch money."""
    client = Client()
    client.force_login(caller(Role.MARKETING, account=api.account).user)
    return client


def test_a_promo_is_made_in_one_form(api, page):
    api.account.time_zone = "Europe/Berlin"
    api.account.save()

    answer = page.post("/promos/new", FORM | {"items": "pizza\n\n pasta "})

    promo = Promo.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (303, "/promos/WELCOME20")
    assert (promo.value, promo.min_order, promo.usage_limit) == (2000, 2500, None)
    assert promo.applies_to == {"items": ["pizza", "pasta"]}
    assert promo.valid_until == dt.datetime(2099, 1, 1, 9, tzinfo=dt.UTC)
    shown = page.get("/promos/WELCOME20").content.decode()
    assert "20% off, for orders from $25.00." in shown
    assert "pizza, pasta" in shown


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"code": "A B"}, "A promo code has 3 to 32 letters"),
        ({"code": "TAKEN"}, "That promo code is already in use."),
        ({"value": "101"}, "A percentage is at most 100."),
        ({"value": ""}, "This must be more than 0."),
        ({"value": "12.345"}, "A percentage has at most two decimals."),
        ({"budget": "0.005"}, "An amount in USD has at most 2 decimals."),
        ({"items": "x" * 101}, "An item is a text of 1 to 100 characters."),
        ({"valid_until": "2001-01-01T10:00"}, "This must be later than valid_from."),
        ({"usage_limit": "0"}, "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(api, page, wrong, said):
    PromoFactory(account=api.account, code="TAKEN")

    answer = page.post("/promos/new", FORM | wrong)

    assert (answer.status_code, Promo.objects.count()) == (400, 1)
    assert said in answer.content.decode()


@pytest.mark.parametrize(
    ("terms", "word"),
    [
        ({}, "Active"),
        ({"enabled": False}, "Disabled"),
        ({"valid_from": timezone.now() + dt.timedelta(days=1)}, "Scheduled"),
        ({"valid_until": timezone.now() - dt.timedelta(hours=1)}, "Expired"),
        ({"usage_limit": 1, "used": 1}, "Used up"),
        ({"type": "fixed_amount", "value": 525}, "$5.25 off"),
        ({"type": "free_shipping", "value": 0}, "Free shipping"),
    ],
)
def test_the_list_says_how_each_promo_stands(api, page, terms, word):
    PromoFactory(account=api.account, **terms)

    assert word in page.get("/promos").content.decode()


def test_the_list_is_searched_by_how_a_code_begins(api, page):
    for code in ("WELCOME20", "FLASH25"):
        PromoFactory(account=api.account, code=code)

    shown = page.get("/promos?q=wel").content.decode()

    assert "WELCOME20" in shown
    assert "FLASH25" not in shown
    assert "No code begins like that" in page.get("/promos?q=X").content.decode()


def test_a_promo_shows_the_orders_that_used_it_and_is_switched_off_and_on(api, page):
    promo = PromoFactory(account=api.account, budget=100_00, value=1250)
    redeeming.redeem(api.account, promo.code, redeeming.Basket("anna", 80_00, "order-77"))
    shown = page.get(f"/promos/{promo.code}").content.decode()
    assert all(text in shown for text in ("order-77", "Redeemed", "$10.00", "12.5% off", "of $100.00"))

    for act, enabled in (("disable", False), ("enable", True)):
        assert page.post(f"/promos/{promo.code.lower()}", {"act": act}).status_code == 303
        promo.refresh_from_db()
        assert promo.enabled == enabled


def test_who_may_not_touch_money_only_looks(api, onlooker):
    promo = PromoFactory(account=api.account)

    assert "New promo" not in onlooker.get("/promos").content.decode().partition("</header>")[2].partition("<table")[0]
    assert "Disable" not in onlooker.get(f"/promos/{promo.code}").content.decode()
    assert [onlooker.post(each).status_code for each in ("/promos/new", f"/promos/{promo.code}")] == [403, 403]


def test_a_neighbours_promo_is_not_there(page):
    assert page.get(f"/promos/{PromoFactory().code}").status_code == 404
