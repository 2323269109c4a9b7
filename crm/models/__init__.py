"""People, what they allowed, what happened, funnels, promo codes, what is sent to whom, and who is told."""

from crm.models.addressing import Channel
from crm.models.catalogue import Order, Product, Variant
from crm.models.delivery import Attribution, Delivery, DeliveryAttempt, DeliveryStatus, LeftOut
from crm.models.funnel import FirstTouch, FunnelDay, Stage
from crm.models.importing import ImportedCustomer
from crm.models.marketing import (
    Audience,
    MarketingCampaign,
    MarketingChannel,
    MarketingStatus,
    MarketingType,
)
from crm.models.outgoing import WebhookDelivery, WebhookEndpoint
from crm.models.people import (
    ConsentEntry,
    Customer,
    Event,
    LoyaltyTier,
    Suppression,
    new_customer_id,
    new_event_id,
)
from crm.models.promo import Promo, PromoShare, PromoStatus, PromoType, PromoUse
from crm.models.push import PushSubscription
from crm.models.segment import AudienceLimit, Segment, SegmentMember, SegmentType
from crm.models.trial import Trial, TrialStatus

__all__ = [
    "Attribution",
    "Audience",
    "AudienceLimit",
    "Channel",
    "ConsentEntry",
    "Customer",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryStatus",
    "Event",
    "FirstTouch",
    "FunnelDay",
    "ImportedCustomer",
    "LeftOut",
    "LoyaltyTier",
    "MarketingCampaign",
    "MarketingChannel",
    "MarketingStatus",
    "MarketingType",
    "Order",
    "Product",
    "Promo",
    "PromoShare",
    "PromoStatus",
    "PromoType",
    "PromoUse",
    "PushSubscription",
    "Segment",
    "SegmentMember",
    "SegmentType",
    "Stage",
    "Suppression",
    "Trial",
    "TrialStatus",
    "Variant",
    "WebhookDelivery",
    "WebhookEndpoint",
    "new_customer_id",
    "new_event_id",
]
