"""The addresses of people and promo codes, as the spec lists them."""

from __future__ import annotations

from campaigns_project.api import route, routes
from crm.api import promos

# The same routes under our path and under the gateway's.
MARKETING = ("api/v1/marketing", "v1/commerce/marketing")

urlpatterns = [
    pattern
    for prefix in MARKETING
    for pattern in routes(
        prefix,
        route("promos", promos.Promos),
        route("promos/<str:code>", promos.OnePromo),
    )
]
