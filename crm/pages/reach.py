"""Settings of what people are reached by: how many at once on each channel, and pushes to browsers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings

from accounts.merchant_page import MerchantPage
from accounts.roles import Permission
from campaigns_project.pages import flash
from crm.audiences import segments
from crm.models import MarketingChannel, PushSubscription
from providers.webpush import public_key

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


class LimitsForm(forms.Form):
    """One number for each channel; empty is the most that anybody may reach."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for channel, most in segments.MAXIMA.items():
            self.fields[str(channel)] = forms.IntegerField(
                label=MarketingChannel(channel).label,
                min_value=0,
                max_value=most,
                required=False,
                help_text=f"Up to {most:,}; that many when empty",
                widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
            )


class AudienceLimits(MerchantPage):
    """`/audiences/limits`: how many people one campaign may reach."""

    needs = {"GET": Permission.VIEW, "POST": Permission.SETTINGS}

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (Django's signature)
        return self._page(LimitsForm(initial=segments.most_of(self.account)))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = LimitsForm(request.POST)
        if not form.is_valid():
            return self._page(form, 400)
        segments.limit(self.account, {name: most for name, most in form.cleaned_data.items() if most is not None})
        return flash(request, "The limits are kept.", "/audiences/limits")

    def _page(self, form: LimitsForm, status: int = 200) -> HttpResponse:
        return self.show("crm/audience_limits.html", status, form=form)


class PushSettings(MerchantPage):
    """`/settings/push`: the key browsers subscribe with, and how many have."""

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (Django's signature)
        browsers = PushSubscription.objects.for_account(self.account).count()
        return self.show("crm/push.html", key=public_key(settings.VAPID_PRIVATE_KEY), browsers=browsers)
