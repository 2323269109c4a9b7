"""The operators' door: Django's own admin in our look."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig


class CampaignsAdminSite(admin.AdminSite):
    site_header = "Campaigns"
    site_title = "Campaigns"
    index_title = "Operations"


class CampaignsAdminConfig(AdminConfig):
    default_site = "campaigns_project.admin.CampaignsAdminSite"
