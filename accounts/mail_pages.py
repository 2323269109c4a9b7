"""How an account's e-mail leaves: SendGrid or a mail server of its own, one of the two."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.conf import settings
from django.urls import path

from accounts.connections import ConnectionTaken, connect
from accounts.models import Connection
from accounts.roles import Permission
from campaigns_project.pages import Page, flash
from campaigns_project.refusals import Invalid
from providers.email import PORTS
from providers.signatures import sendgrid_key
from providers.urls import check_url

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

HERE = "/settings/email"
NEVER_SHOWN = "Kept sealed and never shown again."


def one_line(text: str) -> None:
    """Refuse what would break a header."""
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text):
        raise forms.ValidationError("Write one line without control characters.")


def _secret(label: str, **more: Any) -> forms.CharField:
    hidden = forms.PasswordInput(attrs={"autocomplete": "off"})
    return forms.CharField(label=label, max_length=200, widget=hidden, **({"help_text": NEVER_SHOWN} | more))


class MailForm(forms.Form):
    """What both ways ask. The order is the page's."""

    sender = forms.EmailField(
        label="Sender", max_length=80, help_text="The address that people see and your provider knows."
    )
    sender_name = forms.CharField(
        label="Sender’s name", max_length=80, required=False, validators=[one_line], help_text="Empty: your own name."
    )
    rate_per_second = forms.IntegerField(
        label="E-mails a second", min_value=1, max_value=1000, initial=50, help_text="What your provider allows."
    )

    # The fields that are kept sealed.
    sealed: ClassVar[tuple[str, ...]] = ()

    def secret(self) -> dict[str, str]:
        return {name: str(self.cleaned_data[name]) for name in self.sealed}

    @property
    def external_id(self) -> str:
        return str(self.cleaned_data["sender"]).lower()


class SendGridForm(MailForm):
    """SendGrid's credentials as its pages show them."""

    api_key = forms.RegexField(
        r"\ASG\.[\w-]{1,60}\.[\w-]{1,120}\Z",
        label="API key",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=f"Starts with SG. {NEVER_SHOWN}",
        error_messages={"invalid": "A key has three parts with dots between them, and starts with SG."},
    )
    webhook_public_key = forms.CharField(
        label="Verification key",
        max_length=500,
        required=False,
        help_text="Of the signed event webhook in SendGrid’s settings; without it nobody hears of opens and bounces.",
    )
    sealed = ("api_key", "webhook_public_key")
    field_order = (*sealed, "sender", "sender_name", "rate_per_second")

    def clean_webhook_public_key(self) -> str:
        key: str = self.cleaned_data["webhook_public_key"]
        if key and sendgrid_key(key) is None:
            raise forms.ValidationError("This is no verification key of SendGrid’s.")
        return key

    @property
    def external_id(self) -> str:
        # The first two parts: the key's id, which is no secret.
        return str(self.cleaned_data["api_key"]).rpartition(".")[0]


class SmtpForm(MailForm):
    """A mail server, and who we are to it."""

    host = forms.CharField(label="Server", max_length=200, help_text="Such as smtp.example.com; it has to be public.")
    port = forms.IntegerField(label="Port", initial=587, min_value=1, max_value=65535)
    security = forms.ChoiceField(
        label="Security",
        choices=[("starttls", "STARTTLS"), ("tls", "TLS from the start"), ("none", "None")],
        initial="starttls",
    )
    username = forms.CharField(label="User name", max_length=200, required=False, validators=[one_line])
    password = _secret("Password", required=False)
    sealed = ("host", "port", "security", "username", "password")
    field_order = (*sealed, "sender", "sender_name", "rate_per_second")

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        host, port = said.get("host", ""), said.get("port")
        if f"{host}:{port}" in settings.SMTP_TRUSTED:
            return said
        if port and port not in PORTS:
            self.add_error("port", "Mail servers listen on 25, 465, 587 or 2525.")
        try:
            check_url(f"https://{host}/")
        except Invalid:
            self.add_error("host", "This is not the name of a public server.")
        return said


FORMS: dict[str, type[MailForm]] = {"sendgrid": SendGridForm, "smtp": SmtpForm}
NAMES = {"sendgrid": "SendGrid", "smtp": "Your own mail server"}


class MailConnection(Page):
    """Show and replace the account's connection for e-mail."""

    needs: ClassVar = {"GET": Permission.SETTINGS, "POST": Permission.SETTINGS}

    def get(self, request: HttpRequest) -> HttpResponse:
        known = self._connection(request)
        through = self._through(request, known)
        initial = {}
        if known and known.provider == through:
            shown = ("sender", "sender_name", "rate_per_second")
            initial = {name: getattr(known, name) for name in shown}
            initial |= {name: text for name, text in known.secret.items() if name not in {"api_key", "password"}}
        return self._page(request, FORMS[through](initial=initial or None), through)

    def post(self, request: HttpRequest) -> HttpResponse:
        through = self._through(request, None)
        form = FORMS[through](request.POST)
        if not form.is_valid():
            return self._page(request, form, through, status=400)
        said, caller = form.cleaned_data, self._caller(request)
        try:
            connect(
                caller.account,
                through,
                external_id=form.external_id,
                sender=said["sender"],
                sender_name=said["sender_name"],
                secret=form.secret(),
                by=request.user,
                rate_per_second=said["rate_per_second"],
            )
        except ConnectionTaken as refusal:
            form.add_error(None, refusal.message)
            return self._page(request, form, through, status=409)
        return flash(request, "E-mail is connected.", HERE)

    def _page(self, request: HttpRequest, form: MailForm, through: str, *, status: int = 200) -> HttpResponse:
        connection = self._connection(request)
        return self.show(
            "accounts/email.html", status=status, form=form, through=through, names=NAMES, connection=connection
        )

    @staticmethod
    def _through(request: HttpRequest, known: Connection | None) -> str:
        asked = request.GET.get("through") or (known.provider if known else "")
        return asked if asked in FORMS else "sendgrid"

    @staticmethod
    def _caller(request: HttpRequest) -> Any:
        return request

    def _connection(self, request: HttpRequest) -> Connection | None:
        rows = Connection.objects.for_account(self._caller(request).account)
        return rows.filter(provider__in=Connection.MAIL).first()


urlpatterns = [path("settings/email", MailConnection.as_view(), name="settings-email")]
