"""The catalogue: products and variants put in, found by their ids; orders as the stream of events tells of them."""

import datetime as dt
from itertools import permutations

import pytest

from crm import events
from crm.catalogue import products
from crm.catalogue.products import Item
from crm.customers import people
from crm.models import Order, Product, Variant
from tests.crm.catalogue_world import ProductFactory, VariantFactory
from tests.factories import AccountFactory, CustomerFactory

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def account():
    return AccountFactory()


def said(external_id, **more):
    return Item({"external_id": external_id, "name": external_id.upper(), **more})


def test_products_are_added_changed_and_left_alone(account):
    coffee = said("coffee", price_minor=1250, stock=3)
    coffee.variants = [said("coffee-250", price_minor=1250), said("coffee-1kg")]
    tea = said("tea")

    first = products.put(account, [coffee, tea])
    again = products.put(account, [coffee, tea])
    changed = products.put(account, [said("coffee", stock=2), tea])

    assert (first, again, changed) == ((2, 0, 0), (0, 0, 2), (0, 1, 1))
    kept = Product.objects.get(external_id="coffee")
    assert (kept.price_minor, kept.stock, kept.variants.count()) == (1250, 2, 2)


def test_a_variant_moves_to_the_product_that_names_it_now(account):
    old, new = said("old"), said("new")
    old.variants = new.variants = [said("large", price_minor=5)]
    products.put(account, [old])

    assert products.put(account, [new, Item(old.said)]) == (1, 0, 1)
    assert Variant.objects.get().product.external_id == "new"


def test_a_change_of_a_variant_alone_changes_its_product(account):
    item = said("coffee")
    item.variants = [said("small", stock=1)]
    products.put(account, [item])
    item.variants = [said("small", stock=None)]

    assert products.put(account, [item]) == (0, 1, 0)
    assert Variant.objects.get().stock is None


def test_what_is_not_ours_or_spelt_otherwise_is_not_in_the_catalogue(account):
    VariantFactory(product=ProductFactory(account=account, external_id="p-1", name="Coffee"), external_id="v-1")
    ProductFactory(external_id="theirs")
    asked = ["p-1", "P-1", "theirs", "v-1"]

    assert [products.has_product(account, each) for each in asked] == [True, False, False, False]
    assert [products.has_variant(account, each) for each in ("v-1", "p-1")] == [True, False]
    assert products.names(account, products=asked) == {"p-1": "Coffee"}
    assert products.names(account) == {}


TOLD = [
    {"type": "order.placed", "event_id": "e1", "value_minor": 5000, "occurred_at": NOON},
    {"type": "order.completed", "event_id": "e2", "value_minor": 4680, "occurred_at": NOON + dt.timedelta(hours=1)},
    {"type": "order.refunded", "event_id": "e3", "value_minor": 680, "occurred_at": NOON + dt.timedelta(hours=2)},
]


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_an_order_is_the_same_in_whatever_order_its_events_arrive(account, order):
    for place in (*order, order[0]):
        events.record(account, **TOLD[place], currency="USD", properties={"order_id": "o-1"})

    found = Order.objects.get()
    assert (found.external_id, found.status, found.amount_minor, found.refunded_minor) == ("o-1", "refunded", 4680, 680)
    assert (found.placed_at, found.told_at) == (NOON, NOON + dt.timedelta(hours=2))


def test_many_orders_in_one_call_are_kept_apart_and_other_events_are_none(account):
    told = [events.Happened(f"e{n}", "order.completed", properties={"order_id": n}, value_minor=n) for n in (3, 1, 2)]

    events.store(account, [*told, events.Happened("cart", "cart.updated"), events.Happened("nameless", "order.placed")])

    found = dict(Order.objects.values_list("external_id", "amount_minor"))
    nameless = next(each for each in found if each.startswith("event:"))
    assert found == {"1": 1, "2": 2, "3": 3, nameless: None}


def test_an_order_finds_its_customer_when_they_become_known_and_counts_once(account):
    events.record(
        account, type="order.refunded", event_id="e1", email="anna@example.test", value_minor=5,
        properties={"order_id": "o-1"},
    )  # fmt: skip

    customer = people.create(account, {"email": "anna@example.test"})

    found = Order.objects.get()
    assert (found.customer, found.refunded_minor) == (customer, 5)


def test_an_orders_first_customer_keeps_it(account):
    anna, ben = CustomerFactory(account=account), CustomerFactory(account=account)
    for number, customer in enumerate((anna, ben)):
        events.record(
            account, type="order.completed", event_id=f"e{number}", customer_id=customer.pk,
            properties={"order_id": "o-1"},
        )  # fmt: skip

    assert Order.objects.get().customer == anna
