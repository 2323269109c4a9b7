"""The demo's customers, and two campaigns to them: one that is over, with what came of it, and one under way."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from crm import events
from crm.audiences import refreshing, segments
from crm.customers import consent
from crm.marketing import campaigning, launching
from crm.models import Customer, Delivery, MarketingCampaign, Segment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from accounts.models import Account, User

PEOPLE = 120
NAMES = ("Amira", "Ben", "Chloé", "Dinesh", "Elif", "Femi", "Greta", "Hiro", "Ines", "Jonas", "Kofi", "Lena")
TIERS = ("bronze", "silver", "gold", "platinum")
LETTER, TASTING = "Letter of the roastery", "Autumn tasting"
# Whom the shop knows by face.
REGULARS = 12
# Of a hundred customers, so many come to each step.
VISITS = (("page.viewed", 90), ("cart.updated", 62), ("order.completed", 35), ("order.completed", 14))
# Of ten letters, so many go on to the next step.
ARRIVED, OPENED, CLICKED, ORDERED = 9, 6, 3, 1


def fill(shop: Account, *, by: User) -> None:
    """Make what is missing; a second time nothing is."""
    if MarketingCampaign.objects.for_account(shop).exists():
        return
    # In one transaction: no sender sees the letters before they are over.
    with transaction.atomic():
        _invite(shop)
        _visit(shop)
        gold = _segment(shop, "Gold and platinum", {"loyalty_tier": {"in": ["gold", "platinum"]}})
        readers = _segment(shop, "Readers of the letter", {"email_opt_in": True})
        _segment(shop, "Inactive 30+ days", {"last_order_days_ago": {"gte": 30}})
        some = Customer.objects.for_account(shop).order_by("pk").values_list("public_id", flat=True)[:REGULARS]
        segments.create(shop, name="Regulars of the counter", type="static", customer_ids=list(some))
        _finish(_letter(shop, readers, by=by), by=by)
        _tasting(shop, gold, by=by)


def _invite(shop: Account) -> None:
    """Customers of every tier; of ten, seven take e-mail, four SMS, and one has changed their mind."""
    for number in range(PEOPLE):
        customer = Customer.objects.create(
            account=shop,
            external_id=f"demo-{number}",
            first_name=NAMES[number % len(NAMES)],
            email=f"guest{number}@example.com",
            phone=f"+1556{number:07d}",
            country=("US", "GB", "DE")[number % 3],
            loyalty_tier=TIERS[number % len(TIERS)],
        )
        for channel, share in (("email", 7), ("sms", 4)):
            said: dict[str, Any] = {"channel": channel, "source": "sign-up form", "customer": customer}
            address = consent.address_of(customer, channel)
            if number % 10 < share:
                consent.grant(shop, address=address, **said)
            if number % 10 == 0:
                consent.withdraw(shop, address=address, **said)


def _visit(shop: Account) -> None:
    """What the customers did in the shop: fewer at each step, some of them long ago."""
    now = timezone.now()
    happened = []
    for place, person in enumerate(Customer.objects.for_account(shop).filter(external_id__startswith="demo-")):
        came = now - timedelta(days=45 if place % 6 == 0 else 20, hours=place)
        for step, (kind, share) in enumerate(VISITS):
            if place * 37 % 100 >= share:
                break
            order: dict[str, Any] = {"value_minor": 1_400, "currency": shop.currency} if kind == events.ORDER else {}
            name, at = f"demo-visit-{place}-{step}", came + timedelta(hours=step)
            happened.append(events.Happened(name, kind, person.pk, occurred_at=at, **order))
    events.store(shop, happened)


def _segment(shop: Account, name: str, criteria: dict[str, Any]) -> Segment:
    segment = segments.create(shop, name=name, type="dynamic", criteria=criteria)
    refreshing.refresh(segment)
    segment.refresh_from_db()
    return segment


def _letter(shop: Account, segment: Segment, *, by: User) -> MarketingCampaign:
    content = {
        "subject": "{{first_name|Hello}}, new beans are in",
        "body": "Hi {{first_name|there}},\n\nthe first lot from Yirgacheffe came out of the drum this morning.",
        "cta_text": "See the beans",
        "cta_url": "https://example.com/beans",
    }
    campaign = campaigning.create(
        shop,
        by=by,
        may_make_promos=True,
        name=LETTER,
        type="newsletter",
        channels=["email"],
        segment=segment,
        content=content,
        holdout_percent=5,
    )
    return launching.launch(campaign, by=by)


def _finish(campaign: MarketingCampaign, *, by: User) -> None:
    """Walk the letters along the drawn edges, as reports would, and let some people order."""
    rows = Delivery.objects.of(campaign)
    sent = rows.queued().order_by("id")
    ids = list(sent.values_list("pk", flat=True))
    for verb in ("begin", "sent"):
        rows.filter(pk__in=ids).transition(verb)
    at = timezone.now() - timedelta(hours=2)
    rows.filter(pk__in=_share(ids, ARRIVED)).transition("delivered", delivered_at=at)
    rows.filter(pk__in=_share(ids, OPENED)).transition("read", opened_at=at)
    rows.filter(pk__in=_share(ids, CLICKED)).update(clicked_at=at)
    rows.exclude(pk__in=_share(ids, ARRIVED)).filter(pk__in=ids).transition("not_delivered", error_code="550")
    for row in rows.filter(pk__in=_share(ids, ORDERED)):
        events.record(
            campaign.account,
            type="order.completed",
            event_id=f"demo-order-{row.pk}",
            customer_id=row.customer_id,
            value_minor=1_850,
            currency=campaign.account.currency,
            properties={"order_id": f"demo-{row.pk}"},
        )
    launching.complete(campaign, by=by)


def _share(ids: list[int], of_ten: int) -> Iterable[int]:
    return [pk for place, pk in enumerate(ids) if place % 10 < of_ten]


def _tasting(shop: Account, segment: Segment, *, by: User) -> None:
    campaign = campaigning.create(
        shop,
        by=by,
        may_make_promos=True,
        name=TASTING,
        type="promotion",
        channels=["email", "sms"],
        segment=segment,
        audience="live",
        ends_at=timezone.now() + timedelta(days=14),
        promo_code="TASTING20",
        promo_discount_percent=20_00,
        content={
            "subject": "Taste autumn with us",
            "body": "Three coffees, three cakes, one afternoon. {{promo_code}} takes 20 % off.",
            "cta_text": "Book a seat",
            "cta_url": "https://example.com/tasting",
        },
    )
    launching.launch(campaign, by=by)
