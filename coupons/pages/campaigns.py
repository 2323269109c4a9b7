"""Coupon campaigns: the list, and a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpResponseRedirect

from accounts.merchant_page import searched
from accounts.roles import Permission
from campaigns_project.pages import Cut, paged
from campaigns_project.tones import look_of
from coupons import campaigning
from coupons.models import CouponCampaignStatus, CouponKind
from coupons.pages.door import CouponPage, address_of, described
from coupons.pages.forms import StartForm

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse


class Campaigns(CouponPage):
    """`/coupons`: every campaign, the newest first, by status and kind."""

    def get(self, request: HttpRequest) -> HttpResponse:
        asked = searched(request)
        status, kind = _one_of(request, "status", CouponCampaignStatus), _one_of(request, "kind", CouponKind)
        found = self.ours().for_account(self.account)  # type: ignore[attr-defined]  # an AccountQuerySet
        if asked:
            found = found.filter(Q(name__icontains=asked) | Q(prefix__istartswith=asked))
        if kind:
            found = found.filter(kind=kind)
        tabs = _tabs(found, status)
        rows = found.filter(status=status) if status else found
        page = paged(rows.order_by("-created_at", "-pk"), request)
        shown = Cut([described(one) for one in page.rows], page.label, page.previous, page.next, page.total)
        chosen: dict[str, Any] = {"chosen": status, "kind": kind, "kinds": CouponKind.choices}
        return self.show("coupons/campaigns.html", page=shown, q=asked, tabs=tabs, **chosen)


class NewCampaign(CouponPage):
    """`/coupons/new`: a name, a kind, and whom it is for; then the steps."""

    needs = {"GET": Permission.AUTHOR, "POST": Permission.AUTHOR}

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self.show("coupons/new.html", form=StartForm(account=self.account))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = StartForm(request.POST, account=self.account)
        if not form.is_valid():
            return self.show("coupons/new.html", 400, form=form)
        with transaction.atomic():
            campaign = campaigning.create(self.account, by=self.user, **form.said)
            campaigning.limit(campaign, **form.limits)
        return HttpResponseRedirect(address_of(campaign, "/edit/discount"), status=303)


def _one_of(request: HttpRequest, name: str, choices: Any) -> str:
    wanted = request.GET.get(name, "")
    return wanted if wanted in choices.values else ""


def _tabs(found: QuerySet[Any], chosen: str) -> list[dict[str, Any]]:
    counts = dict(found.order_by().values_list("status").annotate(Count("pk")))
    tabs = [("", "All", sum(counts.values()))]
    tabs += [(each, look_of("coupon", each).label, counts.get(each, 0)) for each in CouponCampaignStatus.values]
    return [{"key": key, "label": label, "count": count, "here": key == chosen} for key, label, count in tabs]
