"""Variables of a template: found in its texts, numbered for WhatsApp, and checked. Their values: `values.py`.

People write `{{lead_name}}`; WhatsApp knows only `{{1}}`. A campaign stores the numbered content and the map
`{"1": "lead_name"}`, so the numbers never leave this module and the wire.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import nonmember
from typing import Any

from django.db.models import TextChoices

from campaigns_project.refusals import Invalid

# What an answer to "where does it appear first" means: jsonb forgets the order in which fields were written.
_FIELD_ORDER = ("title", "body", "subtitle", "media", "actions", "type", "url", "phone", "code", "id")
_BRACES = re.compile(r"\{{2,}[^{}]*\}{2,}|\{{2,}|\}{2,}")
_PLACEHOLDER = re.compile(r"\{\{ *([a-z][a-z0-9_]{0,63}|[1-9][0-9]{0,2}) *\}\}")
# The one that comes out of a pool of coupons, if the broadcast says which.
CODE = "coupon_code"
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ADJACENT = re.compile(r"\}\}\s*\{\{")
_WORD = re.compile(r"[^\W_]+")
_FIXED_HOST = re.compile(r"https?://[^/?#{}]+[/?#]", re.IGNORECASE)
_TEXT_PATH = re.compile(r"content_context\.(title|body)")
_URL_PATH = re.compile(r".*\.(url|media\.\d+)")
_WITHOUT_VARIABLES = re.compile(r".*\.(subtitle|type|phone|code|actions\.\d+\.title)")

Context = Mapping[str, Any]
Numbered = Mapping[str, str]


class CampaignVariableType(TextChoices):
    """The names a template may use without asking (spec: decisions › WhatsApp)."""

    MERCHANT_NAME = "merchant_name", "Your shop's name"
    MERCHANT_PHONE = "merchant_phone", "Your shop's phone number"
    MERCHANT_USER_PHONE = "merchant_user_phone", "Phone number of your team member"
    LEAD_NAME = "lead_name", "Name of the person"
    LEAD_PHONE = "lead_phone", "Phone number of the person"
    PRODUCT_NAME = "product_name", "Product"
    PRODUCT_PRICE = "product_price", "Product price"
    PRODUCT_QUANTITY = "product_quantity", "Quantity"
    ORDER_ID = "order_id", "Order number"
    ORDER_TOTAL = "order_total", "Order total"
    ORDER_STATUS = "order_status", "Order status"
    RECEIPT_URL = "receipt_url", "Link to the receipt"
    SHIPPING_FEE = "shipping_fee", "Shipping fee"
    DRIVER_NAME = "driver_name", "Driver's name"

    # Marketing templates may not use these.
    COMMERCE = nonmember(
        frozenset(
            {
                *("product_name", "product_price", "product_quantity", "order_id", "order_total"),
                *("order_status", "receipt_url", "shipping_fee", "driver_name"),
            }
        )
    )
    # Their values are addresses of pages.
    LINKS = nonmember(frozenset({"receipt_url"}))


def texts(value: object, path: str = "content_context") -> Iterator[tuple[str, str]]:
    """Yield `(dotted path, text)` for every text in a content, in one fixed order."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key in sorted(value, key=_rank):
            yield from texts(value[key], f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts(item, f"{path}.{index}")


def find(content_context: Context) -> list[str]:
    """Return the names (or numbers) of the variables in a content, in order of first appearance.

    Raises `Invalid` with the place of the fault when braces do not enclose a proper name.
    """
    names: dict[str, None] = {}
    faults: dict[str, list[str]] = {}
    for path, text in texts(content_context):
        for braces in _BRACES.finditer(text):
            placeholder = _PLACEHOLDER.fullmatch(braces[0])
            if placeholder:
                names.setdefault(placeholder[1])
            else:
                faults.setdefault(path, [_brace_fault(braces)])
    if faults:
        raise Invalid(details=faults)
    return list(names)


def number(content_context: Context, variables: object = None) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the content with numbered variables, and the map `{"1": "lead_name"}`.

    A content that uses names is numbered here and needs no map; one that uses numbers brings its map. Raises
    `Invalid` when map and content do not fit.
    """
    found = find(content_context)
    given = _checked_map(variables)
    numbers = [name for name in found if name.isdigit()]
    if numbers and len(numbers) < len(found):
        raise refused("variables", "Use either names or numbers in one template, not both.")
    if numbers:
        _check_fit(numbers, given)
        by_number = {key: given[key] for key in sorted(given, key=int)}
        number_of = dict(zip(numbers, numbers, strict=True))
    else:
        by_number = {str(index): name for index, name in enumerate(found, start=1)}
        number_of = {name: key for key, name in by_number.items()}
    if given not in ({}, by_number):
        raise refused("variables", "The map does not fit the names in the template; leave it out.")
    # Numbers are rewritten too, so that `{{ 1 }}` leaves as `{{1}}`.
    content: dict[str, Any] = replace(content_context, lambda name: "{{" + number_of[name] + "}}")
    return content, by_number


def named(content_context: Context, variables: Numbered) -> dict[str, Any]:
    """Return a numbered content with the names back in place, for people to edit."""
    content: dict[str, Any] = replace(content_context, lambda key: "{{" + variables.get(key, key) + "}}")
    return content


def replace(value: Any, replacement: Callable[[str], str]) -> Any:
    """Return a copy of a content with each placeholder replaced by `replacement(name)`, in one pass."""
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda placeholder: replacement(placeholder[1]), value)
    if isinstance(value, Mapping):
        return {key: replace(item, replacement) for key, item in value.items()}
    if isinstance(value, list):
        return [replace(item, replacement) for item in value]
    return value


def validate(
    content_context: Context, variables: Numbered, *, campaign_type: str, custom_keys: Collection[str] = ()
) -> None:
    """Raise `Invalid` unless WhatsApp and our own rules allow these variables in these places.

    `content_context` and `variables` are what `number` returned; `campaign_type` is `marketing` or `service`;
    `custom_keys` are the keys that active leads carry, the only names allowed beside `CampaignVariableType`.
    """
    faults: dict[str, list[str]] = {}
    for path, text in texts(content_context):
        keys = _PLACEHOLDER.findall(text)
        if not keys:
            continue
        names = dict.fromkeys(variables.get(key, key) for key in keys)
        sentences = [
            *filter(None, [_place_fault(path, text, len(keys))]),
            *filter(None, (_name_fault(name, campaign_type, custom_keys) for name in names)),
        ]
        if sentences:
            faults[path] = sentences
    if faults:
        raise Invalid(details=faults)


def _rank(key: object) -> tuple[int, str]:
    name = str(key)
    return (_FIELD_ORDER.index(name) if name in _FIELD_ORDER else len(_FIELD_ORDER), name)


def _brace_fault(braces: re.Match[str]) -> str:
    place = f"At character {braces.start() + 1}: "
    inside = braces[0].strip("{}")
    if len(inside) == len(braces[0]) - 4 and not inside.strip():
        return place + "the braces are empty; write {{lead_name}}."
    if braces[0].startswith("{{{") or braces[0].endswith("}}}"):
        return place + "a variable has two braces on each side, not three."
    if not braces[0].startswith("{{") or not braces[0].endswith("}}"):
        return place + "braces are opened or closed alone; write {{lead_name}}."
    return place + "a variable is lower-case letters, digits and underscores, or a number up to 999."


def _checked_map(variables: object) -> dict[str, str]:
    if variables is None:
        return {}
    if not isinstance(variables, Mapping):
        raise refused("variables", 'Give an object such as {"1": "lead_name"}.')
    faults = {
        f"variables.{str(key)[:64]}": ["Give the name of a variable, such as lead_name."]
        for key, name in variables.items()
        if not isinstance(name, str) or not NAME.fullmatch(name)
    }
    if faults:
        raise Invalid(details=faults)
    return dict(variables)


def _check_fit(numbers: list[str], given: Numbered) -> None:
    faults = {f"variables.{key}": ["The template does not use this number."] for key in given.keys() - set(numbers)}
    faults |= {f"variables.{key}": ["Say which variable this number is."] for key in numbers if key not in given}
    if not faults and sorted(map(int, numbers)) != list(range(1, len(numbers) + 1)):
        faults = {"variables": ["Number the variables from 1 without a gap."]}
    if faults:
        raise Invalid(details=faults)


def _place_fault(path: str, text: str, count: int) -> str | None:
    if _WITHOUT_VARIABLES.fullmatch(path):
        return "WhatsApp allows no variable here."
    if _URL_PATH.fullmatch(path):
        if not _FIXED_HOST.match(text):
            return "A variable may stand only in the path of an address, after the host."
        if path.endswith(".url") and (count > 1 or not text.endswith("}}")):
            return "The address of a button has at most one variable, at its end."
    return _text_fault(text, count) if _TEXT_PATH.fullmatch(path) else None


def _text_fault(text: str, count: int) -> str | None:
    if _ADJACENT.search(text):
        return "Two variables stand side by side; put words between them."
    words = len(_WORD.findall(_PLACEHOLDER.sub(" ", text)))
    if not words:
        return "The text needs words around its variables."
    return "The text has more variables than words." if count > words else None


def _name_fault(name: str, campaign_type: str, custom_keys: Collection[str]) -> str | None:
    if name == CODE:
        return None
    if name not in CampaignVariableType.values:
        return None if name in custom_keys else f"No active lead has a variable called {name}."
    if campaign_type == "marketing" and name in CampaignVariableType.COMMERCE:
        return f"A marketing template may not use {name}: order and product variables are for service templates."
    return None


def refused(field: str, sentence: str) -> Invalid:
    return Invalid(details={field: [sentence]})
