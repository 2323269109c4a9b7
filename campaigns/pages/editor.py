"""The template editor's form turned into Twilio's content, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from campaigns import content, variables
from campaigns.content_types import MOST_BUTTONS, ContentType
from campaigns.values import SAMPLES
from campaigns_project.refusals import Invalid

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from campaigns.models import Campaign

WITH_BUTTONS = (ContentType.QUICK_REPLY, ContentType.CALL_TO_ACTION, ContentType.CARD)
WITH_MEDIA = (ContentType.MEDIA, ContentType.CARD)
# Which field a refusal is about, by the dotted path it names.
FIELDS = {
    **dict.fromkeys(("content_context", "content_context.body", "content_context.title", "variables"), "body"),
    **dict.fromkeys(("content_context.media", "content_context.media.0"), "media_url"),
    "content_context.subtitle": "footer",
    "media": "upload",
    "variable_defaults": "fallbacks",
    **{name: name for name in ("name", "language", "campaign_type", "content_type")},
}
_TARGET = {"URL": "url", "PHONE_NUMBER": "phone", "QUICK_REPLY": "id"}
_PARTS = {"type": "kind", "title": "title", "url": "value", "phone": "value", "id": "value"}


def content_of(form: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The content that cleaned fields describe, and which field each dotted path of it came from."""
    kind = form["content_type"]
    text = (form.get("body") or "").strip()
    context: dict[str, Any] = {"title" if kind == ContentType.CARD else "body": text}
    if kind == ContentType.CARD:
        context["subtitle"] = form.get("footer")
    if kind in WITH_MEDIA:
        context["media"] = [address for address in [form.get("media_url")] if address]
    actions, fields = _buttons(form, kind) if kind in WITH_BUTTONS else ([], {})
    written = {name: value for name, value in {**context, "actions": actions}.items() if value}
    return written, {**FIELDS, **fields}


def _buttons(form: Mapping[str, Any], kind: str) -> tuple[list[dict[str, str]], dict[str, str]]:
    actions: list[dict[str, str]] = []
    fields = {"content_context.actions": "button_1_title"}
    for row in range(1, MOST_BUTTONS + 1):
        does, title, value = (form.get(f"button_{row}_{part}", "") for part in ("kind", "title", "value"))
        if title or value:
            path = f"content_context.actions.{len(actions)}"
            fields[path] = f"button_{row}_title"
            fields |= {f"{path}.{at}": f"button_{row}_{to}" for at, to in _PARTS.items()}
            actions.append(_action("QUICK_REPLY" if kind == ContentType.QUICK_REPLY else does, title, value))
    return actions, fields


def _action(does: str, title: str, value: str) -> dict[str, str]:
    does = does or "QUICK_REPLY"
    return {"type": does, "title": title, **({_TARGET.get(does, "id"): value} if value else {})}


def initial_of(campaign: Campaign) -> dict[str, Any]:
    """The editor's fields for a version, with names in place of numbers."""
    context = variables.named(campaign.content_context, campaign.variables)
    fields = {
        "name": campaign.name,
        "language": campaign.language,
        "campaign_type": campaign.campaign_type,
        "content_type": campaign.content_type,
        "body": context.get("title" if campaign.content_type == ContentType.CARD else "body", ""),
        "footer": context.get("subtitle", ""),
        "media_url": (context.get("media") or [""])[0],
        "fallbacks": campaign.variable_defaults,
    }
    for row, action in enumerate(context.get("actions", []), start=1):
        does = action.get("type", "QUICK_REPLY")
        fields[f"button_{row}_kind"] = does
        fields[f"button_{row}_title"] = action["title"]
        fields[f"button_{row}_value"] = action.get(_TARGET[does], "")
    return fields


def looked_over(form: Mapping[str, Any], *, merchant: str, known: Collection[str] = ()) -> dict[str, Any]:
    """What the editor shows while somebody writes: the bubble's content and words, faults, warnings.

    `known` are the custom variables that the template's people carry.
    """
    context, _ = content_of(form)
    fallbacks = form.get("fallbacks") or {}
    shown: dict[str, Any] = {"content": context, "values": {**SAMPLES, "merchant_name": merchant, **fallbacks}}
    faults: list[str] = []
    warned: list[str] = []
    try:
        cleaned = content.clean(form["content_type"], context, trusted=context.get("media", ()))
        numbered, names = variables.number(cleaned)
        warned = content.warnings(cleaned)
        variables.validate(numbered, names, campaign_type=form["campaign_type"], custom_keys={*known, *fallbacks})
    except Invalid as refusal:
        faults = list(dict.fromkeys(sentence for found in refusal.details.values() for sentence in found))
    # An empty page is no mistake yet.
    return {**shown, "faults": faults if context else [], "warnings": warned}
