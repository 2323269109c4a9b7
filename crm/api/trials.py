"""Test messages of a marketing campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework import serializers
from rest_framework.response import Response

from accounts.roles import Permission
from campaigns_project.api import ChoiceField, ListQuery, StrictSerializer, TextField, listed
from crm.api.campaigns import CampaignDoor
from crm.marketing import trials
from crm.models import MarketingChannel, Trial, TrialStatus

if TYPE_CHECKING:
    from rest_framework.request import Request

LONGEST_ADDRESS = 254
EXAMPLE = {
    "id": "test_7k2m0000000000ab",
    "channel": "email",
    "address": "dana@example.com",
    "status": "waiting",
    "code": "",
    "created_at": "2026-11-21T09:30:00Z",
    "ended_at": None,
}


class TrialInput(StrictSerializer):
    channel = ChoiceField(choices=MarketingChannel.choices, help_text="One of the campaign's.")
    to = serializers.ListField(
        child=TextField(max_length=LONGEST_ADDRESS),
        required=False,
        min_length=1,
        max_length=trials.MOST_AT_ONCE,
        help_text="E-mail addresses of people of the account; for SMS phone numbers. Without: your own e-mail address.",
    )

    example: ClassVar[dict[str, Any]] = {"channel": "email", "to": ["dana@example.com"]}


class TrialShape(serializers.ModelSerializer[Trial]):
    id = serializers.CharField(source="public_id")
    status = serializers.ChoiceField(choices=TrialStatus.choices)

    class Meta:
        model = Trial
        fields = ("id", "channel", "address", "status", "code", "created_at", "ended_at")

    example: ClassVar[dict[str, Any]] = EXAMPLE


class TrialsShape(serializers.Serializer[Any]):
    """One for each address."""

    data = TrialShape(many=True)  # type: ignore[assignment]  # the field of that name, as DRF allows it

    example: ClassVar[dict[str, Any]] = {"data": [EXAMPLE]}


class Trials(CampaignDoor):
    needs: ClassVar = {"POST": Permission.SEND}
    queries: ClassVar = {"GET": ListQuery}
    bodies: ClassVar = {"POST": TrialInput}
    answers: ClassVar = {"GET": listed(TrialShape), "POST": (202, TrialsShape)}

    def get(self, request: Request, campaign_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """List the test messages of a campaign, the newest first. Kept for 30 days."""
        rows = Trial.objects.for_account(self.account).filter(campaign=self.campaign(campaign_id))
        return self.page(rows, shape=TrialShape)

    def post(self, request: Request, campaign_id: str) -> Response:
        """Send the message to yourself and colleagues, marked as a test; no metric counts it.

        409 `address_suppressed` for who opted out; 429 above 20 tests an hour, or 5 phone numbers a day, in an account.
        """
        caller: Any = request.user
        made = trials.send(self.campaign(campaign_id), **{"to": [caller.email], **self.data}, by=caller)
        return Response(TrialsShape({"data": made}).data, status=202)
