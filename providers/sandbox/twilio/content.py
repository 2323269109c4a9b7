"""Templates of the Content API: their shape, what a person will read, and how Meta judges them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

STATUSES = ("unsubmitted", "received", "pending", "approved", "rejected", "paused", "disabled")
CATEGORIES = ("UTILITY", "MARKETING", "AUTHENTICATION")
LONGEST_BODY = 1024

# type → (required fields, other fields); from twilio_content_v1.json, where additionalProperties is false.
TYPES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    name: (frozenset(required.split()), frozenset(other.split()))
    for name, required, other in (
        ("whatsapp/card", "body", "footer media header_text actions"),
        ("twilio/card", "", "title subtitle body media actions"),
        ("twilio/carousel", "body cards", ""),
        ("twilio/call-to-action", "body actions", ""),
        ("twilio/quick-reply", "body actions", ""),
        ("twilio/list-picker", "body button items", ""),
        ("twilio/media", "media", "body"),
        ("twilio/location", "latitude longitude", "label id address"),
        ("twilio/catalog", "body", "title subtitle id items dynamic_items"),
        ("twilio/flows", "body button_text pages type", "subtitle media_url"),
        ("twilio/schedule", "id title timeSlots", ""),
        ("whatsapp/authentication", "actions", "add_security_recommendation code_expiration_minutes"),
        (
            "whatsapp/flows",
            "body button_text flow_id",
            "subtitle media_url flow_token flow_first_page_id is_flow_first_page_endpoint",
        ),
        ("twilio/text", "body", ""),
    )
}
_OF_OBJECTS = frozenset({"actions", "items", "cards", "pages"})
_NOT_TEXT = frozenset(
    {"latitude", "longitude", "code_expiration_minutes", "add_security_recommendation", "is_flow_first_page_endpoint"}
)
_WORDS = ("header_text", "title", "subtitle", "body", "footer")
_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_TOUCHING = re.compile(r"\{\{\s*(\w+)\s*\}\}\s*\{\{\s*(\w+)\s*\}\}")
_AT_START = re.compile(r"\s*\{\{\s*(\w+)\s*\}\}")
_AT_END = re.compile(r"\{\{\s*(\w+)\s*\}\}\s*\Z")


class ContentError(ValueError):
    """The JSON is not a template Twilio would take."""


def iso(moment: float) -> str:
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class Approval:
    """`after` is how many seconds Meta takes; `ruling` is a status somebody set by hand, which stays."""

    name: str
    category: str
    at: float
    after: float
    reason: str = ""
    ruling: str = ""

    def status(self, now: float) -> str:
        if self.ruling:
            return self.ruling
        waited = now - self.at
        if waited >= self.after:
            return "rejected" if self.reason else "approved"
        return "received" if waited < self.after / 3 else "pending"


@dataclass(slots=True)
class Content:
    sid: str
    account: str
    friendly_name: str
    language: str
    variables: dict[str, str]
    types: dict[str, dict[str, Any]]
    created: float
    updated: float
    deleted: bool = False
    approval: Approval | None = None
    requests: int = 0  # how often approval was asked for
    _body: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, record: dict[str, Any]) -> Content:
        known = {each.name: record[each.name] for each in fields(cls) if each.name != "_body"}
        approval = Approval(**known["approval"]) if known["approval"] else None
        return cls(**(known | {"approval": approval}))

    def as_record(self) -> dict[str, Any]:
        facts = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "_body"}
        approval = self.approval
        facts["approval"] = approval and {each.name: getattr(approval, each.name) for each in fields(approval)}
        return {"p": "twilio", "k": "content", **facts}

    def change(self, *, variables: dict[str, str], types: dict[str, dict[str, Any]], now: float) -> None:
        self.variables, self.types, self.updated, self._body = variables, types, now, None

    @property
    def kind(self) -> str:
        """The richest type it has: that one WhatsApp shows."""
        return next(name for name in TYPES if name in self.types)

    @property
    def shown(self) -> dict[str, Any]:
        return self.types[self.kind]

    @property
    def actions(self) -> list[dict[str, Any]]:
        return self.shown.get("actions") or []

    @property
    def body(self) -> str:
        """All its words, with the variables still in them."""
        if self._body is None:
            words = (self.shown.get(name) for name in _WORDS)
            self._body = "\n".join(text for text in words if isinstance(text, str))
        return self._body

    def read_with(self, values: dict[str, str]) -> str:
        """What the person reads; a variable nobody gave gets its sample value, as Twilio does silently."""
        return self.filled(self.body, values)

    def filled(self, text: str, values: dict[str, str]) -> str:
        def value(found: re.Match[str]) -> str:
            name = found[1]
            return values.get(name) or self.variables.get(name) or found[0]

        return _VARIABLE.sub(value, text)

    def status(self, now: float) -> str:
        return self.approval.status(now) if self.approval else "unsubmitted"

    def as_approval(self, now: float) -> dict[str, Any]:
        asked = self.approval
        status = self.status(now)
        return {
            "name": asked.name if asked else "",
            "category": asked.category if asked else "",
            "content_type": self.kind,
            "status": status,
            "rejection_reason": asked.reason if asked and status not in {"received", "pending", "approved"} else "",
            "allow_category_change": True,
        }

    def as_resource(self, base: str) -> dict[str, Any]:
        """Twilio's JSON of this template; `base` is where the API is reached."""
        url = f"{base}/v1/Content/{self.sid}"
        return self.facts() | {
            "url": url,
            "links": {
                "approval_create": f"{url}/ApprovalRequests/whatsapp",
                "approval_fetch": f"{url}/ApprovalRequests",
            },
        }

    def facts(self) -> dict[str, Any]:
        return {
            "sid": self.sid,
            "account_sid": self.account,
            "friendly_name": self.friendly_name,
            "language": self.language,
            "variables": self.variables,
            "types": self.types,
            "date_created": iso(self.created),
            "date_updated": iso(self.updated),
        }


