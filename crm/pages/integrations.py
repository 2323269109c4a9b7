"""Providers we hear from: how each stands, its address and secret, and what came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404

from accounts.merchant_page import MerchantPage
from accounts.roles import Permission
from campaigns_project.pages import flash, paged
from campaigns_project.refusals import Refusal
from crm.marketing import launching
from crm.webhooks_in import integrations
from dispatch.models import InboxEntry
from dispatch.receiving import UNCOUNTED

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from crm.webhooks_in.integrations import Standing

RESULTS = {"": "All", **{value: label for value, label in InboxEntry.Result.choices if value != "no_effect"}}
PER_PAGE = 20


class SecretForm(forms.Form):
    """A secret the provider shows, or none for one of ours."""

    secret = forms.CharField(
        required=False,
        max_length=500,
        label="The provider's secret",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Leave it empty and we make one.",
    )


class Providers(MerchantPage):
    """`/integrations`: every provider, connected or not."""

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self.show("crm/integrations.html", providers=integrations.standings(self.account))


class Disconnect(MerchantPage):
    """`/integrations/sendgrid/disconnect`: what would stop, and the button."""

    needs = {"GET": Permission.SETTINGS, "POST": Permission.SETTINGS}

    def get(self, request: HttpRequest, provider: str) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        standing = integrations.standing(self.account, provider)
        stopping = launching.needing(self.account, provider).order_by("pk")
        return self.show("crm/integration_disconnect.html", provider=standing, stopping=stopping, danger=True,
                         back=f"/integrations/{standing.id}")  # fmt: skip

    def post(self, request: HttpRequest, provider: str) -> HttpResponse:
        standing = integrations.standing(self.account, provider)
        integrations.disconnect(self.account, provider, by=self.user)
        return flash(request, f"{standing.name} is disconnected.", f"/integrations/{standing.id}")


class OneProvider(MerchantPage):
    """`/integrations/sendgrid`: its address, its secret, and what it told us."""

    needs = {"GET": Permission.VIEW, "POST": Permission.VIEW}

    def get(self, request: HttpRequest, provider: str) -> HttpResponse:
        return self._page(request, integrations.standing(self.account, provider), SecretForm())

    def post(self, request: HttpRequest, provider: str) -> HttpResponse:
        standing = integrations.standing(self.account, provider)
        act = {"secret": self._change, "replay": self._replay}.get(request.POST.get("act", ""))
        if act is None:
            raise Http404
        return act(request, standing)

    def _change(self, request: HttpRequest, standing: Standing) -> HttpResponse:
        if not self.may(Permission.SETTINGS):
            raise PermissionDenied
        form = SecretForm(request.POST)
        if form.is_valid():
            try:
                made = integrations.change_secret(self.account, standing.id, form.cleaned_data["secret"], by=self.user)
            except Refusal as refusal:
                form.add_error("secret", refusal.details.get("secret", [refusal.message]))
            else:
                # Once: the answer to the POST that made it, which no cache and no history keeps.
                shown = self.show("crm/integration_secret.html", provider=standing, made=made)
                shown.headers["Cache-Control"] = "no-store"
                return shown
        return self._page(request, standing, form, 400)

    def _replay(self, request: HttpRequest, standing: Standing) -> HttpResponse:
        if not self.may(Permission.SEND):
            raise PermissionDenied
        entry = integrations.one_that_came(self.account, standing.id, request.POST.get("event", ""))
        integrations.replay(entry)
        done = {"applied": "It is applied.", "no_effect": "It was applied before; nothing changed."}
        return flash(request, done.get(entry.result, "It could not be applied; it is tried again."), request.path)

    def _page(self, request: HttpRequest, standing: Standing, form: SecretForm, status: int = 200) -> HttpResponse:
        came, asked = integrations.came_in(self.account, standing.id), request.GET.get("result", "")
        if asked in RESULTS and asked:
            came = came.filter(result=asked)
        page = paged(came.order_by("-pk"), request, size=PER_PAGE)
        rows = [
            {"id": f"{integrations.EVENT_PREFIX}{entry.pk}", "event": integrations.event_of(entry), "entry": entry,
             "address": integrations.address_in(entry), "counted": entry.kind != UNCOUNTED}
            for entry in page.rows
        ]  # fmt: skip
        shown = {"provider": standing, "form": form, "page": page, "came": rows, "asked": asked}
        return self.show("crm/integration.html", status, results=RESULTS.items(), **shown)
