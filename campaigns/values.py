"""Values of variables: taken from callers, chosen for one person, and put into the text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

from campaigns.variables import NAME, Context, Numbered, find, named, refused, replace
from campaigns_project.refusals import Invalid

LONGEST_VALUE = 1024
MOST_VALUES = 100
LARGEST_NUMBER = 10**18

_GAP = re.compile(r" {4}")

# Shown in previews, and sent with a submission: WhatsApp rejects templates that come without samples.
SAMPLES = {
    "merchant_name": "Corner Bakery",
    "merchant_phone": "+15550000100",
    "merchant_user_phone": "+15550000101",
    "lead_name": "Anna",
    "lead_phone": "+15550000001",
    "product_name": "Sourdough loaf",
    "product_price": "6.50",
    "product_quantity": "2",
    "order_id": "1042",
    "order_total": "24.80",
    "order_status": "on its way",
    "receipt_url": "https://example.com/receipts/1042",
    "shipping_fee": "3.00",
    "driver_name": "Sam",
    "coupon_code": "SAVE-K7M2QX4WPD",
}


def check_values(
    values: object,
    *,
    variables: Numbered,
    allowed: Collection[str] | None = None,
    field: str = "custom_variables",
) -> dict[str, str]:
    """Return `{name: text}` for values a caller gave, keyed by name or by the template's number.

    Texts and finite numbers are values. With `allowed`, other names are refused; without, any well-formed
    name is kept (a lead may carry a variable that only the next version uses). Raises `Invalid` with
    `details["{field}.{key}"]`.
    """
    if not isinstance(values, Mapping):
        raise refused(field, "Give an object of names and values.")
    if len(values) > MOST_VALUES:
        raise refused(field, f"Give at most {MOST_VALUES} values.")
    checked: dict[str, str] = {}
    faults: dict[str, list[str]] = {}
    for key, value in values.items():
        name = variables.get(key, key)
        fault = _key_fault(name, allowed, checked) or value_fault(value)
        if fault:
            faults[f"{field}.{str(key)[:64]}"] = [fault]
        else:
            checked[name] = str(value)
    if faults:
        raise Invalid(details=faults)
    return checked


def value_fault(value: object) -> str | None:
    """Return why WhatsApp would refuse this value, or None."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Also false for NaN and the infinities.
        return None if abs(value) < LARGEST_NUMBER else "The number is too large."
    if not isinstance(value, str):
        return "A value is a text or a number."
    if len(value) > LONGEST_VALUE:
        return f"A value has at most {LONGEST_VALUE} characters."
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in value):
        return "A value has no line breaks, tabs or control characters: WhatsApp refuses them."
    return "A value has no run of four spaces: WhatsApp refuses them." if _GAP.search(value) else None


def resolve(
    names: Collection[str], *, lead: Context, call: Context, model: Context, defaults: Context
) -> tuple[dict[str, str], list[str]]:
    """Return `({name: value}, missing names)`; the first source with a value wins, in the arguments' order.

    A blank value counts as none. White space is tidied and not refused, because nobody checked model values.
    """
    values: dict[str, str] = {}
    for name in names:
        candidates = (_tidied(source.get(name)) for source in (lead, call, model, defaults))
        value = next(filter(None, candidates), None)
        if value:
            values[name] = value
    return values, [name for name in names if name not in values]


def hydrate(
    numbered_context: Context, variables: Numbered, values: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Return the content as one person reads it, and the names without a value (these stay `{{name}}`)."""
    used = [variables.get(key, key) for key in find(numbered_context)]
    filled = replace(named(numbered_context, variables), lambda name: values.get(name, "{{" + name + "}}"))
    return filled, list(dict.fromkeys(name for name in used if name not in values))


def by_number(variables: Numbered, values: Mapping[str, str]) -> dict[str, str]:
    """Return `{"1": "Anna"}`, as Twilio's ContentVariables wants it; every variable must have a value."""
    return {key: values[name] for key, name in variables.items()}


def samples(variables: Numbered, defaults: Mapping[str, str]) -> dict[str, str]:
    """Return `{"1": "Anna"}`: a believable value for each variable, for WhatsApp's reviewers and previews."""
    return {key: defaults.get(name) or SAMPLES.get(name, name) for key, name in variables.items()}


def _key_fault(name: object, allowed: Collection[str] | None, seen: Collection[str]) -> str | None:
    if not isinstance(name, str) or not NAME.fullmatch(name) or (allowed is not None and name not in allowed):
        return "There is no such variable."
    return "This variable is given twice." if name in seen else None


def _tidied(value: object) -> str | None:
    if value is None:
        return None
    text = " ".join(str(value).split())
    return None if value_fault(text) else text
