"""The kinds of WhatsApp template we support, each with its JSON Schema (2020-12), its rules and an example.

Field names are Twilio's (Content API v1). Limits: Twilio's pages for each type, and WhatsApp's for buttons.
"""

from __future__ import annotations

from typing import Any

from django.db.models import TextChoices

LONGEST_BODY = 1024
LONGEST_BODY_WITH_LINKS = 640
LONGEST_FOOTER = 60
LONGEST_REPLY_TITLE = 20
LONGEST_BUTTON_TITLE = 25
LONGEST_ID = 200
LONGEST_ADDRESS = 2048
LONGEST_PHONE = 40
MOST_BUTTONS = 10
MOST_LINKS = 2

Schema = dict[str, Any]


class ContentType(TextChoices):
    TEXT = "twilio/text", "Text"
    MEDIA = "twilio/media", "Picture or file"
    QUICK_REPLY = "twilio/quick-reply", "Quick replies"
    CALL_TO_ACTION = "twilio/call-to-action", "Links and calls"
    CARD = "twilio/card", "Card"


def _text(longest: int, description: str) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": longest, "description": description}


def _object(required: list[str], **properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


def _button(kind: str, required: list[str], **properties: Schema) -> Schema:
    return _object(required, type={"const": kind}, **properties)


def _at_most(count: int, kind: str) -> Schema:
    of_kind = {"type": "object", "required": ["type"], "properties": {"type": {"const": kind}}}
    return {"contains": of_kind, "minContains": 0, "maxContains": count}


def _buttons(most: int, *kinds: Schema) -> Schema:
    return {
        "type": "array",
        "minItems": 1,
        "maxItems": most,
        "items": {"oneOf": list(kinds)},
        "allOf": [_at_most(MOST_LINKS, "URL"), _at_most(1, "PHONE_NUMBER")],
    }


def _root(title: str, schema: Schema, **more: Any) -> Schema:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema, **more}


_ID = _text(LONGEST_ID, "What we are told when somebody taps the button; not shown.")
_REPLY_TITLE = _text(LONGEST_REPLY_TITLE, "The words on the button; no variables.")
_TITLE = _text(LONGEST_BUTTON_TITLE, "The words on the button; no variables.")
_ADDRESS = _text(LONGEST_ADDRESS, "A public http or https address; may end with one variable.")
_REPLY = _button("QUICK_REPLY", ["title"], title=_REPLY_TITLE, id=_ID)
_LINK = _button("URL", ["type", "title", "url"], title=_TITLE, url=_ADDRESS, id=_ID)
_CALL = _button(
    "PHONE_NUMBER",
    ["type", "title", "phone"],
    title=_TITLE,
    phone=_text(LONGEST_PHONE, "A number with country code; no variables."),
    id=_ID,
)
_TYPED_REPLY = {**_REPLY, "required": ["type", "title"]}
_MEDIA = {
    "type": "array",
    "minItems": 1,
    "maxItems": 1,
    "items": _text(LONGEST_ADDRESS, "A public http or https address; variables only in its path."),
    "description": "One picture or file.",
}
_BODY = _text(LONGEST_BODY, "The message.")

_TEXT_RULES = [
    "Write a variable as {{lead_name}}; numbers such as {{1}} need a map of variables.",
    "Two variables never stand side by side, and a text has at least as many words as variables.",
    "Better not begin or end the text with a variable: WhatsApp often rejects that.",
    "Marketing templates use no order or product variables.",
    "A variable of your own must exist on an active lead.",
]
_BUTTON_RULE = "Button titles and phone numbers take no variables."
_LINK_RULE = "The address of a button takes one variable, at its end, after the host."
_MEDIA_RULE = "The address of a picture takes variables only after the host."


def _entry(kind: ContentType, description: str, schema: Schema, rules: list[str], example: Schema) -> Schema:
    return {
        "type": kind.value,
        "title": str(kind.label),
        "description": description,
        "schema": _root(str(kind.label), schema),
        "variable_rules": _TEXT_RULES + rules,
        "example": example,
    }


