from campaigns.models.broadcast import Broadcast, BroadcastStatus
from campaigns.models.campaign import (
    Campaign,
    CampaignAuthorType,
    CampaignStatus,
    CampaignType,
    SubmissionAttempt,
)
from campaigns.models.conversation import ConversationUser, Direction, Message
from campaigns.models.lead import CampaignLead
from campaigns.models.message import CampaignLeadMessage, Click, MessageAttempt, MessageStatus, SkipReason

__all__ = [
    "Broadcast",
    "BroadcastStatus",
    "Campaign",
    "CampaignAuthorType",
    "CampaignLead",
    "CampaignLeadMessage",
    "CampaignStatus",
    "CampaignType",
    "Click",
    "ConversationUser",
    "Direction",
    "Message",
    "MessageAttempt",
    "MessageStatus",
    "SkipReason",
    "SubmissionAttempt",
]
