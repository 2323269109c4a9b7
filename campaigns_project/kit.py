"""The design kit: every part of the pages in every state, to look at and to test."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils import timezone

from campaigns_project.pages import Cut, Page, flash
from campaigns_project.tones import segments

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

MACHINES = {
    "template": "WhatsApp templates",
    "broadcast": "Broadcasts",
    "message": "Messages",
    "recipient": "Direct-mail recipients",
    "campaign": "CRM campaigns",
    "coupon": "Coupon campaigns",
    "coupon_code": "Coupons",
    "shopify": "Codes at Shopify",
    "shopify_batch": "Batches of codes to Shopify",
    "order": "Orders",
    "account": "Accounts",
    "job": "Jobs",
    "attempt": "Calls to a provider",
    "inbox": "Provider events",
    "connection": "Connections",
    "consent": "Consent",
    "trial": "Test messages",
    "promo": "Promo codes",
    "promo_use": "Uses of promo codes",
    "segment": "Segments",
    "endpoint": "Webhook endpoints",
    "webhook": "Webhook deliveries",
}
MESSAGES = {
    "read": 3912,
    "delivered": 4206,
    "sent": 1500,
    "sending": 1241,
    "queued": 58,
    "skipped": 861,
    "undelivered": 624,
    "failed": 43,
}
BUBBLE = {
    "body": "Hi {{1}}, good news: *{{2}}* is back in stock.\n\n"
    "We saved one for you until {{3}}. Use code {{4}} for 20% off.",
    "footer": "Reply STOP to opt out",
    "actions": [{"title": "Order now", "url": "https://example.test/order"}, {"title": "Not this time"}],
}
NAMES = {"1": "lead_name", "2": "product_name", "3": "hold_until", "4": "coupon_code"}
VALUES = {"lead_name": "Amira", "product_name": "Yirgacheffe 250 g", "hold_until": "Sunday 18:00"}
CHECKS = [
    {"ok": True, "title": "Template approved by WhatsApp", "detail": "v4, approved Nov 17. Marketing, English."},
    {"ok": True, "title": "1,212 people will get it", "detail": "Of 1,250 in Gold members."},
    {
        "ok": None,
        "title": "38 people are left out",
        "detail": "21 had a marketing message in the last 24 h, 12 opted out, 5 have no product_name.",
        "href": "#table",
        "action": "See list",
    },
    {"ok": False, "title": "No sender number", "detail": "Connect a WhatsApp number before you send."},
]
SHARES = [
    {"label": "Had it already", "value": 624, "fill": "c5"},
    {"label": "Opted out", "value": 402},
    {"label": "No product_name", "value": 118},
    {"label": "Cancelled", "value": 35, "fill": "c9"},
]
STEPS = [("Audience", "#form"), ("Template", "#form"), ("Personalise", "#form"), ("Review", "#form")]


class SampleForm(forms.Form):
    """Each kind of field once; the code is always taken."""

    code = forms.CharField(label="Promo code")
    discount = forms.IntegerField(label="Discount", help_text="Percent off the whole order, 1 to 100")
    kind = forms.ChoiceField(choices=[("single", "Single use"), ("group", "Group")])
    note = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    start = forms.ChoiceField(
        label="When", choices=[("now", "Send now"), ("later", "Schedule")], widget=forms.RadioSelect
    )
    again = forms.BooleanField(label="Send again to people who already had it", required=False)

    def clean_code(self) -> str:
        raise forms.ValidationError("This code is already in use. Try WELCOME21.")


class Kit(Page):
    """`/kit`: no data of anybody's, for everybody who is signed in."""

    needs = {"GET": None}

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        filled = {"code": "WELCOME20", "discount": "20", "kind": "single", "start": "now"}
        return self.show(
            "kit.html",
            machines=MACHINES,
            form=SampleForm(filled),
            segments=segments("message", MESSAGES, "#table-"),
            shares=SHARES,
            checks=CHECKS,
            steps=STEPS,
            content=BUBBLE,
            names=NAMES,
            values=VALUES,
            timeline=_timeline(timezone.now()),
            page=Cut(rows=(), label="1–3 of 48", next={"page": "2"}),
        )


def _timeline(now: dt.datetime) -> list[dict[str, Any]]:
    return [
        {"title": "First 3,912 delivered", "tone": "green", "detail": "Reported by Twilio", "at": now},
        {
            "title": "Sending resumed",
            "tone": "indigo",
            "detail": "By Dana Reyes · “address file fixed”",
            "at": now - dt.timedelta(days=1),
        },
        {"title": "Paused at 4,020 sent", "tone": "amber", "detail": "By Dana Reyes", "at": now - dt.timedelta(days=2)},
        {"title": "624 people held out", "tone": "violet", "at": now - dt.timedelta(days=400)},
    ]


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=200, required=False)


class KitConfirm(Page):
    """`/kit/confirm`: the page and the dialog that every consequence asks through. It changes nothing."""

    needs = {"GET": None, "POST": None}

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self.show("kit_confirm.html", form=ReasonForm(), back="/kit", danger=True)

    def post(self, request: HttpRequest) -> HttpResponse:
        return flash(request, "Nothing was archived: this is the design kit.", "/kit")
