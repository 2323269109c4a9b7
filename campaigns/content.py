"""The content of a template: checked against its type, tidied, and worded for Twilio's Content API."""

from __future__ import annotations

import copy
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from campaigns.content_types import LANGUAGES, SCHEMAS, ContentType
from campaigns.variables import Context, refused, replace, texts
from campaigns_project.refusals import Invalid
from crm.phones import normalise
from providers.urls import check_url

LONGEST_NAME = 200
WORDS_PER_VARIABLE = 2

_VALIDATORS = {kind: Draft202012Validator(schema) for kind, schema in SCHEMAS.items()}
# Control characters, surrogates, line and paragraph separators.
_NOT_IN_NAMES = {"Cc", "Cs", "Zl", "Zp"}
_PLACEHOLDER = re.compile(r"\{\{[^{}]*\}\}")
_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
_SHORTENED = re.compile(r"\b(?:bit\.ly|tinyurl\.com|t\.co|goo\.gl|ow\.ly|is\.gd|rebrand\.ly|cutt\.ly)/", re.IGNORECASE)
_WHATSAPP_LINK = re.compile(r"\b(?:wa\.me|api\.whatsapp\.com|chat\.whatsapp\.com)/", re.IGNORECASE)
_MARKS = {"*": "bold", "_": "italics", "~": "strike-through"}

_KINDS = {"string": "Give a text.", "array": "Give a list.", "object": "Give an object."}
_SENTENCES = {
    "minLength": "Write something here.",
    "maxLength": "At most {} characters.",
    "minItems": "At least {} is needed.",
    "maxItems": "At most {}.",
    "maxContains": "At most {} buttons of one kind (two links, one phone number).",
    "minProperties": "Something beside the title is needed: a footer, a picture or buttons.",
}

Faults = dict[str, list[str]]


def clean(content_type: object, content_context: object, *, trusted: Collection[str] = ()) -> dict[str, Any]:
    """Return a tidied copy of a content: NFC, plain line ends, phones in E.164, typed replies.

    `trusted` are media addresses that need no check (our own uploads). Raises `Invalid` with dotted paths
    such as `content_context.actions.0.title`. Variables are the business of `variables.number`.
    """
    if not isinstance(content_type, str) or content_type not in SCHEMAS:
        raise refused("content_type", f"Give one of {', '.join(SCHEMAS)}.")
    content = _tidied(content_context)
    faults: Faults = {}
    for error in _VALIDATORS[content_type].iter_errors(content):
        faults |= dict(_explained(error))
    if faults:
        raise Invalid(details=faults)
    if content_type == ContentType.QUICK_REPLY:
        content["actions"] = [{"type": "QUICK_REPLY", **action} for action in content["actions"]]
    faults = _text_faults(content) | _media_faults(content, trusted) | _button_faults(content.get("actions", []))
    if faults:
        raise Invalid(details=faults)
    return dict(content)


def clean_name(raw: object, *, field: str = "name") -> str:
    """Return a name in NFC: 1 to 200 characters, none of them a control character, not only spaces.

    At WhatsApp the template goes by `Campaign.template_name`, which is made from it.
    """
    name = unicodedata.normalize("NFC", raw).strip() if isinstance(raw, str) else ""
    if name and len(name) <= LONGEST_NAME and not any(unicodedata.category(each) in _NOT_IN_NAMES for each in name):
        return name
    raise refused(field, f"Use 1 to {LONGEST_NAME} characters without control characters.")


def clean_language(raw: object, *, field: str = "language") -> str:
    """Return a language code of WhatsApp, such as `en` or `pt_BR`. Raises `Invalid` for any other."""
    if isinstance(raw, str) and raw in LANGUAGES:
        return raw
    raise refused(field, "Give a language that WhatsApp knows, such as en, en_GB or pt_BR.")


def body_of(content_type: str, content_context: Context) -> str:
    """Return the first text of a content, as a person would quote it ("" for a picture without words)."""
    return str(content_context.get("title" if content_type == ContentType.CARD else "body", ""))


def wire(content_type: str, content_context: Context) -> dict[str, dict[str, Any]]:
    """Return `types` for Twilio's POST /v1/Content: `{"twilio/text": {"body": "…"}}`, no other key."""
    return {str(content_type): copy.deepcopy(dict(content_context))}


def warnings(content_context: Context) -> list[str]:
    """Return what WhatsApp often rejects or shows otherwise than meant, as sentences."""
    found: dict[str, None] = {}
    for path, text in texts(content_context):
        found |= dict.fromkeys(_link_warnings(text))
        if path in {"content_context.body", "content_context.title"}:
            found |= dict.fromkeys([*_mark_warnings(text), *_text_warnings(text)])
    return list(found)


