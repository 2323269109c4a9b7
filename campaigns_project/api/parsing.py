"""The one strict JSON parser, for the API and for webhooks, and which content types a door reads."""

from __future__ import annotations

import json
import math
import re
from itertools import chain
from typing import TYPE_CHECKING, Any

import orjson
from django.utils.http import parse_header_parameters
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, MultiPartParser

from campaigns_project.refusals import ContentTooLarge, Invalid, InvalidJSON, UnsupportedMediaType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rest_framework.renderers import BaseRenderer
    from rest_framework.request import Request

MIB = 1024 * 1024
BULK = 16 * MIB
IMPORT = 100 * MIB
MAX_DEPTH = 32
MAX_DIGITS = 4300
MAX_CONTENT_TYPE = 256

# Strings are skipped whole (possessive, so hostile input costs linear time); what is left shows the nesting.
_STRINGS_AND_BRACKETS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
_SUSPICIOUS_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")
_SCALARS = frozenset({str, int, bool, type(None)})
# Where one of these stands, the keys of the body cannot be counted, or a string may hold what cannot be stored.
_INTRICATE = (b" :", b"\t:", b"\n:", b"\r:", b"\\u0000", b"\\ud", b"\\uD")


def parse_json(raw: bytes, *, any_value: bool = False) -> Any:
    """The value of a JSON body, an object unless `any_value`.

    Raises InvalidJSON for what lenient parsers let through: duplicate keys, NaN and Infinity, numbers that overflow,
    nesting deeper than 32, NUL, lone surrogates, a byte order mark, control characters in strings, other encodings.
    """
    value = _plain(raw)
    if value is None:
        value = _strict(raw)
    if not any_value and not isinstance(value, dict):
        raise InvalidJSON("The body must be a JSON object.")
    return value


def _plain(raw: bytes) -> Any:
    """The value of a body that is an object of scalars without fractions, or an array of such: quickly. None for
    anything else, and for whatever might be wrong with it.

    The quick parser keeps the last of two equal keys, so they are counted: `":` stands at least once for each key.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    items = value if isinstance(value, list) else [value]
    if not items or {*map(type, items)} != {dict}:
        return None
    if not _SCALARS.issuperset(map(type, chain.from_iterable(map(dict.values, items)))):
        return None
    if raw.count(b'":') != sum(map(len, items)) or any(map(raw.__contains__, _INTRICATE)):
        return None
    return value


def _strict(raw: bytes) -> Any:
    _check_depth(raw)
    try:
        text = raw.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_short_integer,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidJSON from error
    if _SUSPICIOUS_ESCAPE.search(text):
        _check_storable(value)
    return value


def _check_depth(raw: bytes) -> None:
    depth = 0
    for match in _STRINGS_AND_BRACKETS.finditer(raw):
        mark = match[0]
        if mark in b"[{":
            depth += 1
        elif mark in b"]}":
            depth -= 1
        if depth > MAX_DEPTH:
            raise InvalidJSON(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidJSON("The body names a key twice.")
    return found


def _no_constant(name: str) -> None:
    raise InvalidJSON(f"{name} is not JSON.")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise InvalidJSON("The body holds a number that is too large.")
    return number


def _short_integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise InvalidJSON("The body holds a number that is too large.")
    return int(digits)


def _check_storable(value: Any, field: str = "") -> None:
    """`field` is the outermost field that holds the value: the refusal names it."""
    if isinstance(value, str) and _NOT_STORABLE.search(value):
        sentence = "The body holds a character that cannot be stored."
        raise InvalidJSON(sentence, details={field: [sentence]} if field else None)
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_storable(key)
            _check_storable(inner, field or key)
    if isinstance(value, list):
        for item in value:
            _check_storable(item, field)


def body_length(meta: dict[str, Any], limit: int) -> int:
    """The length a request announces. Raises Invalid for garbage, ContentTooLarge above `limit` bytes."""
    if "HTTP_TRANSFER_ENCODING" in meta:
        # Which of two lengths counts is what smugglers live on; the server hides the other one from us.
        raise Invalid("Send the body with a Content-Length, not in chunks.")
    announced = str(meta.get("CONTENT_LENGTH") or "0")
    if not (announced.isascii() and announced.isdigit()):
        raise Invalid("The Content-Length header is not a number.")
    # No announced length is turned into a number before its digits are few.
    if len(announced) > len(str(IMPORT)) or int(announced) > limit:
        raise ContentTooLarge(f"The body may have at most {limit} bytes.")
    return int(announced)


class StrictJSONParser(BaseParser):
    """DRF's way to `parse_json`; a body that ends early is refused."""

    media_type = "application/json"

    def parse(self, stream: Any, _media_type: str | None = None, parser_context: Any = None) -> Any:
        raw = stream.read()
        if len(raw) < body_length(parser_context["request"].META, IMPORT):
            raise Invalid("The body is shorter than its Content-Length.")
        return parse_json(raw)


class StrictNegotiation(BaseContentNegotiation):
    """A body is read only in a type the door names, in UTF-8; the answer is always JSON, whatever Accept says."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        header = request.META.get("CONTENT_TYPE") or ""
        if len(header) > MAX_CONTENT_TYPE:
            raise UnsupportedMediaType
        media_type, options = parse_header_parameters(header)
        if options.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
            raise UnsupportedMediaType("Bodies are read in UTF-8 only.")
        for parser in parsers:
            if parser.media_type == media_type.lower():
                return parser
        raise UnsupportedMediaType

    def select_renderer(
        self,
        _request: Request,
        renderers: Iterable[BaseRenderer],
        _format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, first.media_type or ""


class StrictMultiPartParser(MultiPartParser):
    """A multipart form; files above Django's memory limit go to disk as they arrive."""