def clean_types(types: Any) -> dict[str, dict[str, Any]]:
    """The types that are not null, after Twilio's checks; ContentError says what is wrong."""
    if not isinstance(types, dict):
        raise ContentError("types: an object is required")
    given = {name: value for name, value in types.items() if value is not None}
    if not given:
        raise ContentError("types: at least one type is required")
    for name, value in given.items():
        _check_type(name, value)
    return given


def _check_type(name: str, value: Any) -> None:
    if name not in TYPES:
        raise ContentError(f"types: {name} is not a type")
    if not isinstance(value, dict):
        raise ContentError(f"{name}: an object is required")
    required, other = TYPES[name]
    missing = required - {field for field, given in value.items() if given not in (None, "", [])}
    if missing:
        raise ContentError(f"{name}: {', '.join(sorted(missing))} is required")
    wrong = [field for field, given in value.items() if not _is_well_formed(field, given)]
    if wrong:
        raise ContentError(f"{name}: {wrong[0]} is of the wrong kind")
    unknown = value.keys() - required - other
    if unknown:
        raise ContentError(f"{name}: {', '.join(sorted(unknown))} is unknown")


def _is_well_formed(name: str, value: Any) -> bool:
    if value is None or name in _NOT_TEXT:
        return True
    if name in _OF_OBJECTS:
        return isinstance(value, list) and all(isinstance(each, dict) for each in value)
    if name == "media":
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return isinstance(value, str)


def clean_variables(variables: Any) -> dict[str, str]:
    if variables is None:
        return {}
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise ContentError("variables: an object of strings is required")
    return variables


def judge(content: Content, name: str) -> str:
    """Meta's reason to reject this template, or an empty string."""
    if "reject" in name.lower() or "reject" in content.friendly_name.lower():
        return "INVALID_FORMAT: This template was rejected because its name asks for it."
    body = content.body
    if len(body) > LONGEST_BODY:
        return f"INVALID_FORMAT: The body is longer than {LONGEST_BODY} characters."
    loose = [found for rule in (_AT_START.match, _AT_END.search, _TOUCHING.search) if (found := rule(body))]
    if any(not content.variables.get(variable) for found in loose for variable in found.groups()):
        return "INVALID_FORMAT: Variables at the start, at the end or next to each other need sample values."
    return ""
