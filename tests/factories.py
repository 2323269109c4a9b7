"""Rows for tests. A factory gets only the fact that matters; `status=` walks there along legal edges.

BroadcastFactory(status="paused")                 # draft → sending → paused, with its history
CampaignLeadFactory(campaign=campaign)            # in the campaign's account
MembershipFactory(role=Role.MARKETING).user
in_state(broadcast, "cancelled")                  # the same walk for a row that exists
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from typing import TYPE_CHECKING, Any

import factory
from django.utils import timezone

from accounts.models import Account, Approval, Connection, Membership, User
from accounts.roles import Role
from accounts.secrets import seal
from campaigns.models import (
    Broadcast,
    Campaign,
    CampaignLead,
    CampaignLeadMessage,
    CampaignType,
    ConversationUser,
    MessageAttempt,
    SkipReason,
)
from crm.customers.consent import address_hash, address_of, phone_hash
from crm.models import (
    Customer,
    Delivery,
    DeliveryAttempt,
    MarketingCampaign,
    Promo,
    PromoUse,
    PushSubscription,
    Segment,
    Trial,
    WebhookDelivery,
    WebhookEndpoint,
)
from providers.standard_webhooks import new_secret

if TYPE_CHECKING:
    from lifecycle.transition import Edge, Lifecycle, Machine

# What a verb needs to be told, where the database would refuse it otherwise or a caller always says it.
TOLD = {
    (Broadcast, "schedule"): lambda: {"scheduled_at": timezone.now() + dt.timedelta(days=1)},
    (Campaign, "approve"): lambda: {"enabled_at": timezone.now()},
    (CampaignLeadMessage, "skip"): lambda: {"skip_reason": SkipReason.CANCELLED},
    (MarketingCampaign, "schedule"): lambda: {"starts_at": timezone.now() + dt.timedelta(days=1)},
    (Delivery, "skip"): lambda: {"skip_reason": "ended"},
}


def told(model: type[Lifecycle], verb: str) -> dict[str, Any]:
    """The fields that `verb` is called with in tests."""
    return TOLD.get((model, verb), dict)()


def way(machine: Machine, start: str, end: str) -> list[Edge]:
    """The shortest legal way from one state to another. Raises LookupError when there is none."""
    ways: deque[tuple[str, list[Edge]]] = deque([(start, [])])
    seen = {start}
    while ways:
        here, taken = ways.popleft()
        if here == end:
            return taken
        fresh = [edge for edge in machine.leading_on_from(here) if edge.target not in seen]
        seen |= {edge.target for edge in fresh}
        ways += [(edge.target, [*taken, edge]) for edge in fresh]
    raise LookupError(f"no legal way from {start} to {end}")


def in_state(instance: Any, status: str) -> Any:
    """Walk `instance` to `status`; returns it."""
    for edge in way(type(instance).machine, instance.status, status):
        getattr(instance, edge.verb)(**told(type(instance), edge.verb))
    return instance


class _Factory(factory.django.DjangoModelFactory):
    class Meta:
        abstract = True
        skip_postgeneration_save = True

    @classmethod
    def _generate(cls, strategy, params):
        # Rows handed in decide whose the new row is.
        owners = [value.account for value in params.values() if getattr(value, "account_id", None)]
        if owners and "account" not in params:
            params["account"] = owners[0]
        return super()._generate(strategy, params)

    @classmethod
    def _create(cls, model_class, *args, status=None, **fields):
        machine = getattr(model_class, "machine", None)
        if status is None or machine is None or status in machine.born:
            extra = {} if status is None else {"status": status}
            return super()._create(model_class, *args, **fields, **extra)
        return in_state(super()._create(model_class, *args, **fields), status)


class AccountFactory(_Factory):
    class Meta:
        model = Account

    name = factory.Sequence(lambda n: f"Merchant {n}")


class UserFactory(_Factory):
    """A person without a password; `password=` gives one."""

    class Meta:
        model = User

    email = factory.Sequence(lambda n: f"person{n}@example.test")
    name = factory.Sequence(lambda n: f"Person {n}")

    @classmethod
    def _create(cls, model_class, *args, **fields):
        return model_class.objects.create_user(*args, **fields)


class MembershipFactory(_Factory):
    class Meta:
        model = Membership

    account = factory.SubFactory(AccountFactory)
    user = factory.SubFactory(UserFactory)
    role = Role.TENANT_ADMIN


class ConnectionFactory(_Factory):
    """Twilio credentials, visibly fake."""

    class Meta:
        model = Connection

    account = factory.SubFactory(AccountFactory)
    provider = "twilio"
    external_id = factory.Sequence(lambda n: f"ACfake{n:028d}")
    sender = factory.Sequence(lambda n: f"+1555{n:07d}")
    sms_sender = factory.Sequence(lambda n: f"+1556{n:07d}")
    secret = factory.LazyFunction(lambda: {"auth_token": "fake-token"})


class ApprovalFactory(_Factory):
    class Meta:
        model = Approval

    account = factory.SubFactory(AccountFactory)
    kind = "broadcast"
    target_id = factory.Sequence(lambda n: n + 1)
    asked_by = factory.SubFactory(UserFactory)


class CustomerFactory(_Factory):
    class Meta:
        model = Customer

    account = factory.SubFactory(AccountFactory)
    phone = factory.Sequence(lambda n: f"+1444{n:07d}")
    first_name = factory.Sequence(lambda n: f"Customer {n}")


class PushSubscriptionFactory(_Factory):
    """A browser that nobody has."""

    class Meta:
        model = PushSubscription

    account = factory.SelfAttribute("customer.account")
    customer = factory.SubFactory(CustomerFactory)
    endpoint = factory.Sequence(lambda n: f"https://push.example.com/send/{n}")
    p256dh = "BNNL5ZaTfK81qhXOx23-wewhigUeFb632jN6LvRWCFH1ubQr77FE_9qV1FuojuRmHP42zmf34rXgW80OvUVDgTk"
    auth = "zqbxT6JKstKSY9JKibZLSQ"


class SegmentFactory(_Factory):
    """A static one with nobody in it; `type="dynamic"` finds gold customers."""

    class Meta:
        model = Segment

    account = factory.SubFactory(AccountFactory)
    name = factory.Sequence(lambda n: f"Segment {n}")
    type = "static"
    criteria = factory.LazyAttribute(lambda row: {"loyalty_tier": "gold"} if row.type == "dynamic" else {})
    version = factory.LazyAttribute(lambda row: int(row.type != "dynamic"))


class PromoFactory(_Factory):
    """10 % off everything, now and without limits."""

    class Meta:
        model = Promo

    account = factory.SubFactory(AccountFactory)
    code = factory.Sequence(lambda n: f"CODE{n}")
    type = "percentage"
    value = 1000
    valid_from = factory.LazyFunction(lambda: timezone.now() - dt.timedelta(days=1))


class PromoUseFactory(_Factory):
    """A line of the ledger; the promo's counters are not moved."""

    class Meta:
        model = PromoUse

    promo = factory.SubFactory(PromoFactory)
    account = factory.SelfAttribute("promo.account")
    order_id = factory.Sequence(lambda n: f"order-{n}")
    person = "somebody"
    order_amount = 10_000
    discount = 1_000
    redeemed_at = factory.LazyFunction(timezone.now)


