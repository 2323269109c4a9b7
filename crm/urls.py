"""The addresses of people and promo codes, as the spec lists them."""

from __future__ import annotations

from campaigns_project.api import route, routes, webhook
from crm.api import (
    campaigns,
    events,
    funnels,
    imports,
    integrations,
    people,
    products,
    promo_uses,
    promos,
    segments,
    subscriptions,
    trials,
    webhook_endpoints,
)
from crm.webhooks_in import door as webhooks

# The same routes under our path and under the gateway's.
MARKETING = ("api/v1/marketing", "v1/commerce/marketing")

_marketing = [
    pattern
    for prefix in MARKETING
    for pattern in routes(
        prefix,
        route("funnels", funnels.Funnels),
        route("segments", segments.Segments),
        route("segments/import", segments.Import),
        route("segments/limits", segments.Limits),
        route("segments/preview", segments.PreviewCriteria),
        route("segments/<str:segment_id>", segments.OneSegment),
        route("segments/<str:segment_id>/members", segments.Members),
        route("segments/<str:segment_id>/members/<str:customer_id>", segments.OneMember),
        route("segments/<str:segment_id>/preview", segments.Preview),
        route("segments/<str:segment_id>/refresh", segments.Refresh),
        route("campaigns", campaigns.Campaigns),
        route("campaigns/<str:campaign_id>/status", campaigns.CampaignStatus),
        route("campaigns/<str:campaign_id>/deliveries", campaigns.Deliveries),
        route("campaigns/<str:campaign_id>/export", campaigns.Export),
        route("campaigns/<str:campaign_id>/test", trials.Trials),
        # Whatever stands there: what is no campaign is answered as one that is not found.
        route("campaigns/<path:campaign_id>", campaigns.OneCampaign),
        route("promos", promos.Promos),
        route("promos/<str:code>", promos.OnePromo),
        route("promos/<str:code>/validate", promo_uses.Validate),
        route("promos/<str:code>/redeem", promo_uses.Redeem),
        route("promos/<str:code>/reserve", promo_uses.Reserve),
        route("promos/reservations/<str:reservation_id>/commit", promo_uses.Commit),
        route("promos/reservations/<str:reservation_id>/release", promo_uses.Release),
        route("promos/redemptions/<str:redemption_id>/rollback", promo_uses.Rollback),
        route("webhooks", integrations.Providers),
        route("webhooks/<str:provider>/secret", integrations.Secret),
        route("webhooks/<str:provider>/events", integrations.ProviderEvents),
        route("webhooks/<str:provider>/events/<str:event_id>/replay", integrations.Replay),
        webhook("webhooks/<str:provider>", integrations.Incoming, webhooks.receive),
        webhook("webhooks/<str:provider>/<str:connection>", integrations.IncomingAt, webhooks.receive_at),
    )
]

urlpatterns = [
    *_marketing,
    *routes(
        "api/v1/customers",
        route("", people.Customers, name="customers"),
        route("import", imports.Import, name="customer-import"),
        route("import/<str:job_id>/undo", imports.Undo, name="customer-import-undo"),
        route("exports/<str:token>", imports.Exported, name="customer-exported"),
        route("<str:customer_id>/export", imports.Export, name="customer-export"),
        route("<str:customer_id>", people.OneCustomer, name="customer"),
        route("<str:customer_id>/consent", people.Consent, name="customer-consent"),
        route("<str:customer_id>/timeline", people.Timeline, name="customer-timeline"),
        route("<str:customer_id>/push-subscriptions", subscriptions.Subscriptions, name="push-subscriptions"),
        route("<str:customer_id>/push-subscriptions/<str:subscription_id>", subscriptions.OneSubscription),
    ),
    *routes("api/v1/push", route("public-key", subscriptions.PublicKey, name="push-public-key")),
    *routes(
        "api/v1/products",
        route("", products.Products, name="products"),
        route("import", products.Import, name="product-import"),
        route("<str:product_id>", products.OneProduct, name="product"),
    ),
    *routes(
        "api/v1/orders",
        route("", products.Orders, name="orders"),
        route("<str:order_id>", products.OneOrder, name="order"),
    ),
    *routes("api/v1/events", route("", events.Events, name="events")),
    *routes(
        "api/v1/webhook-endpoints",
        route("", webhook_endpoints.Endpoints, name="webhook-endpoints"),
        route("<str:endpoint_id>", webhook_endpoints.OneEndpoint),
        route("<str:endpoint_id>/secret", webhook_endpoints.Secret),
        route("<str:endpoint_id>/test", webhook_endpoints.SendTest),
        route("<str:endpoint_id>/deliveries", webhook_endpoints.Deliveries),
        route("<str:endpoint_id>/deliveries/<str:delivery_id>/replay", webhook_endpoints.Replay),
    ),
]
