"""Template tags of the merchants' pages. All are built in: no template loads them.

Place      {% crumbs "Campaigns" "/campaigns" "Autumn sale" %}
Words      {% chip "broadcast" broadcast.status %}  {% badge "orange" "bars" "Running low" %}  {% icon "plus" %}
           {% money 7878 "USD" %}  {% when message.created_at %}  {{ 12480|count }}
Blocks     {% banner "orange" "3 campaigns need you." %}<p>…</p>{% endbanner %}
Numbers    {% meter 312 500 "Redeemed" %}  {% bar segments %}  {% shares rows %}  {% tile "Sent" "8,118" of="10,917" %}
Lists      {% timeline entries %}  {% checks results %}  {% stepper steps current %}  {% pagination page %}
WhatsApp   {% bubble "Harbor Coffee" content values names %}
Forms      {% field form.name %}  {% copy "curl …" "Copy command" %}
Nothing    {% nothing_yet "No campaigns yet" "…" "Create campaign" "/campaigns/new" %}

Each tag's docstring says what it takes. Rows handed to a tag may be dicts or objects with the named attributes.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import template
from django.forms import BoundField, CheckboxInput
from django.utils import timezone
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from campaigns_project import currencies
from campaigns_project.icons import ICONS
from campaigns_project.tones import LOOKS, Look, Segment, look_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

register = template.Library()

_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_ASIDE = "\ue000"
# WhatsApp's own marks, applied to escaped text.
_MARKS = [
    (re.compile(r"```(.+?)```", re.DOTALL), r"<code>\1</code>"),
    (re.compile(r"(?<!\w)\*(\S(?:[^*\n]*\S)?)\*(?!\w)"), r"<b>\1</b>"),
    (re.compile(r"(?<!\w)_(\S(?:[^_\n]*\S)?)_(?!\w)"), r"<em>\1</em>"),
    (re.compile(r"(?<!\w)~(\S(?:[^~\n]*\S)?)~(?!\w)"), r"<s>\1</s>"),
]


@register.simple_tag
def chip(machine: str, status: str, note: str = "") -> SafeString:
    """A status as tone, glyph and the merchant's word; `machine` is a key of tones.LOOKS, `note` follows the word."""
    return _chip(look_of(machine, status), note)


@register.simple_tag
def badge(tone: str, glyph: str, label: str) -> SafeString:
    """A chip for what is worked out and is no status: `{% badge "orange" "bars" "Ends in 6 h" %}`."""
    return _chip(Look(tone, glyph, label), "")


@register.simple_tag
def chips(machine: str) -> list[SafeString]:
    """Every chip of one machine, in the order people meet them: `{% chips "template" as all %}`."""
    return [_chip(look, "") for look in LOOKS[machine].values()]


def _chip(look: Look, note: str) -> SafeString:
    label = f"{look.label}: {note}" if note else look.label
    return format_html('<span class="chip t-{} g-{}">{}</span>', look.tone, look.glyph, label)


@register.simple_tag
def icon(name: str) -> SafeString:
    """A drawing from icons.ICONS, hidden from screen readers: words stand beside it."""
    return format_html(
        '<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="{}"/></svg>',
        mark_safe(ICONS[name]),  # noqa: S308 (our own constants)
    )


@register.simple_tag
def crumbs(*trail: str) -> SafeString:
    """Where this page stands: `{% crumbs "Campaigns" "/campaigns" "Autumn sale" %}`; the last is the page itself."""
    links = format_html_join(
        "", '<a href="{1}">{0}</a><span aria-hidden="true">/</span>', zip(trail[:-1:2], trail[1::2], strict=True)
    )
    return format_html('<nav class="crumbs" aria-label="Breadcrumb">{}<span>{}</span></nav>', links, trail[-1])


@register.simple_tag
def money(minor: int | None, currency: str = "USD") -> str:
    """An amount in minor units (7878, "USD" → $78.78); a dash when there is none."""
    if minor is None:
        return "—"
    places = currencies.places(currency)
    amount = f"{Decimal(abs(minor)).scaleb(-places):,.{places}f}"
    sign = "−" if minor < 0 else ""
    symbol = _SYMBOLS.get(currency)
    return f"{sign}{symbol}{amount}" if symbol else f"{sign}{amount} {currency}"


@register.filter
def count(value: int | None) -> str:
    """12480 → 12,480; a dash when there is none."""
    return "—" if value is None else f"{value:,}"


