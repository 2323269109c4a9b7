"""What receipt of a webhook costs with DRF: a view, a serializer and the ORM; the same checks, one row a request."""

from __future__ import annotations

import time

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import path

# Before anything of DRF's, which reads the settings while it is imported.
settings.ROOT_URLCONF = __name__
application = get_wsgi_application()

from rest_framework import serializers  # noqa: E402
from rest_framework.exceptions import AuthenticationFailed  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from dispatch.models import InboxEntry, WebhookConnection, WebhookSecret  # noqa: E402
from providers.signatures import is_stamped  # noqa: E402


class EventInput(serializers.Serializer):
    event_type = serializers.CharField()
    email = serializers.EmailField()
    campaign_id = serializers.CharField()
    event_id = serializers.CharField()
    timestamp = serializers.DateTimeField()


class Receive(APIView):
    authentication_classes = ()
    permission_classes = ()

    def post(self, request, token):
        raw = request._request.body
        webhook = WebhookConnection.objects.get(token=token)
        said = {name: request.headers[f"X-Webhook-{name.title()}"] for name in ("signature", "timestamp")}
        secrets = WebhookSecret.objects.filter(webhook=webhook)
        if not any(is_stamped(each.text, body=raw, now=time.time(), **said) for each in secrets):
            raise AuthenticationFailed
        event = EventInput(data=request.data)
        event.is_valid(raise_exception=True)
        InboxEntry.objects.get_or_create(
            account_id=webhook.account_id,
            provider=webhook.provider,
            dedupe_key=event.validated_data["event_id"],
            defaults={"kind": "event", "body": raw},
        )
        return Response({})


urlpatterns = [path("api/v1/marketing/webhooks/sendgrid/<str:token>", Receive.as_view())]
