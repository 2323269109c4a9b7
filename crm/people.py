"""Customers written: one person once in an account, by e-mail address, by phone and by the merchant's own id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from campaigns_project.refusals import Conflict, Invalid
from crm import events, guests
from crm.models import Customer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from accounts.models import Account

_ONCE = {"customer_email_once": "email", "customer_phone_once": "phone", "customer_external_id_once": "external_id"}
SEARCHED = ("first_name", "last_name", "email", "phone", "external_id", "public_id")


class CustomerExists(Conflict):
    code = "customer_exists"
    message = "Another customer has this already."


def create(account: Account, fields: Mapping[str, Any]) -> Customer:
    """A new customer. Raises Invalid for one nobody could find again, CustomerExists naming the field that is taken."""
    customer = Customer(account=account)
    _write(customer, fields)
    customer.refresh_from_db()
    return customer


def change(customer: Customer, fields: Mapping[str, Any]) -> None:
    """Set `fields`; the others stay. Call it under the row's lock. Raises as `create` does."""
    _write(customer, fields, update_fields=[*fields, "updated_at"])
    customer.refresh_from_db()


def hold(account: Account, fields: Mapping[str, Any]) -> None:
    """Nobody else writes customers with these addresses until the commit. Call it before the row is locked."""
    events.hold(account.pk, [fields.get(name) or "" for name in _ONCE.values()])


def beginning(words: str) -> Q:
    """The condition that a name, an address, a number or an id begins with `words`, in any case."""
    found = Q()
    for name in SEARCHED:
        found |= Q(**{f"{name}__istartswith": words})
    return found


def _write(customer: Customer, fields: Mapping[str, Any], **how: Any) -> None:
    for name, value in fields.items():
        setattr(customer, name, value)
    if not (customer.email or customer.phone or customer.external_id):
        raise Invalid(details={"email": ["Give an e-mail address, a phone number or an external id."]})
    try:
        with transaction.atomic():
            hold(customer.account, fields)
            customer.save(**how)
            events.claim(customer)
            guests.become(customer.account, [(customer.public_id, customer.email, customer.external_id)])
    except IntegrityError as error:
        field = _ONCE.get(getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or "")
        if field is None:
            raise
        raise CustomerExists(details={field: ["Another customer has this already."]}) from None
