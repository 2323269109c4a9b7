"""A person a campaign is meant for (seed: whatsapp-campaigns › CampaignLead)."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from accounts.scoping import AccountQuerySet, Owned, SameAccount, owned, parent_key
from campaigns.models.campaign import Campaign
from campaigns.models.conversation import ConversationUser


class LeadQuerySet(AccountQuerySet["CampaignLead"]):
    def active(self) -> LeadQuerySet:
        return self.filter(active=True)

    def of(self, campaign: Campaign) -> LeadQuerySet:
        return self.filter(account=campaign.account_id, campaign=campaign)

    def with_phone(self) -> LeadQuerySet:
        return self.select_related("conversation_user")


class CampaignLead(Owned):
    """Queue entry while active, history afterwards. Its variables override the campaign's defaults."""

    campaign = owned(Campaign, related_name="leads")
    conversation_user = owned(ConversationUser, related_name="leads")
    active = models.BooleanField(default=True)
    custom_variables = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = LeadQuerySet.as_manager()

    class Meta:
        constraints = [
            parent_key("campaign_lead"),
            SameAccount("campaign", name="campaign_lead_campaign"),
            SameAccount("conversation_user", name="campaign_lead_user"),
            models.UniqueConstraint(fields=["account", "campaign", "conversation_user"], name="lead_once"),
        ]
        indexes = [
            models.Index(fields=["campaign", "id"], condition=models.Q(active=True), name="lead_active"),
        ]

    def __str__(self) -> str:
        return str(self.conversation_user)
