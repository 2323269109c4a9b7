"""One person's message of one send (seed: whatsapp-campaigns › CampaignLeadMessage), attempts and clicks."""

from __future__ import annotations

from enum import nonmember

from django.db import models
from django.db.models.functions import Now

from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from campaigns.models.broadcast import Broadcast
from campaigns.models.campaign import Campaign
from campaigns.models.conversation import ConversationUser, Message
from campaigns.models.lead import CampaignLead
from dispatch.models import Attempt, attempt_constraints, attempt_indexes
from lifecycle.guard import guarded
from lifecycle.transition import Lifecycle, LifecycleQuerySet, StatusField, transition


class MessageStatus(models.TextChoices):
    QUEUED = "queued"
    SENDING = "sending"
    SKIPPED = "skipped"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    UNDELIVERED = "undelivered"

    # Has, or may have, reached the person.
    TAKEN = nonmember(("sending", "sent", "delivered", "read", "undelivered"))
    OPEN = nonmember(("queued", "sending"))
    FINAL = nonmember(("skipped", "read", "failed", "undelivered"))


class SkipReason(models.TextChoices):
    MISSING_VARIABLE = "missing_variable"
    ALREADY_SENT = "already_sent"
    OPTED_OUT = "opted_out"
    CANCELLED = "cancelled"


class MessageQuerySet(LifecycleQuerySet["CampaignLeadMessage"], AccountQuerySet["CampaignLeadMessage"]):  # type: ignore[override]  # each makes its own manager
    def of(self, broadcast: Broadcast) -> MessageQuerySet:
        return self.filter(account=broadcast.account_id, broadcast=broadcast)

    def queued(self) -> MessageQuerySet:
        return self.filter(status=MessageStatus.QUEUED)

    def sending(self) -> MessageQuerySet:
        return self.filter(status=MessageStatus.SENDING)

    def with_outcome(self) -> MessageQuerySet:
        """`is_unknown`: nobody knows yet whether the call of its attempt took effect."""
        open_question = MessageAttempt.objects.filter(row=models.OuterRef("pk"), state="unknown")
        return self.annotate(is_unknown=models.Exists(open_question))


@guarded(born=[MessageStatus.QUEUED, MessageStatus.SKIPPED])
class CampaignLeadMessage(Lifecycle, Owned):
    """The row is the queue: it is sent when it stands in `queued` and its broadcast is sending."""

    # No index of its own (see `Message`).
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+", db_index=False)
    campaign = owned(Campaign, on_delete=models.PROTECT, related_name="messages")
    campaign_lead = owned(CampaignLead, on_delete=models.PROTECT, related_name="messages")
    broadcast = owned(Broadcast, on_delete=models.PROTECT, related_name="messages", db_index=False)
    conversation_user = owned(
        ConversationUser, on_delete=models.PROTECT, related_name="campaign_messages", db_index=False
    )
    # Without an index, so that a message that is sent changes no index: what was said is never deleted.
    message = owned(Message, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    # The campaign's name, so that every version of it counts as the same marketing message.
    campaign_name = models.CharField(max_length=200)
    phone = models.CharField(max_length=20)
    address_hash = models.CharField(max_length=64)
    # The hydrated variables by name, and what redirect links need.
    context = models.JSONField(null=True, blank=True)
    status = StatusField(choices=MessageStatus, default=MessageStatus.QUEUED)
    skip_reason = models.CharField(max_length=30, blank=True, choices=SkipReason)
    error_code = models.CharField(max_length=40, blank=True)
    provider_id = models.CharField(max_length=80, blank=True)
    tries = models.SmallIntegerField(db_default=0)
    replied_at = models.DateTimeField(null=True, blank=True)
    clicked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints = [
            parent_key("campaign_lead_message"),
            SameAccount("campaign", name="lead_message_campaign"),
            SameAccount("campaign_lead", name="lead_message_lead"),
            SameAccount("broadcast", name="lead_message_broadcast"),
            SameAccount("conversation_user", name="lead_message_user"),
            SameAccount("message", name="lead_message_message"),
            models.UniqueConstraint(fields=["account", "broadcast", "conversation_user"], name="one_message_a_person"),
            models.CheckConstraint(
                name="a_skipped_message_has_a_reason",
                condition=models.Q(status="skipped") ^ models.Q(skip_reason=""),
            ),
        ]
        indexes = [
            models.Index(fields=["broadcast", "id"], name="lead_message_of_broadcast"),
            models.Index(fields=["conversation_user", "campaign_name"], name="lead_message_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_name} to {self.phone}"

    @transition([MessageStatus.QUEUED], MessageStatus.SENDING)
    def begin(self) -> None:
        """A call is about to be made."""

    @transition([MessageStatus.SENDING], MessageStatus.QUEUED)
    def requeue(self) -> None:
        """The call was certainly not made, or refused for now."""

    @transition([MessageStatus.QUEUED, MessageStatus.SENDING], MessageStatus.SKIPPED, sets=["skip_reason"])
    def skip(self) -> None:
        """Not sent, for a reason."""

    @transition([MessageStatus.SENDING], MessageStatus.SENT, sets=["provider_id"])
    def sent(self) -> None:
        """The provider accepted it."""

    @transition([MessageStatus.SENDING, MessageStatus.SENT], MessageStatus.DELIVERED, sets=["provider_id"])
    def delivered(self) -> None:
        """It reached the phone."""

    @transition(
        [MessageStatus.SENDING, MessageStatus.SENT, MessageStatus.DELIVERED],
        MessageStatus.READ,
        sets=["provider_id"],
    )
    def read(self) -> None:
        """It was opened."""

    @transition(
        [MessageStatus.QUEUED, MessageStatus.SENDING, MessageStatus.SENT],
        MessageStatus.FAILED,
        sets=["error_code", "provider_id"],
    )
    def fail(self) -> None:
        """Refused for good."""

    @transition(
        [MessageStatus.SENDING, MessageStatus.SENT],
        MessageStatus.UNDELIVERED,
        sets=["error_code", "provider_id"],
    )
    def not_delivered(self) -> None:
        """The provider could not bring it to the phone."""


class MessageAttempt(Attempt):
    """One call to send one message."""

    # The row's account is an account, and `message_attempt_row` makes this one the same.
    account = models.ForeignKey(
        "accounts.Account", on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    row = owned(CampaignLeadMessage, on_delete=models.PROTECT, related_name="attempts", db_index=False)

    class Meta:
        db_table = "campaigns_message_attempt"
        constraints = attempt_constraints("message", live="one_live_attempt", pair="one_open_pair")
        indexes = [
            *attempt_indexes("message"),
            # Without the sender: whoever was reached within a day, was so by any of them.
            models.Index(fields=["address", "called_at"], name="message_attempt_to"),
        ]


class Click(Owned):
    """A redirect link was followed."""

    message = owned(CampaignLeadMessage, related_name="clicks")
    url = models.URLField(max_length=2000)
    user_agent = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet["Click"].as_manager()

    class Meta:
        constraints = [SameAccount("message", name="click_message")]
        indexes = [models.Index(fields=["message", "at"], name="click_of_message")]

    def __str__(self) -> str:
        return self.url
