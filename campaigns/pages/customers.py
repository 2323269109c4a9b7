"""Customers: everybody the merchant knows, and one of them with what they allow and what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.merchant_page import MerchantPage, searched
from campaigns.forms import OptForm
from campaigns.models import ConversationUser
from campaigns_project.pages import flash, keyed
from campaigns_project.refusals import Invalid
from campaigns_project.templatetags.look import money
from campaigns_project.tones import look_of
from crm.customers import consent, people, timeline
from crm.models import Channel, Customer, PushSubscription

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest, HttpResponse

SHOWN = 40
# What a merchant calls the channels that a page can switch.
CHANNELS = {Channel.EMAIL: "E-mail", Channel.SMS: "SMS", Channel.WHATSAPP: "WhatsApp", Channel.PUSH: "Push",
            Channel.MAIL: "Post"}  # fmt: skip
TITLES = {
    "order.completed": "Ordered",
    "order.refunded": "Got money back",
    "page.viewed": "Looked at a page",
    "message.received": "Wrote to us",
    "message.clicked": "Followed a link",
    "consent.granted": "Agreed",
    "consent.withdrawn": "Opted out",
}
TOLD = ("url", "order_id", "code")


class Customers(MerchantPage):
    """`/people/customers`: everybody we know, found by how a name, an address or an id begins."""

    def get(self, request: HttpRequest) -> HttpResponse:
        rows = Customer.objects.for_account(self.account).known()
        asked = searched(request)
        if asked:
            rows = people.search(rows, asked)
        return self.show("campaigns/customers.html", page=keyed(rows, request, size=50), q=asked)


class OneCustomer(MerchantPage):
    """`/people/cust_…`: who they are, what they allow on each channel, and what happened."""

    needs = {"GET": "view", "POST": "blocklist"}

    def get(self, request: HttpRequest, customer_id: str) -> HttpResponse:
        return self._page(request, self._customer(customer_id), OptForm())

    def post(self, request: HttpRequest, customer_id: str) -> HttpResponse:
        form = OptForm(request.POST)
        act, _, channel = request.POST.get("act", "").partition(":")
        customer = self._customer(customer_id)
        if channel not in CHANNELS or not form.is_valid():
            return self._page(request, customer, form, status=400)
        with transaction.atomic():
            locked = self._customer(customer_id, locked=True)
            consent.settle(
                locked,
                granted=act == "grant",
                may_lift=True,
                channel=channel,
                purpose=consent.MARKETING,
                source="merchant",
                proof={"said": form.cleaned_data["proof"], "by": self.user.pk},
            )
        name = CHANNELS[Channel(channel)]
        return flash(
            request,
            f"They can get messages by {name}." if act == "grant" else f"Nothing is sent to them by {name} any more.",
            request.path,
        )

    def _customer(self, customer_id: str, *, locked: bool = False) -> Customer:
        rows = Customer.objects.select_for_update(no_key=True, of=("self",)) if locked else Customer.objects.all()
        found: Customer = self.find(rows.select_related("account"), public_id=customer_id, erased_at=None)
        return found

    def _page(self, request: HttpRequest, customer: Customer, form: OptForm, status: int = 200) -> HttpResponse:
        try:
            told = timeline.entries(customer, limit=SHOWN, cursor=request.GET.get("cursor", ""))
        except Invalid:
            told = timeline.entries(customer, limit=SHOWN)
        standing = consent.standing(customer.account_id, [customer])[customer.pk]
        return self.show(
            "campaigns/customer.html",
            status,
            customer=customer,
            form=form,
            switches=[_switch(customer, channel, standing[channel]) for channel in CHANNELS],
            timeline=[_told(entry) for entry in told["data"]],
            earlier=told["pagination"]["next_cursor"],
            browsers=PushSubscription.objects.for_account(self.account).filter(customer=customer).count(),
            numbers=ConversationUser.objects.for_account(self.account).filter(customer=customer).order_by("pk"),
        )


def _switch(customer: Customer, channel: Channel, stands: Mapping[str, Any]) -> dict[str, Any]:
    has_address = bool(consent.address_of(customer, channel))
    open_ = stands["marketing"] == "granted" and not stands["suppressed"]
    return {"channel": channel.value, "name": CHANNELS[channel], "reachable": has_address, "open": open_, **stands}


def _told(entry: Mapping[str, Any]) -> dict[str, Any]:
    kind, said = entry["type"], entry["properties"]
    title = TITLES.get(kind, kind.replace(".", " ").capitalize())
    details = [str(said[name])[:120] for name in TOLD if said.get(name)]
    tone = "indigo"
    if entry["kind"] == "message":
        look = look_of("message", said["status"])
        title, tone = f"{said['campaign'] or 'Test'}: {look.label.lower()}", look.tone
    elif entry["kind"] == "consent":
        tone = look_of("consent", kind.partition(".")[2]).tone
        details = [CHANNELS[Channel(said["channel"])], said["purpose"], said["source"]]
    elif value := said.get("value"):
        details.append(money(value["amount"], value["currency"]))
    return {"title": title, "tone": tone, "at": entry["at"], "detail": " · ".join(details)}
