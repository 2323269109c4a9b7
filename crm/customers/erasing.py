"""Erasure: nothing personal of a customer stays; what was counted stays counted, and a suppression stays as its hash.

The row itself stays, blank, so that events, orders and redemptions are still somebody's. Floors above hold more of a
person than we know here: they say so with `also`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Lower, Now

from campaigns_project import jobs
from campaigns_project.api import idempotency
from campaigns_project.models import AuditEntry
from crm import events
from crm.customers import consent, subscriptions
from crm.models import ConsentEntry, Customer, Event, ImportedCustomer

if TYPE_CHECKING:
    from collections.abc import Callable

_holders: list[Callable[[Customer], None]] = []
BLANK: dict[str, Any] = {
    **dict.fromkeys(("external_id", "email", "phone", "first_name", "last_name"), ""),
    **dict.fromkeys(("country", "language", "time_zone", "loyalty_tier", *Customer.HASHES), ""),
    "tags": [],
    "attributes": {},
}


def also(forget: Callable[[Customer], None]) -> None:
    """`forget(customer)` blanks what another domain holds of the person, or raises a Conflict that stops the erasure.

    It runs in the erasure's transaction, before the customer's addresses are gone. Call this in AppConfig.ready().
    """
    _holders.append(forget)


def stand_still(account_id: int, *, exclusive: bool = False) -> None:
    """Until the commit, nobody of the account is erased. Who copies addresses of many calls it before reading them."""
    lock = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lock}(hashtextextended('crm.erasing', %s))", [account_id])


def erase(customer: Customer, *, by: Any, request_id: str = "") -> None:
    """Forget the person for good. Raises Conflict while something that concerns them is under way."""
    with transaction.atomic():
        stand_still(customer.account_id, exclusive=True)
        _forget_files(customer)
        for forget in _holders:
            forget(customer)
        # What is not tied to them yet would be nobody's, and counted no longer.
        events.claim(customer)
        _blank_stream(customer)
        subscriptions.forget(customer)
        Customer.objects.filter(pk=customer.pk).update(**BLANK, erased_at=Now(), updated_at=Now())
        AuditEntry.objects.create(
            account=customer.account,
            actor=by,
            action="customer.erase",
            target=customer.public_id,
            request_id=request_id,
        )


def _forget_files(customer: Customer) -> None:
    """Files that were uploaded, the rows of them that were refused, what an import changed, and answers kept."""
    words = [word for word in (customer.email, customer.phone, customer.external_id) if word]
    jobs.forget(customer.account_id, words)
    # An id of the merchant's may be any word: in an answer it stands alone.
    said = [f'"{word}"' if word == customer.external_id else word for word in words]
    idempotency.forget(customer.account_id, [customer.public_id, *said])
    ImportedCustomer.objects.for_account(customer.account_id).filter(customer=customer).delete()


def _blank_stream(customer: Customer) -> None:
    """Events and the proofs of consent, also those that never were tied to the customer but carry their address."""
    theirs, proofs = Q(customer=customer), Q(customer=customer)
    if customer.phone:
        theirs |= Q(phone=customer.phone)
    if customer.email:
        theirs |= Q(customer=None, low=customer.email.lower()) & ~Q(email="")
    proofs |= Q(address_hash__in=consent.hashes_of(customer).values())
    happened = Event.objects.for_account(customer.account_id).alias(low=Lower("email")).filter(theirs)
    happened.update(email="", phone="", properties={})
    ConsentEntry.objects.for_account(customer.account_id).filter(proofs).update(proof={})
