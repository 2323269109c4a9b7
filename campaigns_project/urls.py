"""Every address, in the order of the doors."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

from accounts import api as accounts_api

urlpatterns: list[URLPattern | URLResolver] = [
    *accounts_api.urlpatterns,
    path("admin/", admin.site.urls),
]

handler400 = "campaigns_project.api.errors.bad_request"
handler403 = "campaigns_project.api.errors.permission_denied"
handler404 = "campaigns_project.api.errors.page_not_found"
handler500 = "campaigns_project.api.errors.server_error"