def _tidied(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n"))
    if isinstance(value, Mapping):
        return {key: _tidied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tidied(item) for item in value]
    return value


def _explained(error: ValidationError) -> Iterator[tuple[str, list[str]]]:
    """Turn an error of the schema into `(dotted path, [sentence])`."""
    path = ".".join(["content_context", *(str(step)[:64] for step in error.absolute_path)])
    rule, limit, instance, schema = _parts(error)
    if rule == "required":
        yield from ((f"{path}.{name}", ["This field is required."]) for name in limit if name not in instance)
    elif rule == "additionalProperties":
        unknown = instance.keys() - schema["properties"].keys()
        yield from ((f"{path}.{str(name)[:64]}", ["There is no such field."]) for name in unknown)
    elif rule == "type":
        yield path, [_KINDS[limit]]
    elif rule == "oneOf":
        yield from _explained_button(error, path)
    else:
        yield path, [_SENTENCES[rule].format(limit)]


def _explained_button(error: ValidationError, path: str) -> Iterator[tuple[str, list[str]]]:
    """A button fits one of several shapes; explain the one its `type` names."""
    _, shapes, instance, _ = _parts(error)
    if not isinstance(instance, Mapping):
        yield path, [_KINDS["object"]]
        return
    kinds = [shape["properties"]["type"]["const"] for shape in shapes]
    kind = instance.get("type", kinds[0] if len(kinds) == 1 else None)
    if kind not in kinds:
        yield f"{path}.type", [f"Give one of {', '.join(kinds)}."]
        return
    for cause in error.context or []:
        if cause.relative_schema_path[0] == kinds.index(kind):
            yield from _explained(cause)


def _parts(error: ValidationError) -> tuple[Any, Any, Any, Any]:
    # As Any, because the library's "not set" never occurs in an error that a validator raised.
    return error.validator, error.validator_value, error.instance, error.schema


def _text_faults(content: Context) -> Faults:
    faults: Faults = {}
    for path, text in texts(content):
        if not text.strip():
            faults[path] = ["Write something here."]
        elif any(unicodedata.category(character) in {"Cc", "Cs"} for character in text if character not in "\n\t"):
            faults[path] = ["Control characters cannot be sent."]
    return faults


def _media_faults(content: Context, trusted: Collection[str]) -> Faults:
    faults: Faults = {}
    for index, address in enumerate(content.get("media", [])):
        if address not in trusted:
            faults |= _address_fault(address, f"content_context.media.{index}")
    return faults


def _button_faults(actions: list[dict[str, Any]]) -> Faults:
    """Check what a schema cannot; write phone numbers in their one form."""
    faults: Faults = {}
    titles: set[str] = set()
    for index, action in enumerate(actions):
        path = f"content_context.actions.{index}"
        title = action["title"].strip().casefold()
        if title in titles:
            faults[f"{path}.title"] = ["Another button has this title."]
        titles.add(title)
        if "url" in action:
            faults |= _address_fault(action["url"], f"{path}.url")
        if "phone" in action:
            try:
                action["phone"] = normalise(action["phone"], field=f"{path}.phone")
            except Invalid as no:
                faults |= no.details
    return faults


def _address_fault(address: str, field: str) -> Faults:
    try:
        # With any value in place of the variables; that the host has none is checked with the variables.
        check_url(replace(address, lambda _name: "1"), field=field)
    except Invalid as no:
        return no.details
    return {}


def _link_warnings(text: str) -> Iterator[str]:
    if _SHORTENED.search(text):
        yield "WhatsApp often rejects shortened links; give the full address."
    if _WHATSAPP_LINK.search(text):
        yield "WhatsApp rejects links to WhatsApp itself; use a quick reply."


def _mark_warnings(text: str) -> Iterator[str]:
    plain = _LINK.sub(" ", _PLACEHOLDER.sub("x", text))
    for mark, meaning in _MARKS.items():
        sign = re.escape(mark)
        opened = len(re.findall(rf"(?<![^\W_]){sign}(?=[^\s{sign}])", plain))
        closed = len(re.findall(rf"(?<=[^\s{sign}]){sign}(?![^\W_])", plain))
        if opened != closed:
            yield f"A {mark} for {meaning} is opened or closed alone."


def _text_warnings(text: str) -> Iterator[str]:
    if "\n\n\n" in text:
        yield "WhatsApp shows at most one empty line."
    if "\t" in text:
        yield "WhatsApp shows a tab as a space."
    stripped = text.strip()
    places = [match.span() for match in _PLACEHOLDER.finditer(stripped)]
    if places and (places[0][0] == 0 or places[-1][1] == len(stripped)):
        yield "WhatsApp often rejects a text that begins or ends with a variable."
    words = len(re.findall(r"\w+", _PLACEHOLDER.sub(" ", text)))
    if words <= WORDS_PER_VARIABLE * len(places) and places:
        yield "WhatsApp often rejects a text with so few words for its variables."
