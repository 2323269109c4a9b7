"""A row of every kind that operators look at, and operators of every kind."""

from django.contrib import admin
from django.contrib.auth.models import Group
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from accounts.models import Account, Approval, Connection, User
from accounts.roles import Role
from campaigns.models import (
    Broadcast,
    Campaign,
    CampaignLead,
    CampaignLeadMessage,
    Click,
    ConversationUser,
    Message,
    MessageAttempt,
    SubmissionAttempt,
)
from campaigns_project.models import AuditEntry, Job
from coupons.models import Coupon, CouponCampaign, CouponUse, ShopifyAttempt, ShopifyBatch, ShopifyDiscount
from crm.models import (
    ConsentEntry,
    Customer,
    Delivery,
    DeliveryAttempt,
    Event,
    MarketingCampaign,
    Order,
    Product,
    Promo,
    PromoUse,
    PushSubscription,
    Segment,
    Suppression,
    Trial,
    Variant,
    WebhookDelivery,
    WebhookEndpoint,
)
from dispatch.models import InboxEntry, Owner, Pace, WebhookConnection
from lifecycle.models import Lease
from tests import factories as made
from tests.coupons import factories as coupons_made
from tests.crm import catalogue_world as catalogue

SAID = b"MessageSid=SMfake1&MessageStatus=delivered&AuthToken=hush"


def attempt(model, row, n=0, **fields):
    names = {"state": "unknown", "sender": f"+1555{n}", "address": row.phone if hasattr(row, "phone") else str(row.pk)}
    return model.objects.create(account=row.account, row=row, owner=1, **{**names, **fields})


def inbox_entry(account, n=0, **fields):
    names = {"kind": "status", "body": SAID, "headers": {"X-Twilio-Signature": "sealed", "User-Agent": "Twilio"}}
    return InboxEntry.objects.create(account=account, provider="twilio", dedupe_key=f"key{n}", **{**names, **fields})


def shopify_discount(account):
    campaign = coupons_made.CouponCampaignFactory(account=account)
    return ShopifyDiscount.objects.create(account=account, campaign=campaign, shop="harbor")


def shopify_batch(account):
    return ShopifyBatch.objects.create(account=account, discount=shopify_discount(account), codes=["A1"])


