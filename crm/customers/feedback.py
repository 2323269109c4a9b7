"""What providers report of messages that were sent: the one way in, whoever the provider is.

A report becomes an event of its person (`email.opened`, `sms.delivered`, …), once for its `key`. Who may not be written
to any more is suppressed in the same transaction. Those who sent the messages listen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import transaction

from crm import events
from crm.customers import consent
from crm.models import Channel, Event

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Account

# Only says that the provider has it; whoever sent it has written that down already.
SENT = "sent"
# After these nothing more is sent to the address on that channel.
ENDING = frozenset({"unsubscribed", "spam", "bounced"})


@dataclass(frozen=True)
class Feedback:
    """One report. `event` is sent, delivered, opened, clicked, bounced (for good), dropped, failed, unsubscribed, spam
    or subscribed.

    `address` is the person's (e-mail address, or phone in E.164), `key` the report's identity in its account (the same
    one again changes nothing), `attempt` the call of ours it is about, `campaign` a public id, `code` the provider's
    reason, `customer` the person where it is known; `bot` is true for what no person did.
    """

    channel: str
    event: str
    address: str
    at: datetime
    key: str
    attempt: UUID | None = None
    provider_id: str = ""
    campaign: str = ""
    url: str = ""
    bot: bool = False
    code: str = ""
    customer: int | None = None


class About(NamedTuple):
    """The delivery a report is about: its campaign's public id, and its own id."""

    campaign_id: str
    delivery_id: int


Listener = Callable[["Account", Sequence[Feedback]], Sequence[About | None]]
_listeners: list[Listener] = []


def listens(listener: Listener) -> None:
    """`listener(account, reports)` is called in the transaction that takes reports in, again when they are replayed; it
    returns for each which of its deliveries it is about. Call this in AppConfig.ready().
    """
    _listeners.append(listener)


Aside = Callable[["Account", Sequence[Feedback]], "set[UUID]"]
_aside: list[Aside] = []


def sets_aside(hear: Aside) -> None:
    """`hear(account, reports)` returns the calls that were tests: what is reported of them is no event, though who opts
    out by them has opted out. Call this in AppConfig.ready().
    """
    _aside.append(hear)


def take(account: Account, reports: Sequence[Feedback]) -> list[bool]:
    """Take reports in, in the order they came. True for each that is news."""
    if not reports:
        return []
    with transaction.atomic():
        aside = _set_aside(account, reports)
        counted = [report for report in reports if report.key not in aside]
        news = _counted(account, counted) if counted else set()
    return [report.key in news | aside for report in reports]


def _set_aside(account: Account, reports: Sequence[Feedback]) -> set[str]:
    """The keys of reports of tests."""
    tests = {call for hear in _aside for call in hear(account, reports)}
    found = [report for report in reports if report.attempt in tests]
    for report in found:
        _obey(account, report)
    return {report.key for report in found}


def _counted(account: Account, reports: Sequence[Feedback]) -> set[str]:
    """The keys of those that are news."""
    abouts = _about(account, reports)
    fresh = _fresh(account, reports)
    news = {report.key: _happened(report, about) for report, about in zip(reports, abouts, strict=True)}
    events.store(account, [happened for key, happened in news.items() if key in fresh])
    for report in {report.key: report for report in reports if report.key in fresh}.values():
        _obey(account, report)
    return fresh


def _about(account: Account, reports: Sequence[Feedback]) -> list[About | None]:
    found: list[About | None] = [None] * len(reports)
    for listener in _listeners:
        found = [new or old for new, old in zip(listener(account, reports), found, strict=True)]
    return found


def _fresh(account: Account, reports: Sequence[Feedback]) -> set[str]:
    """The keys that the stream does not know yet. One at a time has them: the inbox locks what it hands out."""
    keys = {report.key for report in reports if report.event != SENT}
    known = Event.objects.for_account(account).filter(event_id__in=keys).values_list("event_id", flat=True)
    return keys - set(known)


def _happened(report: Feedback, about: About | None) -> events.Happened:
    properties: dict[str, Any] = {
        "campaign_id": about.campaign_id if about else report.campaign,
        "delivery_id": about.delivery_id if about else None,
        "url": report.url,
        "code": report.code,
        "bot": report.bot,
    }
    return events.Happened(
        event_id=report.key,
        type=f"{report.channel}.{report.event}",
        customer_id=report.customer,
        email=report.address if report.channel == Channel.EMAIL else "",
        phone=report.address if report.channel == Channel.SMS else "",
        occurred_at=report.at,
        properties={name: value for name, value in properties.items() if value},
    )


def _obey(account: Account, report: Feedback) -> None:
    """What a report means for whether the person may be written to."""
    said: dict[str, Any] = {
        "channel": report.channel,
        "address": report.address,
        "source": report.key.partition(":")[0],
        "proof": {"event": report.event, "key": report.key, **({"code": report.code} if report.code else {})},
    }
    if report.event in ENDING:
        consent.withdraw(account, **said)
    # Who opted out, or cannot be reached, is not signed up again by somebody else's list.
    elif report.event == "subscribed" and not consent.is_suppressed(
        account, channel=report.channel, address=report.address
    ):
        consent.grant(account, **said)
