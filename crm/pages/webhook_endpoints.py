"""Webhooks to the merchant: where they go, a new one, and one with what was sent to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.db import transaction
from django.http import Http404

from accounts.merchant_page import MerchantPage
from accounts.roles import Permission
from campaigns_project.pages import flash, paged
from campaigns_project.refusals import Refusal
from crm.models import WebhookDelivery, WebhookEndpoint
from crm.webhooks_out import outgoing

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

HERE = "/settings/webhooks"
STATUSES = {"": "All", "pending": "Waiting", "delivered": "Delivered", "failed": "Failed"}


class EndpointForm(forms.Form):
    """Where webhooks go, and which."""

    url = forms.CharField(
        label="Address",
        max_length=2048,
        help_text="Starts with https://",
        widget=forms.URLInput(attrs={"autocomplete": "off"}),
    )
    event_types = forms.CharField(
        label="Events",
        max_length=5_000,
        initial="*",
        help_text="One a line, such as order.completed; email.* for all of a kind, * for everything",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    description = forms.CharField(required=False, max_length=200, help_text="For your colleagues")

    @property
    def fields_given(self) -> dict[str, Any]:
        """What was typed, as `outgoing.create` takes it."""
        given = dict(self.cleaned_data)
        return given | {"event_types": [line.strip() for line in given["event_types"].splitlines() if line.strip()]}

    def refuse(self, refusal: Refusal) -> None:
        """Show a refusal beside the fields it names."""
        for name, sentences in (refusal.details or {"url": [refusal.message]}).items():
            self.add_error(name, sentences)


class EndpointPage(MerchantPage):
    needs = {"GET": Permission.SETTINGS, "POST": Permission.SETTINGS}

    def endpoint(self, endpoint_id: str, *, locked: bool = False) -> WebhookEndpoint:
        rows = WebhookEndpoint.objects.select_for_update() if locked else WebhookEndpoint.objects.all()
        found: WebhookEndpoint = self.find(rows, public_id=endpoint_id)
        return found

    def show_secret(self, endpoint: WebhookEndpoint) -> HttpResponse:
        """Once: the answer to the POST that made it, which no cache and no history keeps."""
        response = self.show("crm/webhook_secret.html", endpoint=endpoint, secret=endpoint.secret)
        response.headers["Cache-Control"] = "no-store"
        return response


class Endpoints(EndpointPage):
    """`/settings/webhooks`: every address that is told."""

    def get(self, request: HttpRequest) -> HttpResponse:
        rows = WebhookEndpoint.objects.for_account(self.account).order_by("-pk")
        return self.show("crm/webhook_endpoints.html", page=paged(rows, request))


class NewEndpoint(EndpointPage):
    """`/settings/webhooks/new`: one form, then the secret."""

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self.show("crm/webhook_endpoint_new.html", form=EndpointForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = EndpointForm(request.POST)
        if form.is_valid():
            try:
                return self.show_secret(outgoing.create(self.account, by=self.user, **form.fields_given))
            except Refusal as refusal:
                form.refuse(refusal)
        return self.show("crm/webhook_endpoint_new.html", 400, form=form)


class OneEndpoint(EndpointPage):
    """`/settings/webhooks/whe_…`: how it stands, what it is told, and everything that was sent to it."""

    def get(self, request: HttpRequest, endpoint_id: str) -> HttpResponse:
        endpoint = self.endpoint(endpoint_id)
        typed = {"event_types": "\n".join(endpoint.event_types)}
        form = EndpointForm(initial={"url": endpoint.url, "description": endpoint.description, **typed})
        return self._page(request, endpoint, form)

    def post(self, request: HttpRequest, endpoint_id: str) -> HttpResponse:
        acts = {"save": self._save, "test": self._test, "replay": self._replay, "on": self._turn, "off": self._turn}
        act = acts.get(request.POST.get("act", ""))
        if act is None:
            raise Http404
        with transaction.atomic():
            return act(request, self.endpoint(endpoint_id, locked=True))

    def _save(self, request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
        form = EndpointForm(request.POST)
        if form.is_valid():
            try:
                outgoing.change(endpoint, by=self.user, **form.fields_given)
            except Refusal as refusal:
                form.refuse(refusal)
                endpoint.refresh_from_db()
            else:
                return flash(request, "Saved.", request.path)
        return self._page(request, endpoint, form, status=400)

    def _test(self, request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
        delivery = outgoing.test(endpoint)
        return flash(request, f"A test is on its way, as {delivery.public_id}. Reload to see the answer.", request.path)

    def _replay(self, request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
        named = request.POST.get("delivery", "").replace("\x00", "")
        rows = WebhookDelivery.objects.filter(endpoint=endpoint).select_related("endpoint")
        delivery = outgoing.replay(self.find(rows, public_id=named))
        return flash(request, f"{delivery.public_id} is sent again.", request.path)

    def _turn(self, request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
        on = request.POST["act"] == "on"
        outgoing.change(endpoint, by=self.user, enabled=on)
        said = "It is told again, also what waited." if on else "Nothing is sent there until you turn it on."
        return flash(request, said, request.path)

    def _page(
        self, request: HttpRequest, endpoint: WebhookEndpoint, form: EndpointForm, status: int = 200
    ) -> HttpResponse:
        asked = request.GET.get("status", "")
        rows = WebhookDelivery.objects.for_account(self.account).filter(endpoint=endpoint).select_related("event")
        if asked in WebhookDelivery.Status.values:
            rows = rows.filter(WebhookDelivery.in_status(asked))
        page = paged(rows.order_by("-pk"), request)
        shown = {"endpoint": endpoint, "form": form, "page": page, "asked": asked, "statuses": STATUSES.items()}
        return self.show("crm/webhook_endpoint.html", status, **shown)


class ConfirmEndpoint(EndpointPage):
    """`/settings/webhooks/whe_…/confirm/secret|delete`: what cannot be undone is asked first."""

    def get(self, request: HttpRequest, endpoint_id: str, action: str) -> HttpResponse:  # noqa: ARG002 (Django's)
        endpoint = self.endpoint(endpoint_id)
        back = f"{HERE}/{endpoint.public_id}"
        return self.show("crm/webhook_confirm.html", endpoint=endpoint, action=self._known(action), back=back)

    def post(self, request: HttpRequest, endpoint_id: str, action: str) -> HttpResponse:
        with transaction.atomic():
            endpoint = self.endpoint(endpoint_id, locked=True)
            if self._known(action) == "secret":
                outgoing.rotate(endpoint, by=self.user)
                return self.show_secret(endpoint)
            outgoing.remove(endpoint, by=self.user)
        return flash(request, f"{endpoint.url} is told nothing any more.", HERE)

    @staticmethod
    def _known(action: str) -> str:
        if action not in ("secret", "delete"):
            raise Http404
        return action
