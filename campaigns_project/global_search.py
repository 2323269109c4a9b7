"""The one search box: campaigns of every kind, promo codes, coupon campaigns, and any coupon by its code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import path

from accounts.merchant_page import MerchantPage, searched
from campaigns_project.campaign_list import SENT, Everything
from coupons import search
from coupons.pages.door import address_of
from crm.models import Promo

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.models import Account

MOST_SHOWN = 8


class Search(MerchantPage):
    """`/search?q=`: the few best of each kind; each kind's own list has the rest."""

    def get(self, request: HttpRequest) -> HttpResponse:
        asked = searched(request)
        found = everything(self.account, asked, request) if asked else {}
        nothing = bool(asked) and not any(found.values())
        return self.show("home/search.html", q=asked, nothing=nothing, **found)


def everything(account: Account, asked: str, request: HttpRequest) -> dict[str, Any]:
    """What begins with these words, or has this code."""
    coupons = search.coupons_like(account, asked).select_related("campaign")[:MOST_SHOWN]
    promos = Promo.objects.for_account(account).filter(code__startswith=asked.upper()).order_by("code")
    return {
        "coupons": [(one, address_of(one.campaign)) for one in coupons],
        "coupon_campaigns": [(one, address_of(one)) for one in search.find(account, asked, limit=MOST_SHOWN).campaigns],
        "campaigns": Everything(account, asked, kinds=SENT).page("", request).rows[:MOST_SHOWN],
        "promos": list(promos[:MOST_SHOWN]),
    }


urlpatterns = [path("search", Search.as_view(), name="page-search")]
