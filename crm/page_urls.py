"""The merchants' addresses of people and promo codes."""

from __future__ import annotations

from django.urls import path

from crm.pages import promos

urlpatterns = [
    path("promos", promos.Promos.as_view(), name="page-promos"),
    path("promos/new", promos.NewPromo.as_view(), name="page-new-promo"),
    path("promos/<slug:code>", promos.OnePromo.as_view(), name="page-promo"),
]