MAKE = {
    Account: lambda account, n: account,
    User: lambda account, n: made.MembershipFactory(account=account).user,
    Connection: lambda account, n: made.ConnectionFactory(account=made.AccountFactory() if n else account),
    Approval: lambda account, n: made.ApprovalFactory(account=account),
    AuditEntry: lambda account, n: AuditEntry.objects.create(account=account, action="x", target=f"row {n}"),
    Job: lambda account, n: Job.objects.create(account=account, kind="lead_import", params={"token": "hush"}),
    Campaign: lambda account, n: made.CampaignFactory(account=account, status="approved"),
    CampaignLead: lambda account, n: made.CampaignLeadFactory(account=account),
    CampaignLeadMessage: lambda account, n: made.CampaignLeadMessageFactory(account=account, status="sending"),
    Broadcast: lambda account, n: made.BroadcastFactory(account=account, status="sending"),
    MessageAttempt: lambda account, n: attempt(
        MessageAttempt, made.CampaignLeadMessageFactory(account=account, status="sending"), n
    ),
    SubmissionAttempt: lambda account, n: attempt(SubmissionAttempt, made.CampaignFactory(account=account), n),
    ConversationUser: lambda account, n: made.ConversationUserFactory(account=account),
    Message: lambda account, n: Message.objects.create(
        account=account, conversation_user=made.ConversationUserFactory(account=account), body="Hi " * 40
    ),
    Click: lambda account, n: Click.objects.create(
        account=account, message=made.CampaignLeadMessageFactory(account=account), url="https://shop.example/"
    ),
    Customer: lambda account, n: made.CustomerFactory(account=account),
    ConsentEntry: lambda account, n: ConsentEntry.objects.create(
        account=account, channel="whatsapp", act="granted", source="form"
    ),
    Suppression: lambda account, n: Suppression.objects.create(
        account=account, channel="whatsapp", address_hash=f"{n:064d}", reason="opted_out"
    ),
    Segment: lambda account, n: made.SegmentFactory(account=account, type="dynamic"),
    Product: lambda account, n: catalogue.ProductFactory(account=account),
    Variant: lambda account, n: catalogue.VariantFactory(product=catalogue.ProductFactory(account=account)),
    Order: lambda account, n: catalogue.OrderFactory(account=account),
    Promo: lambda account, n: made.PromoFactory(account=account),
    MarketingCampaign: lambda account, n: made.MarketingCampaignFactory(account=account, status="active"),
    Delivery: lambda account, n: made.DeliveryFactory(account=account, status="sending"),
    DeliveryAttempt: lambda account, n: attempt(
        DeliveryAttempt, made.DeliveryFactory(account=account, status="sending"), n
    ),
    PushSubscription: lambda account, n: made.PushSubscriptionFactory(customer=made.CustomerFactory(account=account)),
    Trial: lambda account, n: made.TrialFactory(account=account),
    PromoUse: lambda account, n: made.PromoUseFactory(promo=made.PromoFactory(account=account)),
    WebhookEndpoint: lambda account, n: made.WebhookEndpointFactory(account=account),
    WebhookDelivery: lambda account, n: made.WebhookDeliveryFactory(
        endpoint=made.WebhookEndpointFactory(account=account)
    ),
    CouponCampaign: lambda account, n: coupons_made.CouponCampaignFactory(account=account),
    CouponUse: lambda account, n: coupons_made.CouponUseFactory(coupon__campaign__account=account),
    ShopifyDiscount: lambda account, n: shopify_discount(account),
    ShopifyBatch: lambda account, n: shopify_batch(account),
    ShopifyAttempt: lambda account, n: attempt(ShopifyAttempt, shopify_batch(account), n),
    Coupon: lambda account, n: coupons_made.CouponFactory(campaign__account=account),
    Event: lambda account, n: Event.objects.create(
        account=account, type="email.opened", event_id=f"e{n}", occurred_at="2026-11-01T10:00Z"
    ),
    InboxEntry: inbox_entry,
    WebhookConnection: lambda account, n: WebhookConnection.objects.create(account=account, provider=f"provider {n}"),
    Owner: lambda account, n: Owner.objects.create(provider="twilio", pid=n, host="here"),
    Pace: lambda account, n: Pace.objects.create(provider="twilio", sender=f"+1555{n}"),
    Lease: lambda account, n: Lease.objects.create(account_id=account.pk, queue="whatsapp", scope_id=n, lo=1, hi=9),
    Group: lambda account, n: Group.objects.create(name=f"group {n}"),
    PeriodicTask: lambda account, n: PeriodicTask.objects.create(
        name=f"task {n}", task="dispatch.tasks.sweep", interval=IntervalSchedule.objects.create(every=n + 9)
    ),
    IntervalSchedule: lambda account, n: IntervalSchedule.objects.create(every=n + 40, period="days"),
    CrontabSchedule: lambda account, n: CrontabSchedule.objects.create(minute=str(n)),
}
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
OF_THE_PLATFORM = {User, Owner, Pace, Group, PeriodicTask, IntervalSchedule, CrontabSchedule}
IDS = [model._meta.label_lower for model in MODELS]


def rows_of(model, account, numbers=(0,)):
    return [MAKE[model](account, n) for n in numbers]


def address(row_or_model, page="changelist", *args):
    meta = row_or_model._meta
    base = f"/admin/{meta.app_label}/{meta.model_name}/"
    return base if page == "changelist" else "/".join([f"{base}{row_or_model.pk}", page, *args, ""])


def operator(client, *groups, role=Role.PLATFORM_ADMIN, account=None, **fields):
    """A signed-in operator; without groups, one who may do everything."""
    user = made.UserFactory(is_staff=True, is_superuser=not groups, **fields)
    user.groups.set(Group.objects.filter(name__in=groups))
    made.MembershipFactory(user=user, role=role, **({"account": account} if account else {}))
    client.force_login(user)
    client.user = user
    return client


def said(response):
    return [str(message) for message in response.context["messages"]]
