"""What an account sells, and what was ordered."""

import factory

from crm.models import Order, Product, Variant
from tests.factories import AccountFactory, _Factory


class ProductFactory(_Factory):
    """A product at 12.50 in the account's currency, 5 of them in stock."""

    class Meta:
        model = Product

    account = factory.SubFactory(AccountFactory)
    external_id = factory.Sequence(lambda n: f"p-{n}")
    name = factory.Sequence(lambda n: f"Product {n}")
    price_minor = 1250
    stock = 5


class VariantFactory(_Factory):
    """A variant of a product, in its account."""

    class Meta:
        model = Variant

    product = factory.SubFactory(ProductFactory)
    account = factory.SelfAttribute("product.account")
    external_id = factory.Sequence(lambda n: f"v-{n}")
    name = factory.Sequence(lambda n: f"Variant {n}")


class OrderFactory(_Factory):
    """An order of nobody known, completed."""

    class Meta:
        model = Order

    account = factory.SubFactory(AccountFactory)
    external_id = factory.Sequence(lambda n: f"order-{n}")
    status = "completed"
    amount_minor = 4680
    currency = "USD"
