"""Every address there is, with its door and what it takes. A route that is not declared here fails a test."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.urls import URLPattern, URLResolver, get_resolver

from tests.architecture import coupon_routes
from tests.architecture.coupon_world import coupon_uuid
from tests.architecture.world import (
    THEIRS,
    customer_id,
    endpoint_id,
    job_id,
    marketing_id,
    order_id,
    product_id,
    segment_id,
    subscription_id,
    use_id,
    webhook_id,
    webhook_token,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

CAMPAIGN = "api/v1/campaign"
# The same doors, at our own address and at the gateway's.
MARKETING = ("api/v1/marketing", "v1/commerce/marketing")

# API operations with the permission each takes (spec: api › Roles).
API = {
    f"GET {CAMPAIGN}": "view",
    f"GET {CAMPAIGN}/content-types": "view",
    f"GET {CAMPAIGN}/default-campaign-names": "view",
    f"GET {CAMPAIGN}/create-default": "author",
    f"POST {CAMPAIGN}/create-default": "author",
    f"POST {CAMPAIGN}/create": "author",
    f"POST {CAMPAIGN}/update/<int:pk>": "author",
    f"POST {CAMPAIGN}/submit/<int:pk>": "author",
    f"POST {CAMPAIGN}/enable/<int:pk>": "send",
    f"POST {CAMPAIGN}/disable/<int:pk>": "send",
    f"POST {CAMPAIGN}/archive/<int:pk>": "author",
    f"POST {CAMPAIGN}/add-leads": "author",
    f"POST {CAMPAIGN}/add-leads/import": "author",
    f"POST {CAMPAIGN}/add-leads/from-segment": "author",
    f"GET {CAMPAIGN}/leads/<int:pk>": "view",
    f"DELETE {CAMPAIGN}/leads/<int:pk>": "author",
    f"POST {CAMPAIGN}/preview/<int:pk>": "view",
    f"POST {CAMPAIGN}/test-send/<int:pk>": "send",
    f"POST {CAMPAIGN}/broadcasts": "author",
    f"GET {CAMPAIGN}/broadcasts/<int:pk>": "view",
    f"GET {CAMPAIGN}/broadcasts/<int:pk>/messages": "view",
    f"POST {CAMPAIGN}/broadcasts/<int:pk>/start": "send",
    f"POST {CAMPAIGN}/broadcasts/<int:pk>/pause": "send",
    f"POST {CAMPAIGN}/broadcasts/<int:pk>/resume": "send",
    f"POST {CAMPAIGN}/broadcasts/<int:pk>/cancel": "send",
    # Whoever may look may ask; the event itself then asks for more.
    f"POST {CAMPAIGN}/broadcasts/<int:pk>/transition": "view",
    f"POST {CAMPAIGN}/<int:pk>/transition": "view",
    f"GET {CAMPAIGN}/media/<int:merchant_id>/<int:campaign_id>/<path:file_path>": "view",
    f"GET {CAMPAIGN}/<int:pk>": "view",
    f"GET {CAMPAIGN}/<int:pk>/leads": "view",
    "GET api/v1/customers": "view",
    "POST api/v1/customers": "author",
    "POST api/v1/customers/<str:customer_id>/export": "author",
    "POST api/v1/customers/import": "author",
    "POST api/v1/customers/import/<str:job_id>/undo": "author",
    "GET api/v1/customers/<str:customer_id>": "view",
    "PATCH api/v1/customers/<str:customer_id>": "author",
    "DELETE api/v1/customers/<str:customer_id>": "author",
    "PUT api/v1/customers/<str:customer_id>/consent": "author",
    "GET api/v1/customers/<str:customer_id>/timeline": "view",
    "GET api/v1/customers/<str:customer_id>/push-subscriptions": "view",
    "POST api/v1/customers/<str:customer_id>/push-subscriptions": "author",
    "DELETE api/v1/customers/<str:customer_id>/push-subscriptions/<str:subscription_id>": "author",
    "GET api/v1/push/public-key": "view",
    "POST api/v1/events": "author",
    "GET api/v1/products": "view",
    "PUT api/v1/products": "author",
    "POST api/v1/products/import": "author",
    "GET api/v1/products/<str:product_id>": "view",
    "GET api/v1/orders": "view",
    "GET api/v1/orders/<str:order_id>": "view",
    "GET api/v1/webhook-endpoints": "settings",
    "POST api/v1/webhook-endpoints": "settings",
    **{f"{verb} api/v1/webhook-endpoints/<str:endpoint_id>": "settings" for verb in ("GET", "PATCH", "DELETE")},
    "POST api/v1/webhook-endpoints/<str:endpoint_id>/secret": "settings",
    "POST api/v1/webhook-endpoints/<str:endpoint_id>/test": "settings",
    "GET api/v1/webhook-endpoints/<str:endpoint_id>/deliveries": "settings",
    "POST api/v1/webhook-endpoints/<str:endpoint_id>/deliveries/<str:delivery_id>/replay": "settings",
    "GET api/v1/jobs/<str:job_id>": "view",
    "POST api/v1/jobs/<str:job_id>/cancel": "author",
    "GET api/v1/jobs/<str:job_id>/errors": "view",
    **coupon_routes.API,
}
for _base in MARKETING:
    _one = f"{_base}/segments/<str:segment_id>"
    API |= {
        f"GET {_base}/funnels": "view",
        f"GET {_base}/segments": "view",
        f"POST {_base}/segments": "author",
        f"POST {_base}/segments/import": "author",
        f"GET {_base}/segments/limits": "view",
        f"PUT {_base}/segments/limits": "settings",
        f"POST {_base}/segments/preview": "view",
        f"DELETE {_base}/segments/preview": "view",
        f"GET {_one}": "view",
        f"PATCH {_one}": "author",
        f"DELETE {_one}": "author",
        f"GET {_one}/members": "view",
        f"POST {_one}/members": "author",
        f"GET {_one}/members/<str:customer_id>": "view",
        f"DELETE {_one}/members/<str:customer_id>": "author",
        f"GET {_one}/preview": "view",
        f"POST {_one}/refresh": "author",
        f"GET {_base}/campaigns": "view",
        f"POST {_base}/campaigns": "author",
        f"GET {_base}/campaigns/<path:campaign_id>": "view",
        f"PATCH {_base}/campaigns/<path:campaign_id>": "author",
        f"DELETE {_base}/campaigns/<path:campaign_id>": "author",
        f"PATCH {_base}/campaigns/<str:campaign_id>/status": "send",
        f"GET {_base}/campaigns/<str:campaign_id>/deliveries": "view",
        f"GET {_base}/campaigns/<str:campaign_id>/export": "view",
        f"GET {_base}/campaigns/<str:campaign_id>/test": "view",
        f"POST {_base}/campaigns/<str:campaign_id>/test": "send",
        f"GET {_base}/promos": "view",
        f"POST {_base}/promos": "money",
        f"GET {_base}/promos/<str:code>": "view",
        f"PATCH {_base}/promos/<str:code>": "money",
        **{f"POST {_base}/promos/<str:code>/{verb}": "money" for verb in ("validate", "redeem", "reserve")},
        f"POST {_base}/promos/reservations/<str:reservation_id>/commit": "money",
        f"POST {_base}/promos/reservations/<str:reservation_id>/release": "money",
        f"POST {_base}/promos/redemptions/<str:redemption_id>/rollback": "money",
        f"GET {_base}/webhooks": "view",
        **{f"{verb} {_base}/webhooks/<str:provider>/secret": "settings" for verb in ("PUT", "DELETE")},
        f"GET {_base}/webhooks/<str:provider>/events": "view",
        f"POST {_base}/webhooks/<str:provider>/events/<str:event_id>/replay": "send",
    }

# Open to everybody: nothing there is anybody's own, or a password or a signature opens it.
OPEN = {
    "POST api/v1/auth/token",
    "POST api/v1/auth/refresh",
    f"GET {CAMPAIGN}/redirect/<str:token>",
    f"POST {CAMPAIGN}/webhooks/twilio/status/<uuid:attempt>",
    f"POST {CAMPAIGN}/webhooks/twilio/inbound",
    *(f"POST {base}/webhooks/<str:provider>{rest}" for base in MARKETING for rest in ("", "/<str:connection>")),
    "GET api/v1/customers/exports/<str:token>",
    f"GET {coupon_routes.COUPON_CAMPAIGNS}/exports/<str:token>",
    "GET u/<str:token>",
    "POST u/<str:token>",
    "GET l/<str:token>",
    "GET o/<str:token>.gif",
    "GET api/schema",
    "GET api/docs",
    "GET healthz",
    "GET readyz",
    "GET metrics",
    "GET login",
    "POST login",
    "POST logout",
    "GET kit",
    "GET kit/confirm",
    "POST theme",
}

# Pages of people who are signed in.
MARKETING_CAMPAIGN = "campaigns/<camp:campaign_id>"
BROADCAST, TEMPLATE = "campaigns/wa_<row:pk>", "templates/<row:pk>"
PAGES = {
    *("", "live", "campaigns", "campaigns/new", "people", "people/<row:pk>", "settings/whatsapp", "switch-account"),
    *("settings/email", "settings/push", "settings/shopify"),
    *(BROADCAST, f"{BROADCAST}/live", f"{BROADCAST}/people", f"{BROADCAST}/people/<row:message>"),
    *(f"{BROADCAST}/export", f"{BROADCAST}/confirm/<slug:action>"),
    *(f"{BROADCAST}/edit/{step}" for step in ("audience", "template", "personalise", "review")),
    *(f"{BROADCAST}/edit/{piece}" for piece in ("preview", "test", "decide")),
    *("templates", "templates/new", "templates/preview", "templates/defaults"),
    *(TEMPLATE, f"{TEMPLATE}/confirm/<slug:action>", f"{TEMPLATE}/people", f"{TEMPLATE}/people/<row:lead>/remove"),
    *("people/customers", "people/<slug:customer_id>", "people/<slug:customer_id>/export"),
    *("people/import", "people/import/<slug:job_id>", "people/import/<slug:job_id>/live"),
    *("audiences", "audiences/new", "audiences/preview", "audiences/import", "audiences/limits"),
    *("audiences/<slug:segment_id>", "audiences/<slug:segment_id>/edit"),
    *("products", "products/new", "products/orders", "products/<slug:product_id>"),
    *("products/import", "products/import/<slug:job_id>", "products/import/<slug:job_id>/live"),
    *("funnels", "funnels/export", "promos", "promos/new", "promos/<slug:code>"),
    *("integrations", "integrations/<slug:provider>", "integrations/<slug:provider>/disconnect"),
    *("campaigns/new/marketing", MARKETING_CAMPAIGN, f"{MARKETING_CAMPAIGN}/live", f"{MARKETING_CAMPAIGN}/people"),
    *(f"{MARKETING_CAMPAIGN}/people/<row:delivery>", f"{MARKETING_CAMPAIGN}/confirm/<slug:action>"),
    f"{MARKETING_CAMPAIGN}/export",
    *(f"{MARKETING_CAMPAIGN}/edit/{step}" for step in ("audience", "content", "offer", "review", "test", "decide")),
    *("settings/webhooks", "settings/webhooks/new", "settings/webhooks/<slug:endpoint_id>"),
    "settings/webhooks/<slug:endpoint_id>/confirm/<slug:action>",
    *("jobs/<slug:public_id>", "jobs/<slug:public_id>/live", "jobs/<slug:public_id>/errors"),
    *coupon_routes.PAGES,
}

# Everything below the operators' door, as Django lists it.
STAFF = "admin"


@dataclass(frozen=True)
class Route:
    """One pattern of the URL configuration, without slashes around it."""

    address: str
    callback: Any

    @property
    def door(self) -> str:
        if self.address == STAFF or self.address.startswith(f"{STAFF}/"):
            return "staff"
        declared = {"page": PAGES, **{name: {_split(each)[1] for each in them} for name, them in _BY_METHOD.items()}}
        return next((name for name, addresses in declared.items() if self.address in addresses), "undeclared")

    @property
    def methods(self) -> list[str]:
        """The methods it is declared for; pages and the operators' door are read and written."""
        if self.door in {"page", "staff"}:
            return ["GET", "POST"]
        return [_split(each)[0] for them in _BY_METHOD.values() for each in them if _split(each)[1] == self.address]

    @property
    def view(self) -> Any:
        """The class of an API door."""
        return self.callback.cls

    def path(self, owner: int = THEIRS, **words: str) -> str:
        """The address with ids of the owner's in every place, but for the `words` given by name."""

        def placed(match: re.Match[str]) -> str:
            name = match[1].rpartition(":")[2]
            known = {"job_id": job_id(owner), "public_id": job_id(owner), "attempt": str(uuid.UUID(int=owner))}
            known |= {"customer_id": customer_id(owner)}
            known |= {"product_id": product_id(owner), "order_id": order_id(owner)}
            known |= {"endpoint_id": endpoint_id(owner), "delivery_id": webhook_id(owner)}
            known |= {
                "provider": "sendgrid",
                "event_id": f"whk_{owner}",
                "connection": webhook_token(owner, "sendgrid"),
            }
            known |= {"subscription_id": subscription_id(owner), "segment_id": segment_id(owner)}
            known |= dict.fromkeys(("reservation_id", "redemption_id"), use_id(owner))
            actions = {"settings/webhooks": "delete", MARKETING_CAMPAIGN: "pause", BROADCAST: "cancel"}
            action = next((each for start, each in actions.items() if self.address.startswith(start)), "archive")
            if self.address.startswith((*MARKETING, MARKETING_CAMPAIGN)):
                known |= {"campaign_id": marketing_id(owner)}
            if self.address.startswith(("api/platform/", "coupons/")):
                names = ("campaign_id", "coupon_id", "code", "reservation_id", "redemption_id", "use_id")
                known |= dict.fromkeys(names, coupon_uuid(owner))
            return str({"action": action, "kind": "qr", **known, **words}.get(name, owner))

        return "/" + re.sub(r"<([^>]+)>", placed, self.address)

    def __str__(self) -> str:
        return self.address or "home"


_BY_METHOD: dict[str, Any] = {"api": API, "open": OPEN}


def routes(*doors: str) -> list[Route]:
    """Every route, or those of some doors."""
    found = sorted(set(_walk(get_resolver().url_patterns, "")), key=lambda route: route.address)
    return [route for route in found if not doors or route.door in doors]


def operations() -> list[tuple[Route, str]]:
    """Every route of the API with each of its methods."""
    return [(route, method) for route in routes("api") for method in route.methods]


def _split(operation: str) -> tuple[str, str]:
    method, _, address = operation.partition(" ")
    return method, address


def _walk(patterns: list[Any], prefix: str) -> Iterator[Route]:
    for pattern in patterns:
        address = prefix + str(pattern.pattern).removeprefix("^").removesuffix("$")
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, address)
        elif isinstance(pattern, URLPattern):
            yield Route(address.strip("/"), pattern.callback)
