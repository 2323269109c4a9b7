"""Demo data that tells a story: a coffee shop in full swing, its neighbour, and who operates the platform.

Filling it in twice changes nothing but one thing: when no broadcast is on its way, a new one starts. Templates that are
sent are really approved, by the sandbox; a real provider is never asked.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.connections import connect
from accounts.models import Account, Connection, Membership, User
from accounts.roles import Role
from campaigns import approval, authoring, broadcasting, leads
from campaigns.models import Broadcast, Campaign, CampaignLead, CampaignLeadMessage, CampaignStatus, ConversationUser
from campaigns_project import demo_campaigns, demo_coupons
from crm.customers import consent
from crm.webhooks_in.door import address_of
from dispatch.keyring import connection_of
from providers.base import Accepted, ApprovalState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lifecycle.transition import Actor

PASSWORD = "demo-password-1"  # noqa: S105 (printed for everybody to read)
HERE = {"127.0.0.1", "localhost", "::1"}
TOKEN = "sandbox-fake-token"  # noqa: S105 (the sandbox takes any)
PEOPLE = 12_000
# So that it moves for ten minutes.
PER_SECOND = 20
# How long the sandbox may take to review.
PATIENCE = 12.0

NAMES = ("Amira", "Ben", "Chloé", "Dinesh", "Elif", "Femi", "Greta", "Hiro", "Ines", "Jonas", "Kofi", "Lena")
# The sandbox fails to bring messages to these numbers, each for its own reason.
UNREACHABLE = ("+15006063024", "+15006063032", "+15007063021")

RUNNING, FINISHED, PAUSED = "autumn_menu", "loyalty_week", "winter_blend"
# What everybody is sent at each later start: marketing they would get once in 24 hours.
AGAIN = "order_ready"
# The rest of the shop's templates: (name, what WhatsApp has said so far, its reason).
IN_EVERY_STATE = (
    ("gift_cards", "", ""),
    ("barista_course", "received", ""),
    ("brunch_invite", "pending", ""),
    ("free_everything", "rejected", "The text promises something that looks misleading."),
    ("summer_cooler", "paused", "People reported this message."),
    ("flash_sale", "disabled", "Too many people blocked this message."),
    ("spring_opening", "archived", ""),
)
# Of a hundred messages of the finished broadcast, so many end like this; the rest is read.
OUTCOMES = (("delivered", 40), ("sent", 3), ("undelivered", 4), ("failed", 2))
WALKS = {
    "delivered": ("sent", "delivered"),
    "sent": ("sent",),
    "undelivered": ("sent", "not_delivered"),
    "failed": ("fail",),
    "read": ("sent", "delivered", "read"),
}
CODES = {"fail": "63016", "not_delivered": "63024"}


class DemoRefused(RuntimeError):  # noqa: N818 (it is what happened)
    """The demo cannot be filled in here; the message says why."""


@dataclass(frozen=True)
class Merchant:
    """One of the accounts, and who signs in to it."""

    name: str
    email: str
    role: Role
    sender: str = ""
    is_staff: bool = False

    @property
    def uuid(self) -> uuid.UUID:
        return uuid.uuid5(uuid.NAMESPACE_DNS, self.email)

    @property
    def account_sid(self) -> str:
        """Visibly fake, and only the sandbox takes it."""
        return f"ACfake{self.sender[1:]:0>28}"

    @property
    def api_key(self) -> str:
        """Of SendGrid; visibly fake as well."""
        return f"SG.fake-{self.sender[1:]}.not-a-secret"


HARBOR = Merchant("Harbor Coffee", "merchant@demo.test", Role.TENANT_ADMIN, "+14155238886")
NEIGHBOUR = Merchant("Next Door Noodles", "neighbour@demo.test", Role.TENANT_ADMIN, "+14155238887")
PLATFORM = Merchant("Campaigns Platform", "operator@demo.test", Role.PLATFORM_ADMIN, is_staff=True)


def fill() -> None:
    """Make what is missing. Raises DemoRefused where a real provider would be asked, or the sandbox is silent."""
    asked = (settings.TWILIO_API_URL, settings.TWILIO_CONTENT_URL, settings.SENDGRID_API_URL)
    if not {urlsplit(url).hostname for url in asked} <= HERE:
        raise DemoRefused("The demo sends for itself, so it is only filled in where providers are the sandbox.")
    with transaction.atomic():
        for merchant in (HARBOR, NEIGHBOUR, PLATFORM):
            _open(merchant)
    shop = Account.objects.get(uuid=HARBOR.uuid)
    owner = User.objects.get(email=HARBOR.email)
    if not Campaign.objects.for_account(shop).filter(name=RUNNING).exists():
        _furnish(shop, by=owner)
    demo_campaigns.fill(shop, by=owner)
    demo_coupons.fill(shop, by=owner)
    if not Broadcast.objects.for_account(shop).sending().exists():
        _send_again(shop, by=owner)


def _open(merchant: Merchant) -> None:
    if Account.objects.filter(uuid=merchant.uuid).exists():
        return
    account = Account.objects.create(uuid=merchant.uuid, name=merchant.name, phone=merchant.sender)
    user = User.objects.create_user(
        merchant.email,
        PASSWORD,
        name=merchant.name,
        is_staff=merchant.is_staff,
        is_superuser=merchant.is_staff,
    )
    Membership.objects.create(account=account, user=user, role=merchant.role)
    if merchant.sender:
        connect(
            account,
            "twilio",
            external_id=merchant.account_sid,
            sender=merchant.sender,
            sms_sender=merchant.sender,
            secret={"auth_token": TOKEN},
            by=user,
        )
        _connect_mail(account, merchant, by=user)
    authoring.onboard(account)


def _connect_mail(account: Account, merchant: Merchant, *, by: User) -> None:
    """E-mail leaves through the sandbox, which tells what becomes of it."""
    headers = {"Authorization": f"Bearer {merchant.api_key}"}
    hook = f"{settings.SENDGRID_API_URL}/user/webhooks/event/settings"
    where = {"enabled": True, "url": address_of(connection_of(account, "sendgrid"))}
    requests.patch(hook, json=where, headers=headers, timeout=PATIENCE).raise_for_status()
    signed = requests.patch(f"{hook}/signed", json={"enabled": True}, headers=headers, timeout=PATIENCE)
    signed.raise_for_status()
    connect(
        account,
        "sendgrid",
        external_id=merchant.api_key.rpartition(".")[0],
        sender=f"hello@{merchant.email.partition('@')[0]}.example.com",
        sender_name=merchant.name,
        secret={"api_key": merchant.api_key, "webhook_public_key": signed.json()["public_key"]},
        by=by,
        rate_per_second=PER_SECOND,
    )


def _furnish(shop: Account, *, by: User) -> None:
    """The shop's templates, one in each state, and what has been sent so far."""
    with transaction.atomic():
        sent = [_write(shop, name, by) for name in (RUNNING, FINISHED, PAUSED)]
        _approve(sent)
        for name, word, reason in IN_EVERY_STATE:
            _say(_write(shop, name, by), word, reason)
        _invite(sent[0], range(PEOPLE - len(UNREACHABLE)), UNREACHABLE)
        _finish(sent[1], by=by)
        _pause(sent[2], by=by)