@register.simple_tag(takes_context=True)
def when(context: Mapping[str, Any], moment: dt.datetime | None, empty: str = "—") -> SafeString:
    """A `<time>` in the account's time zone: "Today, 09:00", "Nov 18, 10:02", with the year when it is another one."""
    if moment is None:
        return format_html("{}", empty)
    zone = zoneinfo.ZoneInfo(getattr(context.get("account"), "time_zone", "UTC"))
    local = moment.astimezone(zone)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        f"{local:%b} {local.day}, {local:%Y, %H:%M:%S %Z}",
        _told(local, timezone.now().astimezone(zone).date()),
    )


def _told(local: dt.datetime, today: dt.date) -> str:
    near = {0: "Today", -1: "Yesterday", 1: "Tomorrow"}
    day = near.get((local.date() - today).days) or f"{local:%b} {local.day}"
    year = "" if local.year == today.year or day in near.values() else f" {local.year}"
    return f"{day}{year}, {local:%H:%M}"


@register.simple_block_tag
def banner(content: SafeString, tone: str, title: str) -> SafeString:
    """A coloured notice: a bold sentence, then what stands in the block: a `<p>` and perhaps a small button."""
    return format_html(
        '<div class="banner t-{}">{}<div class="say"><strong>{}</strong></div>{}</div>',
        tone,
        icon("info" if tone in ("grey", "blue", "indigo") else "check" if tone == "green" else "warn"),
        title,
        content,
    )


@register.simple_tag
def meter(value: int, total: int, label: str) -> SafeString:
    """A thin progress bar; `label` is read aloud. Full is green."""
    done = " done" if total and value >= total else ""
    return format_html(
        '<progress class="meter{}" value="{}" max="{}" aria-label="{}"></progress>', done, value, max(total, 1), label
    )


@register.inclusion_tag("parts/bar.html")
def bar(segments: Sequence[Segment]) -> dict[str, Any]:
    """A stacked bar with its legend. `segments`: what tones.segments() gives."""
    total = sum(segment.value for segment in segments) or 1
    # So that one person in 100,000 can still be seen.
    widths = [max(100 * segment.value / total, 0.8) for segment in segments]
    scale = 100 / sum(widths) if widths else 1
    rects, left = [], 0.0
    for segment, width in zip(segments, widths, strict=True):
        rects.append({"fill": segment.fill, "x": f"{left:.2f}%", "width": f"{width * scale:.2f}%"})
        left += width * scale
    return {"segments": segments, "rects": rects}


