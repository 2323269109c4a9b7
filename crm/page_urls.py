"""The merchants' addresses of people and promo codes."""

from __future__ import annotations

from django.urls import path

from crm.pages import funnels, integrations, leaving, promos, webhook_endpoints

urlpatterns = [
    path("funnels", funnels.Funnels.as_view(), name="page-funnels"),
    path("funnels/export", funnels.Export.as_view(), name="page-funnel-export"),
    path("u/<str:token>", leaving.Leave.as_view(), name="page-leave"),
    path("l/<str:token>", leaving.Follow.as_view(), name="page-follow"),
    path("o/<str:token>.gif", leaving.Opened.as_view(), name="page-opened"),
    path("integrations", integrations.Providers.as_view(), name="page-integrations"),
    path("integrations/<slug:provider>", integrations.OneProvider.as_view(), name="page-integration"),
    path("promos", promos.Promos.as_view(), name="page-promos"),
    path("promos/new", promos.NewPromo.as_view(), name="page-new-promo"),
    path("promos/<slug:code>", promos.OnePromo.as_view(), name="page-promo"),
    path("settings/webhooks", webhook_endpoints.Endpoints.as_view(), name="page-webhook-endpoints"),
    path("settings/webhooks/new", webhook_endpoints.NewEndpoint.as_view(), name="page-new-webhook-endpoint"),
    path("settings/webhooks/<slug:endpoint_id>", webhook_endpoints.OneEndpoint.as_view(), name="page-webhook-endpoint"),
    path(
        "settings/webhooks/<slug:endpoint_id>/confirm/<slug:action>",
        webhook_endpoints.ConfirmEndpoint.as_view(),
        name="page-confirm-webhook-endpoint",
    ),
]
