"""One of everything for an account: each row has the account's number as its id, each text the account's mark."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.scoping import Owned
from campaigns import media
from campaigns_project.models import AuditEntry, Job
from crm import events
from crm.audiences import segments
from crm.customers import consent
from dispatch.models import InboxEntry, WebhookConnection, WebhookSecret
from tests import factories
from tests.architecture.coupon_world import build_coupons
from tests.crm import catalogue_world
from tests.providers.test_images import picture

if TYPE_CHECKING:
    from accounts.models import Membership

# Ours, our neighbour's, and of no object at all.
OURS, THEIRS, NOBODYS = 7_000_000, 7_000_001, 7_000_002
OWNED = [model for model in apps.get_models() if issubclass(model, Owned)] + [Job, AuditEntry]


def mark(owner: int) -> str:
    """What stands in every text of the owner's."""
    return f"mark-of-{owner}"


def phone(owner: int) -> str:
    return f"+1555{owner}"


def job_id(owner: int) -> str:
    return f"job_{owner:016}"


def customer_id(owner: int) -> str:
    return f"cust_{owner:016}"


def subscription_id(owner: int) -> str:
    return f"push_{owner:016}"


def use_id(owner: int) -> str:
    return f"red_{owner:016}"


def endpoint_id(owner: int) -> str:
    return f"whe_{owner:016}"


def product_id(owner: int) -> str:
    return f"prod_{owner:016}"


def order_id(owner: int) -> str:
    return f"ord_{owner:016}"


def webhook_id(owner: int) -> str:
    return f"msg_{owner:016}"


def marketing_id(owner: int) -> str:
    return f"camp_{owner:016}"


def segment_id(owner: int) -> str:
    return f"seg_{owner:016}"


# The providers everybody hears from.
HEARD = ("sendgrid", "mailchimp", "hubspot")


def webhook_token(owner: int, provider: str) -> str:
    return f"{HEARD.index(provider)}{owner:021}"


def marks(owner: int) -> tuple[str, ...]:
    """What no answer to anybody else may hold; the id itself may, where the caller said it."""
    return mark(owner), phone(owner)[1:], f"ACfake{owner:028d}"


def build(owner: int = THEIRS) -> Membership:
    """The account with everything in it; returns the membership of its person, who is its tenant_admin."""
    own: dict[str, Any] = {"pk": owner}
    account = factories.AccountFactory(**own, name=mark(owner), uuid=uuid.UUID(int=owner))
    owned = {**own, "account": account}
    user = factories.UserFactory(**own, email=f"{mark(owner)}@example.test", name=mark(owner))
    membership = factories.MembershipFactory(**owned, user=user)
    factories.ConnectionFactory(**owned, external_id=f"ACfake{owner:028d}", sender=phone(owner))
    factories.ApprovalFactory(**owned, asked_by=user, target_id=owner, summary={"name": mark(owner), "people": 1})
    AuditEntry.objects.create(**owned, action="look", target=mark(owner), actor=user)
    customer = factories.CustomerFactory(
        **owned, first_name=mark(owner), phone=phone(owner), public_id=customer_id(owner)
    )
    factories.PushSubscriptionFactory(
        **owned,
        customer=customer,
        public_id=subscription_id(owner),
        endpoint=f"https://push.example.com/{mark(owner)}",
    )
    campaign = factories.CampaignFactory(**owned, name=mark(owner), body=mark(owner), status="approved")
    person = factories.ConversationUserFactory(
        **owned, phone=phone(owner), name=mark(owner), customer=customer,
        address_hash=consent.phone_hash(account.pk, phone(owner)),
    )  # fmt: skip
    lead = factories.CampaignLeadFactory(
        **owned, campaign=campaign, conversation_user=person, custom_variables={"note": mark(owner)}
    )
    broadcast = factories.BroadcastFactory(**owned, campaign=campaign, preflight=PREFLIGHT)
    message = factories.CampaignLeadMessageFactory(
        **owned, broadcast=broadcast, campaign_lead=lead, context={"body": mark(owner)}
    )
    factories.MessageAttemptFactory(
        **owned, row=message, uuid=uuid.UUID(int=owner), detail=mark(owner), state="released"
    )
    Job.objects.create(**owned, public_id=job_id(owner), kind=mark(owner), message=mark(owner))
    consent.withdraw(account, channel="whatsapp", address=phone(owner), source=mark(owner))
    segment = factories.SegmentFactory(**owned, name=mark(owner), public_id=segment_id(owner))
    segments.add_known(segment, [customer.pk])
    promo = factories.PromoFactory(
        **owned, code=str(owner), public_id=f"promo_{owner:016}", applies_to={"items": [mark(owner)]}, used=1
    )
    for provider in HEARD:
        hears = WebhookConnection.objects.create(
            account=account, provider=provider, token=webhook_token(owner, provider)
        )
        secret = WebhookSecret(account=account, webhook=hears, fingerprint=f"{provider} {mark(owner)}")
        secret.text = mark(owner)
        secret.save()
    InboxEntry.objects.create(
        **owned, provider="sendgrid", kind="event", dedupe_key=mark(owner), body=b'{"event_type": "email.opened"}'
    )
    marketing = factories.MarketingCampaignFactory(
        **owned, name=mark(owner), public_id=marketing_id(owner), segment=segment, content={"body": mark(owner)}
    )
    delivery = factories.DeliveryFactory(**owned, campaign=marketing, customer=customer, address=phone(owner))
    factories.DeliveryAttemptFactory(**owned, row=delivery, uuid=uuid.UUID(int=owner), state="released")
    factories.TrialFactory(**owned, campaign=marketing, address=f"{mark(owner)}@example.test")
    factories.PromoUseFactory(**owned, promo=promo, public_id=use_id(owner), order_id=mark(owner), person=mark(owner))
    endpoint = factories.WebhookEndpointFactory(**owned, public_id=endpoint_id(owner), description=mark(owner))
    factories.WebhookDeliveryFactory(
        **owned, endpoint=endpoint, public_id=webhook_id(owner), response_body=mark(owner), next_try_at=None
    )
    product = catalogue_world.ProductFactory(
        **owned, public_id=product_id(owner), external_id=str(owner), name=mark(owner)
    )
    catalogue_world.VariantFactory(**owned, product=product, external_id=str(owner), name=mark(owner))
    catalogue_world.OrderFactory(**owned, public_id=order_id(owner), external_id=mark(owner), customer=customer)
    build_coupons(account, mark(owner))
    events.record(account, type="order.completed", event_id=mark(owner), phone=phone(owner))
    return membership


PREFLIGHT = {
    "audience": 1,
    "skips": {},
    "missing_variables": [],
    "template_status": "approved",
    "estimated_cost": {"amount": 7, "currency": "USD"},
    "can_start": True,
}


def picture_of(membership: Membership) -> str:
    """A stored picture of the account's template; its path below the media."""
    upload = SimpleUploadedFile("x.png", picture("PNG"), "image/png")
    return media.store(membership.account, membership.account.pk, upload)


# How often somebody was refused is no belonging.
COUNTED = {"refused", "refused_at"}


def belongings(account: Any) -> dict[str, list[str]]:
    """Everything an account owns, as it stands."""
    kept = {model: [field.attname for field in model._meta.concrete_fields] for model in OWNED}
    return {
        model.__name__: sorted(map(str, model.objects.filter(account=account).values(*(set(names) - COUNTED))))
        for model, names in kept.items()
    }
