"""The merchants' addresses of what crm shows: campaigns, funnels, promo codes, integrations, webhooks, and leaving."""

from __future__ import annotations

from django.urls import path

from crm.pages import (
    funnels,
    imports,
    integrations,
    leaving,
    marketing_campaign,
    marketing_review,
    marketing_steps,
    products,
    promos,
    reach,
    segments,
    webhook_endpoints,
)

CAMPAIGN = "campaigns/<camp:campaign_id>"

urlpatterns = [
    path("people/import", imports.NewImport.as_view(), name="page-new-import"),
    path("people/import/<slug:job_id>", imports.OneImport.as_view(), name="page-import"),
    path("people/import/<slug:job_id>/live", imports.ImportLive.as_view(), name="page-import-live"),
    path("people/<slug:customer_id>/export", imports.ExportPage.as_view(), name="page-export"),
    path("audiences", segments.Audiences.as_view(), name="page-audiences"),
    path("audiences/new", segments.NewAudience.as_view(), name="page-new-audience"),
    path("audiences/preview", segments.AudiencePreview.as_view(), name="page-audience-preview"),
    path("audiences/import", segments.ImportAudience.as_view(), name="page-import-audience"),
    path("audiences/limits", reach.AudienceLimits.as_view(), name="page-audience-limits"),
    path("audiences/<slug:segment_id>", segments.OneAudience.as_view(), name="page-audience"),
    path("audiences/<slug:segment_id>/edit", segments.EditAudience.as_view(), name="page-edit-audience"),
    path("funnels", funnels.Funnels.as_view(), name="page-funnels"),
    path("funnels/export", funnels.Export.as_view(), name="page-funnel-export"),
    path("u/<str:token>", leaving.Leave.as_view(), name="page-leave"),
    path("l/<str:token>", leaving.Follow.as_view(), name="page-follow"),
    path("o/<str:token>.gif", leaving.Opened.as_view(), name="page-opened"),
    path("integrations", integrations.Providers.as_view(), name="page-integrations"),
    path("integrations/<slug:provider>", integrations.OneProvider.as_view(), name="page-integration"),
    path("integrations/<slug:provider>/disconnect", integrations.Disconnect.as_view(), name="page-disconnect"),
    path("campaigns/new/marketing", marketing_steps.NewMarketing.as_view(), name="page-new-marketing"),
    path(CAMPAIGN, marketing_campaign.Campaign.as_view(), name="page-marketing"),
    path(f"{CAMPAIGN}/live", marketing_campaign.CampaignLive.as_view(), name="page-marketing-live"),
    path(f"{CAMPAIGN}/export", marketing_campaign.ExportPeople.as_view(), name="page-marketing-export"),
    path(f"{CAMPAIGN}/people", marketing_campaign.CampaignPeople.as_view(), name="page-marketing-people"),
    path(
        f"{CAMPAIGN}/people/<row:delivery>", marketing_campaign.PersonOfCampaign.as_view(), name="page-marketing-person"
    ),
    path(
        f"{CAMPAIGN}/confirm/<slug:action>",
        marketing_campaign.ConfirmCampaign.as_view(),
        name="page-marketing-confirm",
    ),
    path(f"{CAMPAIGN}/edit/audience", marketing_steps.Audience.as_view(), name="page-marketing-audience"),
    path(f"{CAMPAIGN}/edit/content", marketing_steps.Content.as_view(), name="page-marketing-content"),
    path(f"{CAMPAIGN}/edit/offer", marketing_steps.Offer.as_view(), name="page-marketing-offer"),
    path(f"{CAMPAIGN}/edit/review", marketing_review.Review.as_view(), name="page-marketing-review"),
    path(f"{CAMPAIGN}/edit/test", marketing_review.TestSend.as_view(), name="page-marketing-test"),
    path(f"{CAMPAIGN}/edit/decide", marketing_review.Decide.as_view(), name="page-marketing-decide"),
    path("promos", promos.Promos.as_view(), name="page-promos"),
    path("promos/new", promos.NewPromo.as_view(), name="page-new-promo"),
    path("promos/<slug:code>", promos.OnePromo.as_view(), name="page-promo"),
    path("settings/push", reach.PushSettings.as_view(), name="page-push"),
    path("products", products.Products.as_view(), name="page-products"),
    path("products/new", products.NewProduct.as_view(), name="page-new-product"),
    path("products/orders", products.Orders.as_view(), name="page-orders"),
    path("products/import", products.ImportProducts.as_view(), name="page-import-products"),
    path("products/import/<slug:job_id>", products.OneImport.as_view(), name="page-product-import"),
    path("products/import/<slug:job_id>/live", products.ImportLive.as_view(), name="page-product-import-live"),
    path("products/<slug:product_id>", products.OneProduct.as_view(), name="page-product"),
    path("settings/webhooks", webhook_endpoints.Endpoints.as_view(), name="page-webhook-endpoints"),
    path("settings/webhooks/new", webhook_endpoints.NewEndpoint.as_view(), name="page-new-webhook-endpoint"),
    path("settings/webhooks/<slug:endpoint_id>", webhook_endpoints.OneEndpoint.as_view(), name="page-webhook-endpoint"),
    path(
        "settings/webhooks/<slug:endpoint_id>/confirm/<slug:action>",
        webhook_endpoints.ConfirmEndpoint.as_view(),
        name="page-confirm-webhook-endpoint",
    ),
]
