"""The templates every account starts with: their names are the seed's, their words are ours.

All are `service` templates. A definition has the seed's keys `name`, `content_type`, `content_context`, and
ours `campaign_type`, `language` and `variable_defaults`. Contents use names; `variables.number` numbers them.
"""

from __future__ import annotations

from typing import Any

from django.db.models import TextChoices

from campaigns.content_types import ContentType

Definition = dict[str, Any]


class DefaultCampaigns(TextChoices):
    HELLO_WORLD = "hello_world", "Hello world"
    MERCHANT_USER_WELCOME = "merchant_user_welcome", "Welcome to a team member"
    MERCHANT_USER_OVERRIDE_REQUEST = "merchant_user_override_request", "A person asks for the team"
    MERCHANT_USER_QUESTION_REQUEST = "merchant_user_question_request", "A customer has a question"
    MERCHANT_USER_QUESTION_ANSWER = "merchant_user_question_answer", "Answer to a customer's question"


class CommerceDefaultCampaigns(TextChoices):
    OUT_OF_STOCK = "out_of_stock", "Out of stock"
    LOW_STOCK = "low_stock", "Low stock"
    IN_STOCK = "in_stock", "Back in stock"
    SKU_PRICE_CHANGE = "sku_price_change", "Price change"
    MERCHANT_USER_ORDER_PLACED = "merchant_user_order_placed", "New order (team)"
    CUSTOMER_ORDER_PROCESSING = "customer_order_processing", "Order in preparation"
    CUSTOMER_ORDER_DELIVERING = "customer_order_delivering", "Order on its way"
    CUSTOMER_ORDER_FULFILLED = "customer_order_fulfilled", "Order delivered"
    MERCHANT_USER_ORDER_FULFILLED = "merchant_user_order_fulfilled", "Order delivered (team)"
    CUSTOMER_ORDER_FAILED = "customer_order_failed", "Order failed"
    MERCHANT_USER_ORDER_FAILED = "merchant_user_order_failed", "Order failed (team)"
    CUSTOMER_CASH_ON_DELIVERY_CONFIRMATION = "customer_cash_on_delivery_confirmation", "Cash on delivery"
    CUSTOMER_ORDER_CONFIRMATION = "customer_order_confirmation", "Order confirmation"
    CUSTOMER_ORDER_CONFIRMATION_WITH_RECEIPT = (
        "customer_order_confirmation_with_receipt",
        "Order confirmation with receipt",
    )
    CUSTOMER_ORDER_STATUS_UPDATE = "customer_order_status_update", "Order status"
    CUSTOMER_ORDER_SHIPPING_FEE_CHANGED = "customer_order_shipping_fee_changed", "Shipping fee changed"
    DRIVER_ORDER_REQUEST = "driver_order_request", "Delivery request to a driver"
    DRIVER_ORDER_REQUEST_NOT_AVAILABLE = "driver_order_request_not_available", "Delivery no longer available"


def _text(name: TextChoices, body: str, **defaults: str) -> Definition:
    return _definition(name, ContentType.TEXT, {"body": body}, defaults)


def _replies(name: TextChoices, body: str, *titles: str, **defaults: str) -> Definition:
    actions = [
        {"type": "QUICK_REPLY", "title": title, "id": title.lower().replace(" ", "_").replace(",", "")}
        for title in titles
    ]
    return _definition(name, ContentType.QUICK_REPLY, {"body": body, "actions": actions}, defaults)


def _definition(name: TextChoices, kind: ContentType, content: dict[str, Any], defaults: dict[str, str]) -> Definition:
    return {
        "name": name.value,
        "content_type": kind.value,
        "content_context": content,
        "campaign_type": "service",
        "language": "en",
        "variable_defaults": defaults,
    }


DEFAULT_CAMPAIGNS: list[Definition] = [
    _text(
        DefaultCampaigns.HELLO_WORLD,
        "Hello {{lead_name}}, this is {{merchant_name}} on WhatsApp. Save this number to reach us at any time.",
        lead_name="there",
    ),
    _text(
        DefaultCampaigns.MERCHANT_USER_WELCOME,
        "Welcome to {{merchant_name}}, {{lead_name}}! From now on you get new orders and customers' questions here.",
        lead_name="and thank you for joining",
    ),
    _replies(
        DefaultCampaigns.MERCHANT_USER_OVERRIDE_REQUEST,
        "A customer wants to talk to somebody at {{merchant_name}}.\n\n"
        "Name: {{lead_name}}\nPhone: {{lead_phone}}\n\nCan you take over?",
        "I take over",
        "Not now",
        lead_name="not given",
    ),
    _text(
        DefaultCampaigns.MERCHANT_USER_QUESTION_REQUEST,
        "A customer of {{merchant_name}} has a question that we could not answer.\n\n"
        "Name: {{lead_name}}\nPhone: {{lead_phone}}\n\nPlease reply to them soon.",
        lead_name="not given",
    ),
    _replies(
        DefaultCampaigns.MERCHANT_USER_QUESTION_ANSWER,
        "Hi {{lead_name}}, the team at {{merchant_name}} has an answer to your question. May we send it here?",
        "Yes, please",
        "No, thanks",
        lead_name="there",
    ),
]

