"""What merchants read instead of codes (spec: ux 1.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf.locale import LANG_INFO

if TYPE_CHECKING:
    from campaigns.models import CampaignLeadMessage

LEFT_OUT = {
    "missing_variable": "A variable has no value",
    "already_sent": "Had it already",
    "opted_out": "Opted out",
    "cancelled": "Cancelled before sending",
}
REFUSED = {
    "20003": "Twilio refused our credentials",
    "20005": "The Twilio account is not active",
    "21211": "This is no phone number",
    "21408": "Sending to this country is not switched on",
    "21610": "They wrote STOP",
    "21614": "This is no mobile number",
    "30003": "The phone could not be reached",
    "30005": "This number does not exist",
    "30006": "A landline cannot get WhatsApp messages",
    "30007": "Filtered by the network",
    "63003": "This number is not on WhatsApp",
    "63005": "WhatsApp did not accept the content",
    "63013": "Against WhatsApp's policy",
    "63014": "Blocked by the person",
    "63016": "Outside WhatsApp's 24-hour window",
    "63024": "This number is not on WhatsApp",
    "63028": "The values do not fit the template",
    "63032": "WhatsApp limits what this person gets",
    "63033": "Blocked by the person",
    "63049": "Had enough marketing messages from others today",
}
WAITING = {
    "queued": "Waiting for their turn",
    "sending": "Being handed to Twilio",
    "sent": "With WhatsApp",
    "delivered": "Reached the phone",
    "read": "Opened",
}
LANGUAGE_NAMES = {
    "zh_CN": "Chinese (simplified)",
    "zh_HK": "Chinese (Hong Kong)",
    "zh_TW": "Chinese (traditional)",
    "pt_PT": "Portuguese (Portugal)",
}


def refusal(code: str) -> str:
    """Why a message failed."""
    return REFUSED.get(code, f"Refused by Twilio ({code})" if code else "Refused by Twilio")


def left_out(reason: str) -> str:
    """Why somebody gets no message."""
    return LEFT_OUT.get(reason, reason.replace("_", " ").capitalize())


def what_happened(message: CampaignLeadMessage) -> str:
    """One line about one person's message."""
    if message.status == "skipped":
        return left_out(message.skip_reason)
    if message.status in ("failed", "undelivered"):
        return refusal(message.error_code)
    return WAITING[message.status]


def language(code: str) -> str:
    """A language's name in English: en_GB → British English; the code when nobody named it."""
    known = LANG_INFO.get(code.replace("_", "-").lower(), {})
    named = LANGUAGE_NAMES.get(code) or known.get("name")
    if named:
        return str(named)
    base = LANG_INFO.get(code.partition("_")[0], {}).get("name")
    return f"{base} ({code.partition('_')[2]})" if base else code


def messages(number: int) -> str:
    """1 → 1 message, 1212 → 1,212 messages."""
    return "1 message" if number == 1 else f"{number:,} messages"
