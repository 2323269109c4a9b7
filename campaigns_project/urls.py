"""Every address, in the order of the doors."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

from accounts import api as accounts_api
from accounts import mail_pages, settings_pages, shop_pages
from accounts import pages as accounts_pages
from campaigns import page_urls as campaigns_pages
from campaigns import urls as campaigns_urls
from campaigns_project import global_search, home, kit, pages, service
from campaigns_project.api import documents, jobs
from coupons import page_urls as coupons_pages
from coupons import urls as coupons_urls
from crm import page_urls as crm_pages
from crm import urls as crm_urls

urlpatterns: list[URLPattern | URLResolver] = [
    *service.urlpatterns,
    *documents.urlpatterns,
    *accounts_api.urlpatterns,
    *jobs.urlpatterns,
    *campaigns_urls.urlpatterns,
    *crm_urls.urlpatterns,
    *coupons_urls.urlpatterns,
    *accounts_pages.urlpatterns,
    *settings_pages.urlpatterns,
    *mail_pages.urlpatterns,
    *shop_pages.urlpatterns,
    *home.urlpatterns,
    *global_search.urlpatterns,
    # Before the page of any customer: `people/import` is none.
    *crm_pages.urlpatterns,
    *campaigns_pages.urlpatterns,
    *coupons_pages.urlpatterns,
    path("admin/", admin.site.urls),
    path("kit", kit.Kit.as_view(), name="kit"),
    path("kit/confirm", kit.KitConfirm.as_view(), name="kit-confirm"),
    path("theme", pages.theme, name="theme"),
]

handler400 = "campaigns_project.api.errors.bad_request"
handler403 = "campaigns_project.api.errors.permission_denied"
handler404 = "campaigns_project.api.errors.page_not_found"
handler500 = "campaigns_project.api.errors.server_error"