class WebhookEndpointFactory(_Factory):
    """Wants everything."""

    class Meta:
        model = WebhookEndpoint

    account = factory.SubFactory(AccountFactory)
    url = "https://shop.example.com/webhooks"
    event_types = ["*"]
    sealed = factory.LazyFunction(lambda: seal({"now": new_secret()}))


class WebhookDeliveryFactory(_Factory):
    """Due now."""

    class Meta:
        model = WebhookDelivery

    endpoint = factory.SubFactory(WebhookEndpointFactory)
    account = factory.SelfAttribute("endpoint.account")
    type = "webhook.test"
    data = factory.LazyFunction(lambda: {"message": "hello"})


class CampaignFactory(_Factory):
    class Meta:
        model = Campaign

    account = factory.SubFactory(AccountFactory)
    name = factory.Sequence(lambda n: f"autumn_{n}")
    body = "Hi {{1}}, we are open again."
    content_type = "twilio/text"
    content_context = factory.LazyFunction(lambda: {"body": "Hi {{lead_name}}, we are open again."})
    variables = factory.LazyFunction(lambda: {"1": "lead_name"})
    variable_defaults = factory.LazyFunction(lambda: {"lead_name": "there"})
    campaign_type = CampaignType.MARKETING
    content_sid = factory.Sequence(lambda n: f"HXfake{n:028d}")


