"""What Twilio's error codes mean for the row, the person, the campaign and the connection.

Codes and their texts: https://www.twilio.com/docs/api/errors. Twilio refines codes over time, so a code that is not
listed is a refusal for good without further effect. Where the row is not at fault (credentials, template, speed) it may
be tried again: it waits until the cause is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from providers.base import Effect

_AN_HOUR = 3600.0


class Meaning(NamedTuple):
    """`retry`: the same call may succeed later, after `retry_after` seconds if Twilio names no time itself."""

    retry: bool = False
    effect: Effect = "none"
    retry_after: float | None = None


_FOR_GOOD = Meaning()
_AGAIN = Meaning(retry=True)
_SLOWER = Meaning(retry=True, effect="slower")
_OPT_OUT = Meaning(effect="opt_out")
_CAMPAIGN = Meaning(retry=True, effect="pause_campaign")
_CONNECTION = Meaning(retry=True, effect="pause_connection")

MEANINGS: dict[int, Meaning] = {
    20003: _CONNECTION,  # credentials refused
    20005: _CONNECTION,  # account not active
    20404: _FOR_GOOD,
    20429: _SLOWER,
    21211: _FOR_GOOD,  # not a number
    21408: _FOR_GOOD,  # region not enabled
    21610: _OPT_OUT,  # they wrote STOP to Twilio
    21611: _SLOWER,  # the sender's queue is full
    21614: _FOR_GOOD,  # not a mobile number
    21617: _FOR_GOOD,
    21654: _CAMPAIGN,  # ContentSid missing
    21655: _CAMPAIGN,  # ContentSid unknown
    21656: _FOR_GOOD,  # ContentVariables do not fit
    21703: _CONNECTION,  # messaging service without a sender …
    21704: _CONNECTION,
    21705: _CONNECTION,  # … or no such service
    30001: _SLOWER,
    30003: _FOR_GOOD,  # unreachable
    30005: _FOR_GOOD,
    30006: _FOR_GOOD,
    30007: _FOR_GOOD,  # filtered
    63001: _CONNECTION,  # WhatsApp does not accept Twilio's credentials for us
    63003: _FOR_GOOD,
    63005: _FOR_GOOD,
    63006: _FOR_GOOD,
    63007: _CONNECTION,  # no such sender
    63009: _AGAIN,
    63010: _AGAIN,
    63012: _AGAIN,
    63013: _FOR_GOOD,
    63014: _OPT_OUT,  # blocked by the person
    63016: _FOR_GOOD,  # outside the 24 h window
    63018: _SLOWER,
    63019: _FOR_GOOD,
    63021: _FOR_GOOD,
    63024: Meaning(effect="suppress"),  # not on WhatsApp
    63027: _CAMPAIGN,  # the template does not exist in this language
    63028: _FOR_GOOD,  # wrong number of variables
    63032: _FOR_GOOD,
    63033: _OPT_OUT,  # blocked by the person
    63038: Meaning(retry=True, effect="slower", retry_after=_AN_HOUR),  # today's limit is used up
    63040: _CAMPAIGN,  # template rejected
    63041: _CAMPAIGN,  # template paused
    63042: _CAMPAIGN,  # template disabled
    63049: _FOR_GOOD,  # Meta's limit of marketing messages for this person; not again within a day
    63051: _CONNECTION,  # the WhatsApp Business account is locked
}


def meaning_of(code: int | str) -> Meaning:
    """What an error code of an answer or a callback means; an unknown one, or none, is a plain refusal."""
    return _BY_TEXT.get(str(code), _FOR_GOOD)


_BY_TEXT = {str(code): meaning for code, meaning in MEANINGS.items()}
