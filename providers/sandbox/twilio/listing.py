"""Reading messages back: the list with Twilio's filters and pages."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from providers.sandbox.twilio.errors import TwilioError
from providers.sandbox.twilio.message import API

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from providers.sandbox.twilio.message import Message
    from providers.sandbox.twilio.state import State

LARGEST_PAGE = 1000
USUAL_PAGE = 50
FILTERS = ("To", "From", "DateSent", "DateSent<", "DateSent>")


def number(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number among the query parameters, at most `most`; TwilioError 20001 when it is none."""
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < least:  # noqa: PLR2004  # enough digits
        raise TwilioError(20001, f"{name} must be a whole number")
    return min(int(text), most)


def _span(text: str) -> tuple[int, int]:
    """First second of a date or moment, and the first after it."""
    try:
        if len(text) == len("2026-01-31"):
            day = datetime.fromisoformat(text).replace(tzinfo=UTC)
            return int(day.timestamp()), int((day + timedelta(days=1)).timestamp())
        moment = datetime.fromisoformat(text) if text[:1].isdigit() else parsedate_to_datetime(text)
        second = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise TwilioError(20001, f"DateSent: {text[:40]} is not a date") from None
    return second, second + 1


def _bounds(query: Mapping[str, str]) -> tuple[int, int]:
    """The seconds that the DateSent filters leave: from, until (excluded). < and > include the date."""
    least, most = 0, 1 << 62
    if text := query.get("DateSent"):
        least, most = _span(text)
    if text := query.get("DateSent>"):
        least = max(least, _span(text)[0])
    if text := query.get("DateSent<"):
        most = min(most, _span(text)[1])
    return least, most


def found(state: State, account: str, query: Mapping[str, str], *, before: int, visible: float) -> Iterator[Message]:
    """Messages that match, newest first, numbered below `before` and accepted by `visible`.

    A message that has not gone out yet is dated by its acceptance.
    """
    least, most = _bounds(query)
    to, sender = query.get("To"), query.get("From")
    rows = state.of_recipient[account, to] if to else state.of_account[account]
    for position in range(bisect_left(rows, before, key=lambda message: message.n) - 1, -1, -1):
        message = rows[position]
        if message.deleted or message.at > visible or (sender and message.sender != sender):
            continue
        if least <= int(message.due) < most:
            yield message


def _before(state: State, account: str, token: str) -> int:
    """The number below which a page begins: that of the last message before, which `token` names."""
    if not token:
        return 1 << 62
    last = state.messages.get(token.removeprefix("PA"))
    if not last or last.account != account:
        raise TwilioError(20001, "PageToken is not one of ours")
    return last.n


def page(state: State, account: str, query: Mapping[str, str], now: float, lag: float) -> dict[str, Any]:
    """One page of the list as Twilio's JSON. `lag`: seconds until a new message shows up."""
    size = number(query, "PageSize", USUAL_PAGE, 1, LARGEST_PAGE)
    index = number(query, "Page", 0, 0, 10**9)
    token = query.get("PageToken", "")
    rows = found(state, account, query, before=_before(state, account, token), visible=now - lag)
    skipped = 0 if token else index * size
    taken = list(islice(rows, skipped, skipped + size + 1))
    shown = taken[:size]

    def uri(number: int, **token: str) -> str:
        kept = {name: query[name] for name in FILTERS if name in query}
        return f"{API}/Accounts/{account}/Messages.json?" + urlencode(kept | {"PageSize": size, "Page": number} | token)

    return {
        "end": index * size + max(len(shown) - 1, 0),
        "first_page_uri": uri(0),
        "next_page_uri": uri(index + 1, PageToken=f"PA{shown[-1].sid}") if len(taken) > size else None,
        "page": index,
        "page_size": size,
        "previous_page_uri": uri(index - 1) if index else None,
        "start": index * size,
        "uri": uri(index, **({"PageToken": token} if token else {})),
        "messages": [message.as_resource(message.status(now)) for message in shown],
    }
