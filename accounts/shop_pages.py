"""The account's shop at Shopify: its name and a token, kept sealed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.urls import path

from accounts.connections import ConnectionTaken, connect, disconnect
from accounts.models import Connection
from accounts.roles import Permission
from campaigns_project.pages import Page, flash

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

HERE = "/settings/shopify"
PROVIDER = "shopify"
_SHOP = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


class ShopForm(forms.Form):
    """A shop and a token of an app in it."""

    shop = forms.CharField(
        label="Shop", max_length=100, help_text="The name before .myshopify.com, such as harbor-coffee."
    )
    access_token = forms.RegexField(
        r"\Ashp[a-z]{2}_[A-Za-z0-9_-]{1,120}\Z",
        label="Access token",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Of an app with the scope write_discounts; it starts with shpat_. Kept sealed and never shown again.",
        error_messages={"invalid": "A token starts with shpat_."},
    )

    def clean_shop(self) -> str:
        name = str(self.cleaned_data["shop"]).lower().removeprefix("https://").rstrip("/")
        name = name.removesuffix(".myshopify.com")
        if not _SHOP.fullmatch(name):
            raise forms.ValidationError("This is not the name of a shop.")
        return name


class ShopConnection(Page):
    """`/settings/shopify`: connect a shop, replace its token, or let it go."""

    needs: ClassVar = {"GET": Permission.SETTINGS, "POST": Permission.SETTINGS}

    def get(self, request: HttpRequest) -> HttpResponse:
        known = self._connection(request)
        return self._page(request, ShopForm(initial={"shop": known.external_id} if known else None))

    def post(self, request: HttpRequest) -> HttpResponse:
        caller: Any = request
        if request.POST.get("act") == "disconnect":
            disconnect(caller.account, PROVIDER, by=request.user)
            return flash(request, "Your shop is disconnected. The codes that are in it stay there.", HERE)
        form = ShopForm(request.POST)
        if not form.is_valid():
            return self._page(request, form, status=400)
        said = form.cleaned_data
        secret = {"access_token": said["access_token"]}
        try:
            connect(caller.account, PROVIDER, external_id=said["shop"], sender="", secret=secret, by=request.user)
        except ConnectionTaken:
            form.add_error("shop", "Another account is connected with this shop.")
            return self._page(request, form, status=409)
        return flash(request, f"{said['shop']} is connected.", HERE)

    def _page(self, request: HttpRequest, form: ShopForm, *, status: int = 200) -> HttpResponse:
        return self.show("accounts/shopify.html", status=status, form=form, connection=self._connection(request))

    @staticmethod
    def _connection(request: HttpRequest) -> Connection | None:
        caller: Any = request
        return Connection.objects.for_account(caller.account).filter(provider=PROVIDER).first()


urlpatterns = [path("settings/shopify", ShopConnection.as_view(), name="settings-shopify")]
