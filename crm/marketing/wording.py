"""What a marketing campaign says on each channel: which content is whole, and how it reads for one person.

The four keys hold for every channel; `content["channels"][channel]` says one of them otherwise. `{{first_name}}` and
the other NAMES are filled in; `{{first_name|friend}}` says what is written where the name is empty.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.template.loader import render_to_string

from campaigns_project.refusals import Invalid
from crm.models import MarketingChannel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

KEYS = ("subject", "body", "cta_text", "cta_url")
# The one that each person has alone, out of a pool.
CODE = "coupon_code"
NAMES = ("first_name", "last_name", "merchant_name", "promo_code", CODE)
# Without what is wanted there is nothing to send.
WANTED: Mapping[str, tuple[str, ...]] = {"email": ("subject", "body"), "sms": ("body",), "push": ("subject", "body")}
# Ten segments: what Twilio takes at most.
LONGEST_SMS = 1_500
STOP_LINE = "Reply STOP to opt out."

_GAP = re.compile(r"\{\{\s*([A-Za-z_]+)\s*(?:\|([^{}|]*))?\}\}")


@dataclass(frozen=True)
class Written:
    """One person's message. `html` is empty but for e-mail; `url` is where the call to action leads, or ""."""

    subject: str
    text: str
    html: str
    url: str


def said_on(content: Mapping[str, Any], channel: str) -> dict[str, str]:
    """The four keys as they hold on one channel; "" for what is not said."""
    own = content.get("channels", {}).get(channel, {})
    return {key: own.get(key, content.get(key, "")) for key in KEYS}


def gaps(content: Mapping[str, Any], channels: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Every name that the words of these channels ask for, with what is written where it is empty."""
    texts = (text for channel in channels for text in said_on(content, channel).values())
    return (gap for text in texts for gap in _GAP.findall(text))


def check(content: Mapping[str, Any], channels: Iterable[str]) -> None:
    """Raise Invalid, by dotted path, unless every channel has what it needs to be sent."""
    faults = dict(fault for channel in channels for fault in _faults(said_on(content, channel), channel))
    if faults:
        raise Invalid(details={f"content.{path}": [sentence] for path, sentence in faults.items()})


def _faults(said: Mapping[str, str], channel: str) -> Iterator[tuple[str, str]]:
    lacking = [key for key in WANTED[channel] if not said[key].strip()]
    yield from ((key, f"This is needed for {MarketingChannel(channel).label}.") for key in lacking)
    yield from _gap_faults(said)
    if said["cta_text"] and not said["cta_url"]:
        yield "cta_url", "Say where the button leads."
    if channel == MarketingChannel.SMS and len(said["body"]) + len(said["cta_url"]) > LONGEST_SMS:
        yield "channels.sms.body", f"An SMS has at most {LONGEST_SMS:,} characters with its link."


def _gap_faults(said: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, text in said.items():
        unknown = sorted({name for name, _ in _GAP.findall(text)} - set(NAMES))
        if unknown:
            yield key, f"Nothing is known as {', '.join(unknown)}. There are {', '.join(NAMES)}."


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with its gaps filled in."""
    return _GAP.sub(lambda gap: values.get(gap[1], "") or gap[2] or "", text)


def _as_it_is(text: str) -> str:
    return text


def written(
    content: Mapping[str, Any],
    channel: str,
    values: Mapping[str, str],
    *,
    unsubscribe: str = "",
    opt_out: bool = True,
    tracked: Callable[[str], str] = _as_it_is,
    pixel: str = "",
) -> Written:
    """What one person reads. `values` by NAMES; `unsubscribe` is the address in an e-mail's foot, "" for none.

    `opt_out`: whether an SMS says how to stop. `tracked` puts other addresses in the place of those in a text; `pixel`
    is the address of a picture that says the e-mail was opened.
    """
    said = {key: filled(tracked(text), values) for key, text in said_on(content, channel).items()}
    lines = [said["body"]]
    if said["cta_url"]:
        lines.append(f"{said['cta_text']}: {said['cta_url']}" if said["cta_text"] else said["cta_url"])
    if channel == MarketingChannel.PUSH:
        return Written(said["subject"], said["body"], "", said["cta_url"])
    if channel == MarketingChannel.SMS:
        return Written("", "\n".join([*lines, *[STOP_LINE] * opt_out]), "", said["cta_url"])
    foot = [f"Unsubscribe: {unsubscribe}"] if unsubscribe else []
    around = {"unsubscribe": unsubscribe, "sender": values["merchant_name"], "pixel": pixel}
    html = render_to_string("crm/email.html", said | around)
    return Written(said["subject"], "\n\n".join([*lines, *foot]), html, said["cta_url"])