@register.inclusion_tag("parts/shares.html")
def shares(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Horizontal bars, longest is full width. Rows: `label`, `value`, `fill` (c1–c9, default c6), `href`."""
    listed = [dict(row) for row in rows]
    most = max((row["value"] for row in listed), default=0) or 1
    return {"rows": [{"fill": "c6", **row, "width": f"{100 * row['value'] / most:.1f}%"} for row in listed]}


@register.inclusion_tag("parts/tile.html")
def tile(label: str, value: Any, of: Any = "", note: str = "", href: str = "") -> dict[str, Any]:
    """One number of a `<dl class="tiles">`: label above, `of` small beside it, `note` below, the value may link."""
    return {"label": label, "value": value, "of": of, "note": note, "href": href, "worded": not _numeric(value)}


def _numeric(value: Any) -> bool:
    return any(character.isdigit() for character in str(value)) or str(value) in ("", "—")


@register.inclusion_tag("parts/timeline.html", takes_context=True)
def timeline(context: Mapping[str, Any], entries: Iterable[Any]) -> dict[str, Any]:
    """What happened, newest first. Entries: `title`, `at`, and perhaps `tone`, `detail`."""
    return {"entries": entries, "account": context.get("account")}


@register.inclusion_tag("parts/checks.html")
def checks(results: Iterable[Any]) -> dict[str, Any]:
    """The list before a send. Results: `ok` (None is a warning), `title`, and perhaps `detail`, `href`, `action`."""
    return {"results": results}


@register.inclusion_tag("parts/stepper.html")
def stepper(steps: Sequence[tuple[str, str]], current: int) -> dict[str, Any]:
    """The wizard's steps: (label, address) pairs; `current` counts from 1. Steps before it are done and link."""
    return {
        "steps": [
            {"label": label, "href": href, "done": number < current, "current": number == current}
            for number, (label, href) in enumerate(steps, start=1)
        ]
    }


@register.inclusion_tag("parts/nothing.html")
def nothing_yet(
    title: str, text: str, label: str = "", href: str = "", other_label: str = "", other_href: str = ""
) -> dict[str, str]:
    """An empty state: the airmail envelope, one sentence, one primary action and perhaps an alternative."""
    actions = {"label": label, "href": href, "other_label": other_label, "other_href": other_href}
    return {"title": title, "text": text, **actions}


@register.inclusion_tag("parts/pagination.html", takes_context=True)
def pagination(context: Mapping[str, Any], page: Any) -> dict[str, Any]:
    """The list's foot: "1–20 of 48", Previous and Next. `page`: what pages.paged() or pages.keyed() gives."""
    query = context["request"].GET.copy()
    links = {}
    for name, change in (("previous", page.previous), ("next", page.next)):
        for key in ("page", "after"):
            query.pop(key, None)
        query.update(change or {})
        links[name] = f"?{query.urlencode()}" if change is not None else ""
    return {"page": page, **links}


@register.inclusion_tag("parts/field.html")
def field(bound: BoundField, hint: str = "") -> dict[str, Any]:
    """A form's field with label, hint (its help text, or `hint`) and errors, tied together for screen readers."""
    attrs: dict[str, Any] = {}
    widget = bound.field.widget
    choice = isinstance(widget, CheckboxInput) or widget.use_fieldset
    if not choice:
        attrs["class"] = "input"
    hint = hint or str(bound.help_text)
    described = [f"{bound.auto_id}_{part}" for part, shown in (("hint", hint), ("error", bound.errors)) if shown]
    if described and not widget.use_fieldset:
        attrs["aria-describedby"] = " ".join(described)
    widget_html = bound.as_widget(attrs=attrs)
    tick = isinstance(widget, CheckboxInput)
    return {"bound": bound, "widget": widget_html, "hint": hint, "tick": tick, "group": widget.use_fieldset}


@register.inclusion_tag("parts/copy.html")
def copy(text: str, label: str = "Copy") -> dict[str, str]:
    """A button that copies `text`; it only shows where scripts run."""
    return {"text": text, "label": label}


@register.inclusion_tag("parts/bubble.html")
def bubble(
    merchant: str,
    content: Mapping[str, Any],
    values: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
    at: str = "09:41",
) -> dict[str, Any]:
    """A WhatsApp message as the phone shows it.

    `content` is a template's content_context (body, title, subtitle, footer, media, actions) with `{{ name }}` or
    `{{1}}` in it; `values` maps those keys to words, `names` maps numbers to variable names (for the pointer's
    hint, and to find a value by its name). Words from the person's data are marked; a variable without a value is
    shown by its name, in dashes.
    """
    values, names = values or {}, names or {}

    def shown(text: object) -> SafeString:
        return _hydrated(str(text), values, names)

    return {
        "merchant": merchant,
        "initial": merchant[:1].upper(),
        # A card has no body: its title is the message.
        "title": shown(content.get("title", "")) if content.get("body") else "",
        "body": shown(content.get("body") or content.get("title", "")),
        "footer": shown(content.get("footer") or content.get("subtitle") or ""),
        "media": [str(url).rsplit("/", 1)[-1] for url in content.get("media", [])],
        "actions": [{**action, "title": shown(action.get("title", ""))} for action in content.get("actions", [])],
        "at": at,
    }


def _hydrated(text: str, values: Mapping[str, str], names: Mapping[str, str]) -> SafeString:
    marked: list[str] = []

    def set_aside(found: re.Match[str]) -> str:
        marked.append(_marked(found[1], values, names))
        return _ASIDE

    # The person's words stand aside while the text is escaped and formatted: WhatsApp's marks may go around them.
    safe = str(escape(_PLACEHOLDER.sub(set_aside, text.replace(_ASIDE, ""))))
    for pattern, markup in _MARKS:
        safe = pattern.sub(markup, safe)
    words = iter(marked)
    return mark_safe(re.sub(_ASIDE, lambda _: next(words), safe))  # noqa: S308 (every piece is escaped)


def _marked(key: str, values: Mapping[str, str], names: Mapping[str, str]) -> str:
    name = names.get(key, key)
    value = values.get(key) or values.get(name)
    if not value:
        return format_html('<mark class="gap">{}</mark>', name)
    return format_html('<mark title="{}">{}</mark>', name, value)
