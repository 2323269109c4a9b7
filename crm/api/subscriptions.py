"""Browsers that take our pushes: what a merchant's page posts, and the key it needs before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import transaction
from rest_framework import serializers
from rest_framework.response import Response

from accounts.roles import Permission
from campaigns_project.api import Door, StrictSerializer, TextField, listed
from crm.api.people import CustomerDoor
from crm.customers import subscriptions
from crm.models import PushSubscription
from providers.webpush import public_key

if TYPE_CHECKING:
    from rest_framework.request import Request

P256DH = "BNNL5ZaTfK81qhXOx23-wewhigUeFb632jN6LvRWCFH1ubQr77FE_9qV1FuojuRmHP42zmf34rXgW80OvUVDgTk"
AUTH = "zqbxT6JKstKSY9JKibZLSQ"
ENDPOINT = "https://push.example.com/send/1"
_ASCII = RegexValidator(r"\A[!-~]+\Z", "An address without spaces, in plain letters.")


class KeysInput(StrictSerializer):
    p256dh = TextField(max_length=100)
    auth = TextField(max_length=40)


class SubscriptionInput(StrictSerializer):
    """A `PushSubscription` as a browser says it (`toJSON()`)."""

    endpoint = TextField(max_length=1024, validators=[_ASCII])
    keys = KeysInput()
    expirationTime = serializers.IntegerField(required=False, allow_null=True)  # noqa: N815 (the browser's word)

    example: ClassVar[dict[str, Any]] = {
        "endpoint": ENDPOINT,
        "expirationTime": None,
        "keys": {"p256dh": P256DH, "auth": AUTH},
    }


class SubscriptionShape(serializers.ModelSerializer[PushSubscription]):
    id = serializers.CharField(source="public_id")

    class Meta:
        model = PushSubscription
        fields = ("id", "endpoint", "created_at")

    example: ClassVar[dict[str, Any]] = {
        "id": "push_4fzzzxjylrx2m9qa",
        "endpoint": ENDPOINT,
        "created_at": "2026-11-21T09:30:00Z",
    }


class KeyShape(serializers.Serializer[Any]):
    public_key = serializers.CharField(help_text="Base64url, as `applicationServerKey` wants it.")

    example: ClassVar[dict[str, Any]] = {"public_key": P256DH}


class Subscriptions(CustomerDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    bodies: ClassVar = {"POST": SubscriptionInput}
    answers: ClassVar = {"GET": listed(SubscriptionShape), "POST": (201, SubscriptionShape)}

    def get(self, request: Request, customer_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """List a customer's browsers, newest first."""
        rows = PushSubscription.objects.for_account(self.account).filter(customer=self.customer(customer_id))
        return self.page(rows, shape=SubscriptionShape)

    def post(self, request: Request, customer_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Keep a browser that takes pushes for this customer.

        The same browser again gets new keys. Pushes need consent on the channel `push` as well.
        """
        said = self.data
        with transaction.atomic():
            customer = self.customer(customer_id, locked=True)
            kept = subscriptions.subscribe(customer, endpoint=said["endpoint"], **said["keys"])
        return self.show(kept, SubscriptionShape, status=201)


class OneSubscription(CustomerDoor):
    needs: ClassVar = {"DELETE": Permission.AUTHOR}

    def delete(self, request: Request, customer_id: str, subscription_id: str) -> Response:  # noqa: ARG002 (DRF's)
        """Forget a browser."""
        rows = PushSubscription.objects.for_account(self.account).filter(customer=self.customer(customer_id))
        self.find(rows, public_id=subscription_id).delete()
        return Response(status=204)


class PublicKey(Door):
    tag = "customers"
    answers: ClassVar = {"GET": KeyShape}

    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show the key with which a browser subscribes to our pushes."""
        return Response({"public_key": public_key(settings.VAPID_PRIVATE_KEY)})
