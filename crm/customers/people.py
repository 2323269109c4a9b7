"""Customers written: one person once in an account, by e-mail address, by phone and by the merchant's own id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Lower
from django.db.models.lookups import StartsWith

from campaigns_project.api.lists import COUNTED
from campaigns_project.refusals import Conflict, Invalid
from crm import events, phones
from crm.customers import guests
from crm.models import Customer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from accounts.models import Account
    from crm.models.people import CustomerQuerySet

_ONCE = {"customer_email_once": "email", "customer_phone_once": "phone", "customer_external_id_once": "external_id"}
# Read in lower case, and as they are written; an index of the account's serves each.
IN_ANY_CASE, AS_WRITTEN = ("first_name", "last_name", "email"), ("phone", "external_id", "public_id")


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


def search(customers: CustomerQuerySet, words: str) -> CustomerQuerySet:
    """Those of `customers` of whom something begins with `words`, as `beginning` says."""
    matching = customers.filter(beginning(words))
    ids = list(matching.order_by().values_list("pk", flat=True)[: COUNTED + 1])
    if len(ids) > COUNTED:
        return matching
    # By itself PostgreSQL would rather walk everybody from the newest on than sort those it has found.
    return customers.filter(pk__in=RawSQL("SELECT unnest(%s::bigint[])", [ids]))


def beginning(words: str) -> Q:
    """The condition that a name or an e-mail address begins with `words` in any case, or a number or an id as written.

    Of a phone number only the digits count: `+1 (415)` is `+1415`.
    """
    found = Q()
    for name in IN_ANY_CASE:
        # Nothing that is empty is in the index.
        found |= ~Q(**{name: ""}) & Q(StartsWith(Lower(name), words.lower()))
    for name in AS_WRITTEN:
        begins = phones.beginning(words) if name == "phone" else words
        found |= ~Q(**{name: ""}) & Q(**{f"{name}__startswith": begins})
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
