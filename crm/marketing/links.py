"""What leads back to us out of a message: links that count clicks, a pixel that counts opening, and the way out.

A link's token names a delivery and the place of an address in its campaign's content, signed. So we lead only where the
merchant's message led, and nobody can use us to lend a strange address our name. Machines that look through mail are
told of as such and count for nothing.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.utils import timezone

from campaigns_project.refusals import Invalid, NotFound
from crm.customers import feedback
from crm.customers.feedback import Feedback
from crm.marketing.wording import filled, said_on
from crm.models import Delivery, Event
from providers.urls import check_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

LINK, PIXEL, OUT = "l", "o", "u"
# Nobody reads a message and follows a link of it within this, nor two different ones.
SWIFT = timedelta(seconds=2)
MOST_LINKS = 50
_SIGNER = Signer(salt="crm.links", sep=".")
# Gaps may stand in an address; what ends a sentence does not belong to it.
_URL = re.compile(r"https://[^\s<>\"'{}]+(?:\{\{[^{}]*\}\}[^\s<>\"'{}]*)*", re.IGNORECASE)
_AFTER = ".,;:!?)]"
_MACHINES = re.compile(
    r"bot\b|crawl|spider|scan|preview|barracuda|mimecast|proofpoint|safelinks|symantec|trendmicro|fireeye|forcepoint|"
    r"sophos|cloudmark|ironport|curl/|wget/|python-|java/|okhttp|go-http|headless|facebookexternalhit|slack|whatsapp/|"
    r"telegram|skype|googleother|google-safety|microsoft office|ms-office",
    re.IGNORECASE,
)


def out_url(delivery: int) -> str:
    """Where the person of a delivery unsubscribes, and says what else they want."""
    return _address(OUT, f"{delivery}")


def pixel_url(delivery: int) -> str:
    """A picture of one pixel; who loads it has opened the message."""
    return f"{_address(PIXEL, f'{delivery}')}.gif"


def tracker(delivery: int, content: Mapping[str, Any], channel: str) -> Callable[[str], str]:
    """What puts our link in the place of each https address of a text of this content; gaps are not filled yet."""
    places = {url: place for place, url in enumerate(urls_of(content, channel))}

    def tracked(text: str) -> str:
        return _URL.sub(lambda found: _ours(found[0]), text)

    def _ours(found: str) -> str:
        url = found.rstrip(_AFTER)
        place = places.get(url)
        return found if place is None else _address(LINK, f"{delivery}-{place}") + found[len(url) :]

    return tracked


def urls_of(content: Mapping[str, Any], channel: str) -> list[str]:
    """The https addresses of what is said on a channel, each once, as written."""
    said = said_on(content, channel)
    found = [url.rstrip(_AFTER) for key in ("body", "cta_url") for url in _URL.findall(said[key])]
    return list(dict.fromkeys(found))[:MOST_LINKS]


def delivery_of(token: str, kind: str) -> tuple[Delivery, int]:
    """The delivery of a token of that kind, and the place in it. Raises NotFound, whatever is wrong with it."""
    try:
        signed, _, name = _SIGNER.unsign(f"{token}").partition("_")
    except BadSignature:
        raise NotFound from None
    pk, _, place = name.partition("-")
    rows = Delivery.objects.select_related("account", "campaign__promo", "customer")
    delivery = rows.filter(pk=int(pk), customer__erased_at=None).first() if signed == kind else None
    if delivery is None or not delivery.address:
        raise NotFound
    return delivery, int(place or 0)


def follow(token: str, *, agent: str = "", looked_at: bool = False) -> str:
    """Where a link leads; the click is written down, as a machine's when it is `looked_at` only (HEAD). Raises
    NotFound.
    """
    delivery, place = delivery_of(token, LINK)
    urls = urls_of(delivery.campaign.content, delivery.channel)
    if place >= len(urls):
        raise NotFound
    try:
        target = check_url(filled(urls[place], _values(delivery)), schemes=("https",))
    except Invalid:
        raise NotFound from None
    now = timezone.now()
    with transaction.atomic():
        hasty = _is_hasty(delivery, place, now)
        _report(delivery, "clicked", f"click:{delivery.pk}:{place}", now, target, bot=looked_at or hasty or _is(agent))
    return target


def opened(token: str, *, agent: str = "") -> None:
    """The message was opened. Raises NotFound."""
    delivery, _ = delivery_of(token, PIXEL)
    now = timezone.now()
    _report(delivery, "opened", f"open:{delivery.pk}", now, bot=_is(agent) or _is_just_out(delivery, now))


def _report(delivery: Delivery, event: str, key: str, at: datetime, url: str = "", *, bot: bool) -> None:
    attempt = delivery.attempts.exclude(state="released").order_by("-pk").values_list("uuid", flat=True).first()
    # A machine's look is another event than the person's, who may come after it.
    key = f"machine:{key}" if bot else key
    report = Feedback(
        *(delivery.channel, event, delivery.address, at, key, attempt),
        campaign=delivery.campaign.public_id,
        url=url,
        bot=bot,
        customer=delivery.customer_id,
    )
    feedback.take(delivery.account, [report])


def _is_hasty(delivery: Delivery, place: int, now: datetime) -> bool:
    """Whether somebody follows links faster than a person; then what they followed just before was no person either."""
    if _is_just_out(delivery, now):
        return True
    Delivery.objects.select_for_update(no_key=True, of=("self",)).get(pk=delivery.pk)
    others = [f"click:{delivery.pk}:{n}" for n in range(MOST_LINKS) if n != place]
    keys = [*others, *(f"machine:{key}" for key in others)]
    clicks = Event.objects.for_account(delivery.account_id).filter(event_id__in=keys, occurred_at__gt=now - SWIFT)
    found = list(clicks)
    for click in found:
        click.properties["bot"] = True
        click.save(update_fields=["properties"])
        Delivery.objects.filter(pk=delivery.pk, clicked_at=click.occurred_at).update(clicked_at=None)
        Delivery.objects.filter(pk=delivery.pk, opened_at=click.occurred_at).update(opened_at=None)
    return bool(found)


def _is_just_out(delivery: Delivery, now: datetime) -> bool:
    """Whether it left, or was reported to be there, a moment ago."""
    calls = delivery.attempts.exclude(state="released").values_list("ended_at", "called_at")
    moments = [moment for call in calls for moment in call if moment]
    # That somebody opened it says that it was there, too; that is no report.
    if delivery.delivered_at and delivery.delivered_at not in (delivery.opened_at, delivery.clicked_at):
        moments.append(delivery.delivered_at)
    return any(moment > now - SWIFT for moment in moments)


def _is(agent: str) -> bool:
    """Whether this is how a machine calls itself."""
    return not agent.strip() or bool(_MACHINES.search(agent))


def _values(delivery: Delivery) -> dict[str, str]:
    promo, person = delivery.campaign.promo, delivery.customer
    said = {
        "first_name": person.first_name,
        "last_name": person.last_name,
        "merchant_name": delivery.account.name,
        "promo_code": promo.code if promo else "",
        "coupon_code": delivery.code or "",
    }
    return {name: quote(value, safe="") for name, value in said.items()}


def _address(kind: str, name: str) -> str:
    return f"{settings.PUBLIC_BASE_URL}/{kind}/{_SIGNER.sign(f'{kind}_{name}')}"