_INVENTORY = [
    _text(
        CommerceDefaultCampaigns.OUT_OF_STOCK,
        "Hi {{lead_name}}, {{product_name}} has just sold out. We will write as soon as it is back.",
        lead_name="there",
    ),
    _text(
        CommerceDefaultCampaigns.LOW_STOCK,
        "Hi {{lead_name}}, a quick word from {{merchant_name}}: we have only {{product_quantity}} left of "
        "{{product_name}}, so order soon if you would like one.",
        lead_name="there",
    ),
    _replies(
        CommerceDefaultCampaigns.IN_STOCK,
        "Good news, {{lead_name}}: {{product_name}} is back in stock for {{product_price}} each. Keep one for you?",
        "Keep one for me",
        "No, thanks",
        lead_name="friend",
    ),
    _text(
        CommerceDefaultCampaigns.SKU_PRICE_CHANGE,
        "Hi {{lead_name}}, {{product_name}} now costs {{product_price}} at {{merchant_name}}. Thank "
        "you for being with us.",
        lead_name="there",
    ),
]

_ORDERS = [
    _replies(
        CommerceDefaultCampaigns.MERCHANT_USER_ORDER_PLACED,
        "You have a new order: number {{order_id}} over {{order_total}} from {{lead_name}}, who can be "
        "reached on {{lead_phone}} by phone.",
        "Confirm",
        "Cannot do it",
        lead_name="a customer",
    ),
    _text(
        CommerceDefaultCampaigns.CUSTOMER_ORDER_PROCESSING,
        "Thank you, {{lead_name}}! We are preparing your order {{order_id}} now and will tell you when it leaves.",
        lead_name="and welcome",
    ),
    _text(
        CommerceDefaultCampaigns.CUSTOMER_ORDER_DELIVERING,
        "Hi {{lead_name}}, your order {{order_id}} is on its way with {{driver_name}}. Please stay reachable.",
        lead_name="there",
        driver_name="our driver",
    ),
    _replies(
        CommerceDefaultCampaigns.CUSTOMER_ORDER_FULFILLED,
        "Hi {{lead_name}}, your order {{order_id}} has been delivered. Is everything as it should be?",
        "All is well",
        "Something is wrong",
        lead_name="there",
    ),
    _text(
        CommerceDefaultCampaigns.MERCHANT_USER_ORDER_FULFILLED,
        "Order {{order_id}} for {{lead_name}} over {{order_total}} has been delivered. Nothing is left to do.",
        lead_name="a customer",
    ),
    _text(
        CommerceDefaultCampaigns.CUSTOMER_ORDER_FAILED,
        "Hi {{lead_name}}, we are sorry: your order {{order_id}} could not be completed. "
        "Call {{merchant_phone}} and we will put it right.",
        lead_name="there",
    ),
    _text(
        CommerceDefaultCampaigns.MERCHANT_USER_ORDER_FAILED,
        "We are sorry: order {{order_id}} over {{order_total}} has failed. Please call {{lead_name}} on "
        "{{lead_phone}} today to put it right.",
        lead_name="the customer",
    ),
]

_PAYMENT_AND_LOGISTICS = [
    _replies(
        CommerceDefaultCampaigns.CUSTOMER_CASH_ON_DELIVERY_CONFIRMATION,
        "Hi {{lead_name}}, your order {{order_id}} costs {{order_total}} in cash on delivery. Shall we bring it?",
        "Yes, bring it",
        "Cancel the order",
        lead_name="there",
    ),
    _text(
        CommerceDefaultCampaigns.CUSTOMER_ORDER_CONFIRMATION,
        "Thank you, {{lead_name}}! We have your order {{order_id}} over {{order_total}} and will start on it shortly.",
        lead_name="and welcome",
    ),
    _text(
        CommerceDefaultCampaigns.CUSTOMER_ORDER_CONFIRMATION_WITH_RECEIPT,
        "Thank you, {{lead_name}}! We have your order {{order_id}} over {{order_total}}. Your receipt is at "
        "{{receipt_url}} whenever you need it.",
        lead_name="and welcome",
    ),
    _text(
        CommerceDefaultCampaigns.CUSTOMER_ORDER_STATUS_UPDATE,
        "Hi {{lead_name}}, there is news about your order {{order_id}}: it is {{order_status}} at the moment.",
        lead_name="there",
    ),
    _replies(
        CommerceDefaultCampaigns.CUSTOMER_ORDER_SHIPPING_FEE_CHANGED,
        "Hi {{lead_name}}, shipping for your order {{order_id}} is now {{shipping_fee}}, so the total is "
        "{{order_total}} in all. Is that fine with you?",
        "Yes, go ahead",
        "Cancel the order",
        lead_name="there",
    ),
]

_DRIVERS = [
    _replies(
        CommerceDefaultCampaigns.DRIVER_ORDER_REQUEST,
        "Hi {{driver_name}}, can you pick up order {{order_id}} at {{merchant_name}} and bring it "
        "to {{lead_name}} today?",
        "I take it",
        "Not today",
        driver_name="there",
        lead_name="a customer",
    ),
    _text(
        CommerceDefaultCampaigns.DRIVER_ORDER_REQUEST_NOT_AVAILABLE,
        "Hi {{driver_name}}, order {{order_id}} has gone to another driver. Thank you for answering so quickly.",
        driver_name="there",
    ),
]

DEFAULT_COMMERCE_CAMPAIGNS: list[Definition] = [*_INVENTORY, *_ORDERS, *_PAYMENT_AND_LOGISTICS, *_DRIVERS]
