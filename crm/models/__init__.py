"""People, what they allowed, the one stream of what happened, and promo codes."""

from crm.models.people import (
    Channel,
    ConsentEntry,
    Customer,
    Event,
    LoyaltyTier,
    Suppression,
    new_customer_id,
    new_event_id,
)
from crm.models.promo import Promo, PromoShare, PromoStatus, PromoType, PromoUse

__all__ = [
    "Channel",
    "ConsentEntry",
    "Customer",
    "Event",
    "LoyaltyTier",
    "Promo",
    "PromoShare",
    "PromoStatus",
    "PromoType",
    "PromoUse",
    "Suppression",
    "new_customer_id",
    "new_event_id",
]
