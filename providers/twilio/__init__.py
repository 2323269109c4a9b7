"""Twilio: WhatsApp messages (`Twilio`), SMS (`TwilioTexts`), what its callbacks say, and what its error codes mean.

Templates have a module of their own, because it loads Twilio's SDK: `providers.twilio.templates`.
"""

from providers.twilio.codes import Meaning, meaning_of
from providers.twilio.forms import (
    OPT_IN_WORDS,
    OPT_OUT_WORDS,
    OUR_STATUS,
    RANK,
    Form,
    Inbound,
    Malformed,
    StatusUpdate,
    opt_word,
    parse_inbound,
    parse_status,
    read_form,
)
from providers.twilio.messages import Twilio, TwilioTexts
from providers.twilio.signature import verify_signature

__all__ = [
    "OPT_IN_WORDS",
    "OPT_OUT_WORDS",
    "OUR_STATUS",
    "RANK",
    "Form",
    "Inbound",
    "Malformed",
    "Meaning",
    "StatusUpdate",
    "Twilio",
    "TwilioTexts",
    "meaning_of",
    "opt_word",
    "parse_inbound",
    "parse_status",
    "read_form",
    "verify_signature",
]