class ConversationUserFactory(_Factory):
    class Meta:
        model = ConversationUser

    account = factory.SubFactory(AccountFactory)
    phone = factory.Sequence(lambda n: f"+1666{n:07d}")
    address_hash = factory.LazyAttribute(lambda person: phone_hash(person.account.pk, person.phone))
    name = factory.Sequence(lambda n: f"Lead {n}")


class CampaignLeadFactory(_Factory):
    class Meta:
        model = CampaignLead

    account = factory.SubFactory(AccountFactory)
    campaign = factory.SubFactory(CampaignFactory, account=factory.SelfAttribute("..account"))
    conversation_user = factory.SubFactory(ConversationUserFactory, account=factory.SelfAttribute("..account"))


class BroadcastFactory(_Factory):
    """Of an approved, enabled campaign version unless another is given."""

    class Meta:
        model = Broadcast

    account = factory.SubFactory(AccountFactory)
    campaign = factory.SubFactory(CampaignFactory, account=factory.SelfAttribute("..account"), status="approved")


class CampaignLeadMessageFactory(_Factory):
    class Meta:
        model = CampaignLeadMessage

    account = factory.SubFactory(AccountFactory)
    broadcast = factory.SubFactory(BroadcastFactory, account=factory.SelfAttribute("..account"))
    campaign = factory.SelfAttribute("broadcast.campaign")
    campaign_lead = factory.SubFactory(
        CampaignLeadFactory,
        account=factory.SelfAttribute("..account"),
        campaign=factory.SelfAttribute("..campaign"),
        active=False,
    )
    conversation_user = factory.SelfAttribute("campaign_lead.conversation_user")
    campaign_name = factory.SelfAttribute("campaign.name")
    phone = factory.SelfAttribute("conversation_user.phone")
    address_hash = factory.SelfAttribute("conversation_user.address_hash")
    context = factory.LazyFunction(lambda: {"lead_name": "there"})
    skip_reason = factory.LazyAttribute(lambda row: SkipReason.OPTED_OUT if row.status == "skipped" else "")
    status = None


class MessageAttemptFactory(_Factory):
    """A call of which nobody knows the outcome, unless another `state` is given."""

    class Meta:
        model = MessageAttempt

    row = factory.SubFactory(CampaignLeadMessageFactory, status="sending")
    account = factory.SelfAttribute("row.account")
    sender = "+15550000000"
    address = factory.LazyAttribute(lambda attempt: getattr(attempt.row, "phone", None) or attempt.row.address)
    owner = 0
    state = "unknown"


class MarketingCampaignFactory(_Factory):
    """A newsletter by e-mail."""

    class Meta:
        model = MarketingCampaign

    account = factory.SubFactory(AccountFactory)
    name = factory.Sequence(lambda n: f"Newsletter {n}")
    type = "newsletter"
    channels = factory.LazyFunction(lambda: ["email"])
    content = factory.LazyFunction(lambda: {"subject": "News", "body": "We are open again."})


class DeliveryFactory(_Factory):
    """An e-mail to one customer."""

    class Meta:
        model = Delivery

    account = factory.SubFactory(AccountFactory)
    campaign = factory.SubFactory(MarketingCampaignFactory, account=factory.SelfAttribute("..account"))
    customer = factory.SubFactory(
        CustomerFactory,
        account=factory.SelfAttribute("..account"),
        email=factory.Sequence(lambda n: f"customer{n}@example.test"),
    )
    channel = factory.LazyAttribute(lambda row: row.campaign.channels[0])
    address = factory.LazyAttribute(lambda row: address_of(row.customer, row.channel))
    address_hash = factory.LazyAttribute(lambda row: address_hash(row.account.pk, row.channel, row.address))
    skip_reason = factory.LazyAttribute(lambda row: "no_consent" if row.status == "skipped" else "")
    status = None


class TrialFactory(_Factory):
    """A test message that waits."""

    class Meta:
        model = Trial

    account = factory.SubFactory(AccountFactory)
    campaign = factory.SubFactory(MarketingCampaignFactory, account=factory.SelfAttribute("..account"))
    channel = "email"
    address = factory.Sequence(lambda n: f"colleague{n}@example.test")
    address_hash = factory.LazyAttribute(lambda row: address_hash(row.account.pk, row.channel, row.address))

    @classmethod
    def _create(cls, model_class, *args, **fields):
        return model_class.objects.create(*args, **fields)


class DeliveryAttemptFactory(MessageAttemptFactory):
    class Meta:
        model = DeliveryAttempt

    row = factory.SubFactory(DeliveryFactory, status="sending")
    sender = "shop@example.test"
