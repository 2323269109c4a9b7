"""Promo codes: what makes one valid, and how it is made and changed. How it is used: `crm.offers.redeeming`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from campaigns_project import currencies
from campaigns_project.refusals import Conflict, Invalid, NotFound, Refusal
from crm.models import Promo, PromoType, Segment
from crm.models.promo import ALL_ITEMS, HUNDREDTHS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from accounts.models import Account

# ASCII before it is upper-cased: some letters of other scripts turn into ours.
CODE = re.compile(r"[A-Za-z0-9_-]{3,32}")
ALL_OF_IT = 100_00
MOST_ITEMS, LONGEST_ITEM = 1_000, 100


class InvalidPromoCode(Refusal):
    code = "invalid_promo_code"
    message = "A promo code has 3 to 32 letters A to Z, digits, - or _."


class PromoCodeExists(Conflict):
    code = "promo_code_exists"
    message = "That promo code is already in use."


class PromoUnknown(NotFound):
    """Not there and not yours look the same."""

    code = "promo_unknown"
    message = "There is no such promo code."


def plain(code: Any) -> str:
    """The code as it is kept. Raises InvalidPromoCode."""
    if not isinstance(code, str) or not CODE.fullmatch(code):
        raise InvalidPromoCode(details={"code": [InvalidPromoCode.message]})
    return code.upper()


def create(account: Account, *, code: Any, **terms: Any) -> Promo:
    """A new promo; `terms` are fields of Promo, `customer_segment_id` as its segment's id, or `worth` as in `change`.

    Raises InvalidPromoCode, Invalid, PromoCodeExists.
    """
    known = {"valid_from": timezone.now(), **_with_segment(account, terms)}
    worth = known.pop("worth", None)
    promo = Promo(account=account, code=plain(code), **known)
    _give(promo, worth)
    _check(promo)
    try:
        with transaction.atomic():
            promo.save(force_insert=True)
    except IntegrityError as error:
        raise PromoCodeExists from error
    promo.refresh_from_db()
    return promo


def change(promo: Promo, **terms: Any) -> Promo:
    """Other terms for a promo whose row is locked. Uses so far stay as they are. Raises Invalid.

    `worth` is what it gives as people say it (a Decimal): percent, or major units of the account's currency.
    """
    terms = _with_segment(promo.account, terms)
    if "worth" in terms:
        _give(promo, terms.pop("worth"))
        terms["value"] = promo.value
    for name, value in terms.items():
        setattr(promo, name, value)
    _check(promo)
    promo.save(update_fields=sorted(terms))
    return promo


def _give(promo: Promo, worth: Decimal | None) -> None:
    if worth is None:
        return
    currency = promo.account.currency
    percent = promo.type == PromoType.PERCENTAGE
    hundredths = worth * HUNDREDTHS
    value = currencies.minor(worth, currency)
    if percent:
        value = int(hundredths) if hundredths == int(hundredths) else None
    if value is None:
        fault = "A percentage has at most two decimals." if percent else currencies.too_fine(currency)
        raise Invalid(details={"value": [fault]})
    promo.value = value


def _with_segment(account: Account, terms: Mapping[str, Any]) -> dict[str, Any]:
    """The terms with the segment they name in place of its id."""
    known = dict(terms)
    if "customer_segment_id" in known:
        public_id = known.pop("customer_segment_id")
        known["segment"] = Segment.objects.for_account(account).filter(public_id=public_id).first()
        if public_id and known["segment"] is None:
            raise Invalid(details={"customer_segment_id": ["There is no such segment."]})
    return known


def codes_for(segment: Segment) -> list[str]:
    """The codes that only a segment's members may use."""
    promos = Promo.objects.for_account(segment.account_id).filter(segment=segment)
    return list(promos.order_by("code").values_list("code", flat=True))


def _check(promo: Promo) -> None:
    faults = {field: [sentence] for field, sentence in _faults(promo)}
    if faults:
        raise Invalid(details=faults)


def _faults(promo: Promo) -> Iterator[tuple[str, str]]:
    yield from _value_faults(promo)
    yield from _item_faults(promo.applies_to)
    if promo.valid_until is not None and promo.valid_until <= promo.valid_from:
        yield "valid_until", "This must be later than valid_from."
    if promo.usage_limit is not None and promo.usage_limit < promo.used:
        yield "usage_limit", f"The code has been used {promo.used} times already."
    if promo.budget is not None and promo.budget < promo.spent:
        yield "budget", "More than that has been given already."


def _value_faults(promo: Promo) -> Iterator[tuple[str, str]]:
    if promo.type == PromoType.FREE_SHIPPING:
        if promo.value:
            yield "value", "Free shipping has no value."
    elif promo.value <= 0:
        yield "value", "This must be more than 0."
    elif promo.type == PromoType.PERCENTAGE and promo.value > ALL_OF_IT:
        yield "value", "A percentage is at most 100."


def _item_faults(applies_to: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if applies_to == {ALL_ITEMS: True} and applies_to[ALL_ITEMS] is True:
        return
    items = applies_to.get("items")
    if set(applies_to) != {"items"} or not isinstance(items, list) or not 1 <= len(items) <= MOST_ITEMS:
        yield "applies_to", f'Give {{"all_items": true}} or {{"items": ["sku"]}} with 1 to {MOST_ITEMS} items.'
    elif not all(isinstance(item, str) and 1 <= len(item) <= LONGEST_ITEM for item in items):
        yield "applies_to.items", f"An item is a text of 1 to {LONGEST_ITEM} characters."
