"""The addresses of people and promo codes, as the spec lists them."""

from __future__ import annotations

from campaigns_project.api import route, routes
from crm.api import people, promos

# The same routes under our path and under the gateway's.
MARKETING = ("api/v1/marketing", "v1/commerce/marketing")

_marketing = [
    pattern
    for prefix in MARKETING
    for pattern in routes(
        prefix,
        route("promos", promos.Promos),
        route("promos/<str:code>", promos.OnePromo),
    )
]

urlpatterns = [
    *_marketing,
    *routes(
        "api/v1/customers",
        route("", people.Customers, name="customers"),
        route("<str:customer_id>", people.OneCustomer, name="customer"),
    ),
]
