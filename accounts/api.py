"""Signing in for integrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth import authenticate
from rest_framework import serializers
from rest_framework.response import Response

from accounts.middleware import memberships_of
from accounts.models import User
from accounts.tokens import bearer_of, pair
from campaigns_project.api import OpenDoor, StrictSerializer, TextField, route, routes
from campaigns_project.api.limits import spend_sign_in
from campaigns_project.refusals import Forbidden, Unauthorized

if TYPE_CHECKING:
    from rest_framework.request import Request


class SignInInput(StrictSerializer):
    email = TextField(max_length=254)
    password = TextField(max_length=1000)

    example: ClassVar = {"email": "merchant@demo.test", "password": "…"}


class RefreshInput(StrictSerializer):
    refresh_token = TextField(max_length=4096)

    example: ClassVar = {"refresh_token": "eyJhbGciOi…"}


class SignedInUserShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    tenant_id = serializers.UUIDField()
    email = serializers.EmailField()
    roles = serializers.ListField(child=serializers.CharField())


class TokensShape(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    refresh_token = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds.")
    user = SignedInUserShape()

    example: ClassVar = {
        "access_token": "eyJhbGciOi…",
        "refresh_token": "eyJhbGciOi…",
        "token_type": "Bearer",
        "expires_in": 3600,
        "user": {
            "id": 1,
            "tenant_id": "0b6f6a34-2a5c-4f7e-8a55-7d5d3b6a1c11",
            "email": "merchant@demo.test",
            "roles": ["tenant_admin"],
        },
    }


def sign_in(request: Any, email: str, password: str) -> User:
    """The person with this e-mail and password, in the same time for known and unknown addresses.

    Raises TooManyRequests after too many tries, Unauthorized otherwise.
    """
    spend_sign_in(request.META.get("REMOTE_ADDR", ""), email)
    user = authenticate(getattr(request, "_request", request), username=email, password=password)
    if not isinstance(user, User):
        raise Unauthorized("The e-mail address or the password is wrong.")
    return user


class Tokens(OpenDoor):
    bodies: ClassVar = {"POST": SignInInput}
    answers: ClassVar = {"POST": TokensShape}

    def post(self, request: Request) -> Response:
        """Sign in.

        Tries are limited per address and e-mail. A person of several accounts gets the oldest.
        """
        user = sign_in(request, self.data["email"], self.data["password"])
        membership = memberships_of(user).first()
        if membership is None:
            raise Forbidden
        return Response(pair(membership))


class Refresh(OpenDoor):
    bodies: ClassVar = {"POST": RefreshInput}
    answers: ClassVar = {"POST": TokensShape}

    def post(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Get new tokens for a refresh token."""
        return Response(pair(bearer_of(self.data["refresh_token"], "refresh")))


urlpatterns = routes(
    "api/v1/auth",
    route("token", Tokens, name="auth-token"),
    route("refresh", Refresh, name="auth-refresh"),
)