def _send_again(shop: Account, *, by: User) -> None:
    """Everybody hears something, for whoever looks now: the autumn menu at first, later that their order is ready."""
    own = Campaign.objects.for_account(shop)
    campaign = own.get(name=RUNNING)
    with transaction.atomic():
        if Broadcast.objects.for_account(shop).filter(campaign=campaign).exists():
            campaign = own.filter(name=AGAIN).first() or _order_ready(shop, by)
        CampaignLead.objects.of(campaign).update(active=True)
        broadcast = broadcasting.draft(campaign, by=by, rate_per_second=PER_SECOND)
        broadcasting.start(broadcast, by=by)


def _order_ready(shop: Account, by: User) -> Campaign:
    campaign = _write(shop, AGAIN, by, campaign_type="service")
    _approve([campaign])
    _invite(campaign, range(PEOPLE - len(UNREACHABLE)), UNREACHABLE)
    return campaign


def _write(shop: Account, name: str, by: Actor, *, campaign_type: str = "marketing") -> Campaign:
    words = "your order to be fetched" if name == AGAIN else f"our {name.replace('_', ' ')}"
    return authoring.create(
        shop,
        by=by,
        name=name,
        content_type="twilio/text",
        content_context={"body": f"Hi {{{{lead_name}}}}, it is time for {words}. See you at {{{{merchant_name}}}}!"},
        campaign_type=campaign_type,
        variable_defaults={"lead_name": "there"},
    )