# What GET /content-types answers.
CONTENT_TYPES: list[Schema] = [
    _entry(
        ContentType.TEXT,
        "A plain message.",
        _object(["body"], body=_BODY),
        [],
        {"body": "Hi {{lead_name}}, we have a fresh menu at {{merchant_name}} this week."},
    ),
    _entry(
        ContentType.MEDIA,
        "A picture or a file, with or without words.",
        _object(["media"], body=_BODY, media=_MEDIA),
        [_MEDIA_RULE],
        {"body": "Hi {{lead_name}}, look what is new!", "media": ["https://example.com/new.jpg"]},
    ),
    _entry(
        ContentType.QUICK_REPLY,
        "A message with up to ten buttons that answer for the person.",
        _object(["body", "actions"], body=_BODY, actions=_buttons(MOST_BUTTONS, _REPLY)),
        [_BUTTON_RULE],
        {
            "body": "Hi {{lead_name}}, shall we keep your table?",
            "actions": [
                {"type": "QUICK_REPLY", "title": "Yes, please", "id": "yes"},
                {"type": "QUICK_REPLY", "title": "No, thanks", "id": "no"},
            ],
        },
    ),
    _entry(
        ContentType.CALL_TO_ACTION,
        "A message with up to two links and one number to call.",
        _object(
            ["body", "actions"],
            body=_text(LONGEST_BODY_WITH_LINKS, "The message."),
            actions=_buttons(MOST_LINKS + 1, _LINK, _CALL),
        ),
        [_BUTTON_RULE, _LINK_RULE],
        {
            "body": "Hi {{lead_name}}, the autumn menu is here.",
            "actions": [
                {"type": "URL", "title": "See the menu", "url": "https://example.com/menu"},
                {"type": "PHONE_NUMBER", "title": "Call us", "phone": "+15550000100"},
            ],
        },
    ),
    _entry(
        ContentType.CARD,
        "A title with a footer, a picture or buttons.",
        _object(
            ["title"],
            title=_text(LONGEST_BODY, "The message."),
            subtitle=_text(LONGEST_FOOTER, "The footer; no variables."),
            media=_MEDIA,
            actions=_buttons(MOST_BUTTONS, _LINK, _CALL, _TYPED_REPLY),
        )
        | {"minProperties": 2},
        [_BUTTON_RULE, _LINK_RULE, _MEDIA_RULE, "The footer takes no variables."],
        {
            "title": "Hi {{lead_name}}, your favourite is back.",
            "subtitle": "Reply STOP to hear no more",
            "media": ["https://example.com/favourite.jpg"],
            "actions": [{"type": "URL", "title": "Order now", "url": "https://example.com/order"}],
        },
    ),
]

SCHEMAS: dict[str, Schema] = {entry["type"]: entry["schema"] for entry in CONTENT_TYPES}

# Codes that WhatsApp accepts for templates (Meta, "Supported languages").
_LANGUAGES = (
    "af sq ar ar_EG ar_AE ar_LB ar_MA ar_QA az be_BY bn bn_IN bg ca zh_CN zh_HK zh_TW hr cs da prs_AF nl "
    "nl_BE en en_GB en_US en_AE en_AU en_CA en_GH en_IE en_IN en_JM en_MY en_NZ en_QA en_SG en_UG en_ZA "
    "et fil fi fr fr_BE fr_CA fr_CH fr_CI fr_MA ka de de_AT de_CH el gu ha he hi hu id ga it ja kn kk "
    "rw_RW ko ky_KG lo lv lt mk ms ml mr nb ps_AF fa pl pt_BR pt_PT pa ro ru sr si_LK sk sl es es_AR "
    "es_CL es_CO es_CR es_DO es_EC es_HN es_MX es_PA es_PE es_ES es_UY sw sv ta te th tr uk ur uz vi zu "
)
LANGUAGES = frozenset(_LANGUAGES.split())
