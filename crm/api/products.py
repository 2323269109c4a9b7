"""The catalogue: its list, products put in, a CSV file of them; and the orders that events told of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from accounts.roles import Permission
from campaigns_project.api import BULK, IMPORT, AcceptedShape, Door, FileDoor, listed
from campaigns_project.api.errors import flat
from campaigns_project.refusals import Invalid
from crm.api import product_shapes as shapes
from crm.catalogue import importing, products
from crm.models import Order, Product

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from django.db.models import QuerySet
    from rest_framework.request import Request


class ProductDoor(Door):
    tag = "catalogue"

    def ours(self) -> QuerySet[Product]:
        return Product.objects.for_account(self.account).prefetch_related("variants")


class Products(ProductDoor):
    needs: ClassVar = {"PUT": Permission.AUTHOR}
    queries: ClassVar = {"GET": shapes.ProductsQuery}
    bodies: ClassVar = {"PUT": shapes.ProductsInput}
    answers: ClassVar = {"GET": listed(shapes.ProductShape), "PUT": shapes.PutShape}
    max_body = BULK

    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """List the products with their variants, newest first."""
        found = self.ours().filter(products.beginning(self.params.get("search", "")))
        if "external_id" in self.params:
            found = found.filter(external_id=self.params["external_id"])
        return self.page(found, shape=shapes.ProductShape)

    def put(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Add and change products and their variants, by your ids: up to 1,000.

        What is left out of a product stays as it is. Rows that cannot be taken in are listed; when none can, the answer
        is 400. Settings of coupon campaigns name products and variants by these ids.
        """
        taken, faults = _read(self.data["products"])
        if not taken:
            raise Invalid(
                details={f"products.{index}.{path}": why for index, found in faults for path, why in found.items()}
            )
        done = products.put(self.account, taken)
        return Response({**done._asdict(), "invalid": [_told(index, found) for index, found in faults]})


class OneProduct(ProductDoor):
    answers: ClassVar = {"GET": shapes.ProductShape}

    def get(self, request: Request, product_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show a product with its variants."""
        return self.show(self.find(self.ours(), public_id=product_id), shapes.ProductShape)


class Import(FileDoor):
    tag = "catalogue"
    needs: ClassVar = {"POST": Permission.AUTHOR}
    bodies: ClassVar = {"POST": shapes.ProductImportForm}
    answers: ClassVar = {"POST": (202, AcceptedShape)}
    max_body = IMPORT

    def post(self, request: Request) -> Response:
        """Add and change products from a CSV file, as a job with a file of the refused rows.

        Columns, in any order: `product_id`, `name`, `price` (with decimals, such as 12.50), `currency`, `stock`, and
        for a variant `variant_id` and `variant_name`: price and stock of such a row are the variant's. An empty cell
        changes nothing. `result` counts what became of the products.
        """
        data: Any = self.data
        return self.accepted(importing.import_csv(self.account, data["file"], by=request.user))


class OrderDoor(Door):
    tag = "orders"

    def ours(self) -> QuerySet[Order]:
        return Order.objects.for_account(self.account).select_related("customer")


class Orders(OrderDoor):
    queries: ClassVar = {"GET": shapes.OrdersQuery}
    answers: ClassVar = {"GET": listed(shapes.OrderShape)}

    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """List the orders that `order.*` events told of, newest first."""
        columns = {"external_id": "external_id", "customer_id": "customer__public_id", "status": "status"}
        given = {column: self.params[name] for name, column in columns.items() if name in self.params}
        return self.page(self.ours().filter(**given), shape=shapes.OrderShape, counted="capped")


class OneOrder(OrderDoor):
    answers: ClassVar = {"GET": shapes.OrderShape}

    def get(self, request: Request, order_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show what the events of an order come to."""
        return self.show(self.find(self.ours(), public_id=order_id), shapes.OrderShape)


Faults = dict[str, list[str]]


def _read(rows: Sequence[Any]) -> tuple[list[products.Item], list[tuple[int, Faults]]]:
    """The rows that are products, each id once, and what is wrong with the others."""
    serializer, seen = shapes.ProductInput(), set[tuple[str, str]]()
    taken: list[products.Item] = []
    faults: list[tuple[int, Faults]] = []
    for index, row in enumerate(rows):
        try:
            item = _item(serializer.run_validation(row))
        except ValidationError as error:
            faults.append((index, flat(error.detail)))
            continue
        names = list(_names(item))
        if len(set(names) | seen) < len(names) + len(seen):
            faults.append((index, {"external_id": ["This id stands here twice."]}))
        else:
            seen.update(names)
            taken.append(item)
    return taken, faults


def _names(item: products.Item) -> Iterator[tuple[str, str]]:
    yield "product", item.id
    for variant in item.variants:
        yield "variant", variant.id


def _item(given: Mapping[str, Any]) -> products.Item:
    said = {name: given[name] for name in ("external_id", "name", "stock") if name in given}
    if "price" in given:
        price = given["price"] or {"amount": None, "currency": ""}
        said |= {"price_minor": price["amount"], "currency": price["currency"]}
    return products.Item(said, [_item(variant) for variant in given.get("variants", ())])


def _told(index: int, faults: Faults) -> dict[str, Any]:
    path, sentences = next(iter(faults.items()))
    return {"index": index, "code": "invalid", "message": f"{path}: {sentences[0]}"}