def _approve(campaigns: Iterable[Campaign]) -> None:
    """Hand the versions in at the sandbox and wait for its word."""
    waiting = list(campaigns)
    for campaign in waiting:
        connection = Connection.objects.for_account(campaign.account).get(provider="twilio")
        taken = approval.hand_in(campaign.pk, connection.pk)
        if not isinstance(taken, Accepted):
            raise DemoRefused(f"The sandbox does not take a template: {taken}")
        campaign.receive(content_sid=taken.provider_id, submitted_at=Now())
    deadline = time.monotonic() + PATIENCE
    while waiting := [campaign for campaign in waiting if campaign.status != CampaignStatus.APPROVED]:
        if time.monotonic() > deadline:
            raise DemoRefused(f"The sandbox has not approved {waiting[0]}.")
        time.sleep(0.1)
        for campaign in waiting:
            approval.ask(campaign)


def _say(campaign: Campaign, word: str, reason: str) -> None:
    """Walk a version to WhatsApp's word. It has no content at the sandbox, so nobody asks there again."""
    if word == "archived":
        authoring.archive(campaign, by=None)
    elif word:
        campaign.receive(submitted_at=Now())
        approval.take(campaign, ApprovalState(status=word, rejection_reason=reason, category="MARKETING"))


def _invite(campaign: Campaign, numbers: range, more: Iterable[str] = ()) -> None:
    phones = [f"+1555{number:07d}" for number in numbers] + list(more)
    account = campaign.account
    ConversationUser.objects.bulk_create(
        [
            ConversationUser(
                account=account,
                phone=phone,
                address_hash=consent.phone_hash(account.pk, phone),
                name=NAMES[index % len(NAMES)],
            )
            for index, phone in enumerate(phones)
        ],
        batch_size=5_000,
        ignore_conflicts=True,
    )
    leads.upsert(campaign, {phone: {} for phone in phones})


def _finish(campaign: Campaign, *, by: User) -> None:
    """A broadcast that is over, with every outcome there is."""
    for number in (7, 11):
        phone = f"+1555{number:07d}"
        consent.withdraw(campaign.account, channel="whatsapp", address=phone, source="inbound", proof={"body": "STOP"})
    _invite(campaign, range(300))
    broadcast = _started(campaign, by=by)
    _reach(CampaignLeadMessage.objects.of(broadcast).queued().order_by("id"))
    broadcast.complete(ended_at=Now())


def _pause(campaign: Campaign, *, by: User) -> None:
    """A broadcast that somebody stopped in the middle."""
    _invite(campaign, range(500, 900))
    broadcast = _started(campaign, by=by)
    queued = CampaignLeadMessage.objects.of(broadcast).queued().order_by("id")
    _reach(queued.filter(pk__in=list(queued.values_list("pk", flat=True)[:150])))
    broadcasting.pause(broadcast, by=by, reason="A wrong price on the menu")


def _started(campaign: Campaign, *, by: User) -> Broadcast:
    broadcast = broadcasting.draft(campaign, by=by)
    return broadcasting.start(broadcast, by=by)


def _reach(queued: Any) -> None:
    """Walk messages along the drawn edges to their outcomes, as callbacks would."""
    ids = list(queued.values_list("pk", flat=True))
    rows = CampaignLeadMessage.objects
    rows.filter(pk__in=ids).transition("begin")
    for ending, chosen in _shared_out(ids):
        for verb in WALKS[ending]:
            code: dict[str, Any] = {"error_code": CODES[verb]} if verb in CODES else {}
            rows.filter(pk__in=chosen).transition(verb, **code)
        if ending == "read":
            rows.filter(pk__in=chosen[::8]).update(replied_at=timezone.now(), clicked_at=timezone.now())


def _shared_out(ids: list[int]) -> Iterable[tuple[str, list[int]]]:
    bounds, start = [], 0
    for ending, percent in OUTCOMES:
        bounds.append((ending, start, start + percent))
        start += percent
    for ending, low, high in [*bounds, ("read", start, 100)]:
        yield ending, [pk for place, pk in enumerate(ids) if low <= place % 100 < high]
