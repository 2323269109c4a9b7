"""Phone numbers as people type them, and as WhatsApp wants them (E.164)."""

from __future__ import annotations

import re
import unicodedata

import phonenumbers

from campaigns_project.refusals import Invalid

PREFIX = "whatsapp:"
LONGEST_INPUT = 40
# Without a plus we guess that the country code is there. A national number of ten digits or fewer would
# then reach somebody in another country, so it is refused instead.
SHORTEST_WITHOUT_PLUS = 11

_TYPED = re.compile(r"\+?[\d ().\-/\u2010-\u2013]+")


def beginning(typed: str) -> str:
    """`+1 (415) 555` → +1415555: how a typed number begins in a table. Words stay as they are."""
    digits = "".join(character for character in typed if character in "0123456789")
    return f"+{digits}" if digits and not any(character.isalpha() for character in typed) else typed


def normalise(raw: object, default_region: str | None = None, *, field: str = "phone_number") -> str:
    """Return a phone number in E.164 (`+15550000001`).

    `raw` is text as typed; a leading `whatsapp:`, spaces, dots, brackets, slashes and hyphens are fine.
    `default_region` is an ISO 3166 code for national numbers. Raises `Invalid` with `details[field]` when the
    number cannot exist.
    """
    if not isinstance(raw, str):
        raise _refused(field, "A phone number is text, such as +15550000001.")
    typed = unicodedata.normalize("NFKC", raw[: LONGEST_INPUT + 1]).strip(" ").removeprefix(PREFIX)
    if len(raw) > LONGEST_INPUT or not _TYPED.fullmatch(typed):
        raise _refused(field, "A phone number has only digits, spaces, dots, brackets and hyphens, after a plus.")
    if default_region is None and not typed.startswith("+"):
        typed = _with_plus(typed, field)
    try:
        number = phonenumbers.parse(typed, default_region)
    except phonenumbers.NumberParseException:
        raise _refused(field, "Start the number with + and the country code, such as +15550000001.") from None
    # "Possible", not "valid": numbering plans change faster than the library, and +1 555 is for trying out.
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise _refused(field, "The number has too few or too many digits for its country.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _with_plus(typed: str, field: str) -> str:
    if sum(character.isdecimal() for character in typed) < SHORTEST_WITHOUT_PLUS:
        raise _refused(field, "Start the number with + and the country code, such as +15550000001.")
    return f"+{typed}"


def _refused(field: str, sentence: str) -> Invalid:
    return Invalid(details={field: [sentence]})
