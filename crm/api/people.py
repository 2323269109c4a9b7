"""Customers: who they are, what they allowed, and what happened to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Lower
from django.db.models.lookups import Exact
from rest_framework.response import Response

from accounts.roles import Permission
from campaigns_project.api import Door, WrittenPage, listed, page_of
from crm.api import inputs
from crm.api.shapes import CustomerShape, TimelineShape
from crm.customers import consent, erasing, people, timeline, told
from crm.models import Customer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.db.models import QuerySet
    from rest_framework.request import Request


class CustomerDoor(Door):
    tag = "customers"

    def customers(self) -> QuerySet[Customer]:
        return Customer.objects.for_account(self.account).known()

    def customer(self, customer_id: str, *, locked: bool = False) -> Customer:
        rows = self.customers().select_for_update(no_key=True) if locked else self.customers()
        found: Customer = self.find(rows, public_id=customer_id)
        return found

    def told(self, customers: Sequence[Customer]) -> Sequence[Any]:
        """The rows with what `CustomerShape` shows beside the columns."""
        standing = consent.standing(self.account.pk, customers)
        rows: Sequence[Any] = customers
        for row in rows:
            row.consents = standing[row.pk]
            row.total_spent = {"amount": row.total_spent_minor, "currency": self.account.currency}
        return rows

    def shown(self, customer: Customer, **how: Any) -> Response:
        return self.show(self.told([customer])[0], CustomerShape, **how)


class Customers(CustomerDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    queries: ClassVar = {"GET": inputs.CustomersQuery}
    bodies: ClassVar = {"POST": inputs.CustomerInput}
    answers: ClassVar = {"GET": listed(CustomerShape), "POST": (201, CustomerShape)}

    def get(self, request: Request) -> Response:
        """List the customers, newest first."""
        scope = f"{self.account.pk} {request.path.rstrip('/')}"
        filters, begins = wanted(self.params), self.params.get("search")
        rows: Any = told.Everybody(self.account)
        if filters or begins:
            rows = self.customers().filter(filters)
        if begins:
            rows = people.search(rows, begins)
        page = page_of(
            rows,
            self.params,
            shape=lambda row: row.json,
            scope=scope,
            counted="capped",
            read=lambda chosen: told.newest(self.account, chosen),
        )
        return Response(WrittenPage(page["data"], page["pagination"]))

    def post(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Add a customer.

        They need an e-mail address, a phone number or an external id, each once in an account: else 409
        `customer_exists`, with the field in `details`.
        """
        customer = people.create(self.account, self.data)
        return self.shown(customer, status=201, headers={"Location": f"/api/v1/customers/{customer.public_id}"})


class OneCustomer(CustomerDoor):
    needs: ClassVar = {"PATCH": Permission.AUTHOR, "DELETE": Permission.AUTHOR}
    bodies: ClassVar = {"PATCH": inputs.CustomerInput}
    answers: ClassVar = {"GET": CustomerShape, "PATCH": CustomerShape}
    editable = True

    def get(self, request: Request, customer_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show a customer."""
        return self.shown(self.customer(customer_id))

    def patch(self, request: Request, customer_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Change the given fields of a customer; a list or an object is replaced as a whole."""
        with transaction.atomic():
            people.hold(self.account, self.data)
            customer = self.customer(customer_id, locked=True)
            self.unchanged(customer)
            people.change(customer, self.data)
        return self.shown(customer)

    def delete(self, request: Request, customer_id: str) -> Response:
        """Erase a customer for good.

        Names, addresses, attributes, messages, proofs and the properties of events are blanked. What was counted stays
        counted, and a suppression stays as a keyed hash. 409 while a message to them is on its way.
        """
        with transaction.atomic():
            customer = self.customer(customer_id, locked=True)
            self.unchanged(customer)
            erasing.erase(customer, by=request.user, request_id=getattr(request, "request_id", ""))
        return Response(status=204)


class Consent(CustomerDoor):
    needs: ClassVar = {"PUT": Permission.AUTHOR}
    bodies: ClassVar = {"PUT": inputs.ConsentInput}
    answers: ClassVar = {"PUT": CustomerShape}

    def put(self, request: Request, customer_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Write down what a customer allows or withdraws on a channel.

        It takes effect at once, for every call that has not started. The same state again changes nothing. Somebody who
        opted out is taken off that list only by a role that may change the blocklist: else 403.
        """
        with transaction.atomic():
            customer = self.customer(customer_id, locked=True)
            consent.settle(customer, may_lift=self.may(Permission.BLOCKLIST), **self.data)
        return self.shown(customer)


class Timeline(CustomerDoor):
    queries: ClassVar = {"GET": inputs.TimelineQuery}
    answers: ClassVar = {"GET": TimelineShape}

    def get(self, request: Request, customer_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show what happened to a customer, newest first: events, consent, and what was sent."""
        return Response(timeline.entries(self.customer(customer_id), **self.params))


def wanted(params: Mapping[str, Any]) -> Q:
    """The condition that a list's filters make."""
    exact = {
        "phone": params.get("phone"),
        "external_id": params.get("external_id"),
        "tags__contains": [params["tag"]] if params.get("tag") else None,
    }
    found = Q(**{name: value for name, value in exact.items() if value})
    if email := params.get("email"):
        # As the index has it.
        found &= Q(Exact(Lower("email"), email.lower()))
    return found
