"""What an account's own people set up: the connections to WhatsApp and SMS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.urls import path

from accounts.connections import ConnectionTaken, connect
from accounts.models import Connection
from accounts.roles import Permission
from campaigns_project.pages import Page, flash

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


class TwilioForm(forms.Form):
    """Twilio's credentials as its console shows them. The token is never shown again."""

    account_sid = forms.RegexField(
        r"\AAC[0-9A-Za-z]{32}\Z",
        label="Account SID",
        help_text="Starts with AC and has 34 characters.",
        error_messages={"invalid": "An Account SID starts with AC and has 34 letters and digits."},
    )
    auth_token = forms.CharField(
        label="Auth token",
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Kept sealed and never shown again.",
    )
    sender = forms.RegexField(
        r"\A(\+[1-9][0-9]{6,14}|MG[0-9A-Za-z]{32})\Z",
        label="WhatsApp sender",
        help_text="The number with + and country code, or a Messaging Service SID.",
        error_messages={"invalid": "Write the number as +14155238886, or a Messaging Service SID (MG…)."},
    )
    sms_sender = forms.RegexField(
        r"\A(\+[1-9][0-9]{6,14}|MG[0-9A-Za-z]{32}|[0-9]{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11})\Z",
        label="SMS sender",
        required=False,
        help_text="Empty while you send no SMS. A number, a short code, up to 11 letters, or a Messaging Service SID.",
        error_messages={"invalid": "Write a number as +14155238886, a short code, up to 11 letters, or MG…."},
    )
    rate_per_second = forms.IntegerField(
        label="Messages a second",
        min_value=1,
        max_value=1000,
        initial=80,
        help_text="What Twilio allows this sender.",
    )


class WhatsAppConnection(Page):
    """Show and replace the account's Twilio connection."""

    needs: ClassVar = {"GET": Permission.SETTINGS, "POST": Permission.SETTINGS}

    def get(self, request: HttpRequest) -> HttpResponse:
        known = self._connection(request)
        initial = (
            {
                "account_sid": known.external_id,
                "sender": known.sender,
                "sms_sender": known.sms_sender,
                "rate_per_second": known.rate_per_second,
            }
            if known
            else {}
        )
        return self._page(request, TwilioForm(initial=initial))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TwilioForm(request.POST)
        if not form.is_valid():
            return self._page(request, form, status=400)
        said = form.cleaned_data
        caller: Any = request
        try:
            connect(
                caller.account,
                "twilio",
                external_id=said["account_sid"],
                sender=said["sender"],
                secret={"auth_token": said["auth_token"]},
                by=request.user,
                rate_per_second=said["rate_per_second"],
                sms_sender=said["sms_sender"],
            )
        except ConnectionTaken as refusal:
            form.add_error(None, refusal.message)
            return self._page(request, form, status=409)
        return flash(request, "Twilio is connected.", "/settings/whatsapp")

    def _page(self, request: HttpRequest, form: TwilioForm, *, status: int = 200) -> HttpResponse:
        return self.show("accounts/whatsapp.html", status=status, form=form, connection=self._connection(request))

    @staticmethod
    def _connection(request: HttpRequest) -> Connection | None:
        caller: Any = request
        return Connection.objects.for_account(caller.account).filter(provider="twilio").first()


urlpatterns = [path("settings/whatsapp", WhatsAppConnection.as_view(), name="settings-whatsapp")]
