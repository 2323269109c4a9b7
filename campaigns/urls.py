"""The addresses of WhatsApp campaigns, as the spec lists them."""

from __future__ import annotations

from campaigns import webhooks
from campaigns.api import broadcasts, leads, links, templates
from campaigns.api import webhooks as shown
from campaigns_project.api import route, routes, webhook

PREFIX = "api/v1/campaign"


urlpatterns = [
    *routes(
        PREFIX,
        route("", templates.Templates, name="campaigns"),
        route("content-types", templates.ContentTypes, name="campaign-content-types"),
        route("default-campaign-names", templates.DefaultNames, name="campaign-default-names"),
        route("create-default", templates.CreateDefaults, name="campaign-create-default"),
        route("create", templates.CreateTemplate, name="campaign-create"),
        route("update/<int:pk>", templates.UpdateTemplate, name="campaign-update"),
        route("submit/<int:pk>", templates.Submit, name="campaign-submit"),
        route("enable/<int:pk>", templates.Enable, name="campaign-enable"),
        route("disable/<int:pk>", templates.Disable, name="campaign-disable"),
        route("archive/<int:pk>", templates.Archive, name="campaign-archive"),
        route("add-leads", leads.AddLeads, name="campaign-add-leads"),
        route("add-leads/import", leads.ImportLeads, name="campaign-import-leads"),
        route("add-leads/from-segment", leads.LeadsFromSegment, name="campaign-segment-leads"),
        route("leads/<int:pk>", leads.OneLead, name="campaign-lead"),
        route("preview/<int:pk>", leads.Preview, name="campaign-preview"),
        route("test-send/<int:pk>", leads.TestSend, name="campaign-test-send"),
        route("broadcasts", broadcasts.Broadcasts, name="broadcasts"),
        route("broadcasts/<int:pk>", broadcasts.OneBroadcast, name="broadcast"),
        route("broadcasts/<int:pk>/messages", broadcasts.Messages, name="broadcast-messages"),
        route("broadcasts/<int:pk>/start", broadcasts.Start, name="broadcast-start"),
        route("broadcasts/<int:pk>/pause", broadcasts.Pause, name="broadcast-pause"),
        route("broadcasts/<int:pk>/resume", broadcasts.Resume, name="broadcast-resume"),
        route("broadcasts/<int:pk>/cancel", broadcasts.Cancel, name="broadcast-cancel"),
        route("broadcasts/<int:pk>/transition", broadcasts.MoveBroadcast, name="broadcast-transition"),
        route("redirect/<str:token>", links.Redirect, name="campaign-redirect"),
        route("media/<int:merchant_id>/<int:campaign_id>/<path:file_path>", links.MediaFile, name="campaign-media"),
        route("<int:pk>", templates.OneTemplate, name="campaign"),
        route("<int:pk>/leads", leads.Leads, name="campaign-leads"),
        route("<int:pk>/transition", templates.MoveTemplate, name="campaign-transition"),
        webhook("webhooks/twilio/status/<uuid:attempt>", shown.Status, webhooks.status, name="twilio-status"),
        webhook("webhooks/twilio/inbound", shown.Inbound, webhooks.inbound, name="twilio-inbound"),
    ),
]
